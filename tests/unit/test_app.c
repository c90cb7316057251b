/* Apps: what is taken, what follows from what was not given, and that every mistake is found, at
 * its path and with what is allowed. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "model/release.h"
#include "model/strategy.h"

static const char least[] =
    "{'kind':'App','name':'web','namespace':'shop','workload':{'kind':'Deployment','name':'web'},"
    "'traffic':{'istio':{'virtualService':'web-vs'}},"
    "'strategy':{'canary':{'weights':[10,25,50,100]}}}";

static const char most[] =
    "{'kind':'App','name':'web','namespace':'shop','cluster':'prod',"
    "'workload':{'kind':'Deployment','name':'web.v','container':'main'},"
    "'traffic':{'istio':{'virtualService':'all','routes':['primary','Beta x'],'mode':'subset',"
    "'service':'web-svc','canaryService':'web-new','destinationRule':'web-dr',"
    "'subsets':{'stable':'old','canary':'new'},'label':'example.com/track'}},"
    "'strategy':{'canary':{'stages':[{'weight':5,'approve':true,'gates':['errors']},"
    "{'weight':60,'hold':'1m','gates':[]},{'weight':100}],"
    "'hold':'10s','deadline':'1h','drain':'5s','abortCapacity':75}},"
    "'gates':[{'name':'errors','prometheus':{'source':'thanos',"
    "'query':'sum(rate(x{w=\\'{{canary}}\\'}[{{window}}]))','pass':'< 0.01',"
    "'samples':{'query':'sum(y)','min':50},'empty':'pass','reduce':'max'},"
    "'every':'15s','window':'2m','warmup':'20s','failures':0,'measurements':3,'deadline':'2m',"
    "'onDeadline':'abort'},"
    "{'name':'latency','prometheus':{'query':'q','pass':'<= 500'}}],"
    "'onEdit':'repair','onStart':'supersede'}";

/* JSON with ' for ", and \' for '. */
static json_t *
json(const char *text)
{
	char *copy = mem_strdup(text), *to = copy;
	json_t *value;
	struct err e;

	for (const char *from = text; *from != '\0'; from++) {
		if (from[0] == '\\' && from[1] == '\'')
			*to++ = *++from;
		else
			*to++ = *from == '\'' ? '"' : *from;
	}
	*to = '\0';
	value = jsonx_parse(copy, strlen(copy), 1 << 20, &e);
	if (value == NULL)
		fail_msg("%s in %s", e.text, copy);
	free(copy);
	return value;
}

static struct app *
parse_good(const char *text)
{
	json_t *spec = json(text);
	struct errlist errors;
	struct app *app;

	errlist_init(&errors);
	app = app_parse(spec, &errors);
	if (app == NULL)
		fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
	assert_int_equal(errors.count, 0);
	assert_true(json_equal(app->spec, spec));
	errlist_done(&errors);
	json_decref(spec);
	return app;
}

static void
test_defaults(void **state)
{
	struct app *app = parse_good(least);

	(void)state;
	assert_ptr_equal(app->strategy, &strategy_canary);
	assert_string_equal(app->name, "web");
	assert_string_equal(app->namespace, "shop");
	assert_string_equal(app->cluster, "default");
	assert_string_equal(app->workload, "web");
	assert_string_equal(app->canary, "web-canary");
	assert_string_equal(app->container, "");
	assert_string_equal(app->traffic.route, "web-vs");
	assert_int_equal(app->traffic.rule_count, 0);
	assert_int_equal(app->traffic.mode, TRAFFIC_HOST);
	assert_string_equal(app->traffic.service, "web");
	assert_string_equal(app->traffic.canary_service, "web-canary");
	assert_string_equal(app->traffic.destination_rule, "web");
	assert_string_equal(app->traffic.stable_subset, "stable");
	assert_string_equal(app->traffic.canary_subset, "canary");
	assert_string_equal(app->traffic.label, "track");
	assert_int_equal(app->plan.stage_count, 4);
	assert_int_equal(app->plan.stages[1].weight, 25);
	assert_int_equal(app->plan.stages[3].weight, 100);
	assert_int_equal(app->plan.stages[3].hold_ms, 0);
	assert_false(app->plan.stages[3].approve);
	assert_int_equal(app->plan.stages[3].gates, 0);
	assert_int_equal(app->gate_count, 0);
	assert_int_equal(app->on_edit, EDIT_HOLD);
	assert_int_equal(app->on_start, START_QUEUE);
	assert_int_equal(app->deadline_ms, 600000);
	assert_int_equal(app->drain_ms, 30000);
	assert_int_equal(app->abort_capacity, 50);
	app_free(app);
}

static void
test_all_keys(void **state)
{
	struct app *app = parse_good(most);
	const struct gate_spec *gate = &app->gates[0];

	(void)state;
	assert_string_equal(app->cluster, "prod");
	assert_string_equal(app->canary, "web.v-canary");
	assert_string_equal(app->container, "main");
	assert_int_equal(app->traffic.rule_count, 2);
	assert_string_equal(app->traffic.rules[1], "Beta x");
	assert_int_equal(app->traffic.mode, TRAFFIC_SUBSET);
	assert_string_equal(app->traffic.service, "web-svc");
	assert_string_equal(app->traffic.canary_service, "web-new");
	assert_string_equal(app->traffic.destination_rule, "web-dr");
	assert_string_equal(app->traffic.stable_subset, "old");
	assert_string_equal(app->traffic.canary_subset, "new");
	assert_string_equal(app->traffic.label, "example.com/track");
	assert_int_equal(app->plan.stage_count, 3);
	assert_int_equal(app->plan.stages[0].weight, 5);
	assert_int_equal(app->plan.stages[0].hold_ms, 10000);
	assert_true(app->plan.stages[0].approve);
	assert_int_equal(app->plan.stages[0].gates, 1);
	assert_int_equal(app->plan.stages[1].hold_ms, 60000);
	assert_int_equal(app->plan.stages[1].gates, 0);
	assert_int_equal(app->plan.stages[2].gates, 3);
	assert_int_equal(app->deadline_ms, 3600000);
	assert_int_equal(app->drain_ms, 5000);
	assert_int_equal(app->abort_capacity, 75);
	assert_int_equal(app->gate_count, 2);
	assert_string_equal(gate->name, "errors");
	assert_string_equal(gate->source, "thanos");
	assert_string_equal(gate->query, "sum(rate(x{w='{{canary}}'}[{{window}}]))");
	assert_int_equal(gate->compare, COMPARE_LT);
	assert_true(gate->limit == 0.01);
	assert_string_equal(gate->samples_query, "sum(y)");
	assert_true(gate->samples_min == 50);
	assert_true(gate->empty_passes);
	assert_int_equal(gate->reduce, REDUCE_MAX);
	assert_int_equal(gate->every_ms, 15000);
	assert_int_equal(gate->window_ms, 120000);
	assert_int_equal(gate->warmup_ms, 20000);
	assert_int_equal(gate->failures, 0);
	assert_int_equal(gate->measurements, 3);
	assert_int_equal(gate->deadline_ms, 120000);
	assert_int_equal(gate->on_deadline, DEADLINE_ABORT);
	gate = &app->gates[1];
	assert_string_equal(gate->source, "default");
	assert_null(gate->samples_query);
	assert_false(gate->empty_passes);
	assert_int_equal(gate->reduce, REDUCE_NONE);
	assert_int_equal(gate->every_ms, 30000);
	assert_int_equal(gate->window_ms, 60000);
	assert_int_equal(gate->warmup_ms, 0);
	assert_int_equal(gate->failures, 2);
	assert_int_equal(gate->measurements, 1);
	assert_int_equal(gate->deadline_ms, 600000);
	assert_int_equal(gate->on_deadline, DEADLINE_PAUSE);
	app_free(app);
}

/* --- mistakes -------------------------------------------------------------------------------- */

/* Sets (or, with NULL, removes) the value at a dotted path. */
static void
change(json_t *spec, const char *path, const char *value)
{
	char *parent = mem_strdup(path), *key = strrchr(parent, '.');
	json_t *holder, *new_value = value == NULL ? NULL : json(value);
	int64_t index;

	if (key != NULL)
		*key++ = '\0';
	else
		key = parent;
	holder = key == parent ? spec : jsonx_at(spec, parent);
	assert_non_null(holder);
	if (json_is_array(holder)) {
		assert_int_equal(str_number(key, 0, 1000, &index), 0);
		json_array_set_new(holder, (size_t)index, new_value);
	} else if (new_value == NULL) {
		json_object_del(holder, key);
	} else {
		json_object_set_new(holder, key, new_value);
	}
	free(parent);
}

static const struct mistake {
	const char *path, *value; /* what is changed in `most` */
	const char *where, *says; /* the error's path and a part of its text */
} mistakes[] = {
    {"kind", "'Deployment'", "kind", "expected: App; found: \"Deployment\""},
    {"name", NULL, "name", "is missing"},
    {"name", "7", "name", "DNS label"},
    {"name", "'Web'", "name", "found: \"Web\""},
    {"name", "''", "name", "found: \"\""},
    {"name", "'-web'", "name", "DNS label"},
    {"name", "'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234'", "name", "63"},
    {"namespace", NULL, "namespace", "is missing"},
    {"namespace", "['x']", "namespace", "found: a list of 1"},
    {"cluster", "null", "cluster", "found: nothing (null)"},
    {"nmae", "'x'", "nmae", "did you mean \"name\"? Allowed here: kind, name, namespace,"},
    {"zzzzzzzz", "1", "zzzzzzzz", "no such key; allowed here: kind, name,"},
    {"a.b", "1", "a.b", "no such key"},
    {"workload", NULL, "workload", "is missing"},
    {"workload", "'web'", "workload", "expected: object"},
    {"workload.kind", "'ReplicaSet'", "workload.kind", "StatefulSet"},
    {"workload.kind", "'StatefulSet'", "strategy.canary", "give rolling"},
    {"workload.name", NULL, "workload.name", "is missing"},
    {"workload.name", "'a..b'", "workload.name", "DNS name"},
    {"workload.image", "'x'", "workload.image", "no such key"},
    {"workload.container", "'A'", "workload.container", "DNS label"},
    {"traffic.istio", NULL, "traffic.istio", "is missing"},
    {"traffic.linkerd", "{}", "traffic.linkerd", "allowed here: istio, gateway"},
    {"traffic.gateway", "{'httpRoute':'web'}", "traffic.gateway", "not several"},
    {"traffic.gateway", "{'rules':['a']}", "traffic.gateway.httpRoute", "is missing"},
    {"traffic.istio.virtualservice", "'x'", "traffic.istio.virtualservice",
	"did you mean \"virtualService\"?"},
    {"traffic.istio.virtualService", NULL, "traffic.istio.virtualService", "is missing"},
    {"traffic.istio.routes", "[]", "traffic.istio.routes", "1 to 16"},
    {"traffic.istio.routes", "'primary'", "traffic.istio.routes", "list of 1 to 16"},
    {"traffic.istio.routes", "['a',3]", "traffic.istio.routes[1]", "found: 3"},
    {"traffic.istio.routes", "['a','b','a']", "traffic.istio.routes[2]", "twice"},
    {"traffic.istio.mode", "'header'", "traffic.istio.mode", "host | subset"},
    {"traffic.istio.service", "'a.b'", "traffic.istio.service", "DNS label"},
    {"traffic.istio.service", NULL, "traffic.istio.service", "name the Service here"},
    {"traffic.istio.subsets.canary", "'old'", "traffic.istio.subsets.canary", "its own"},
    {"traffic.istio.subsets.blue", "'x'", "traffic.istio.subsets.blue", "stable, canary"},
    {"traffic.istio.label", "'a b'", "traffic.istio.label", "key of a label"},
    {"traffic.istio.label", "'/a'", "traffic.istio.label", "key of a label"},
    {"strategy.canary", NULL, "strategy.canary", "is missing"},
    {"strategy.bluegreen", "{}", "strategy.bluegreen", "did you mean \"blueGreen\"?"},
    {"strategy.canary.stages", NULL, "strategy.canary.weights", "give weights"},
    {"strategy.canary.stages", "[]", "strategy.canary.stages", "at least one stage"},
    {"strategy.canary.stages", "{}", "strategy.canary.stages", "list of at most 32"},
    {"strategy.canary.weights", "[10]", "strategy.canary.weights", "not both"},
    {"strategy.canary.stages.0", "5", "strategy.canary.stages[0]", "\"weight\""},
    {"strategy.canary.stages.0.weight", "0", "strategy.canary.stages[0].weight", "give size too"},
    {"strategy.canary.stages.0.weight", "101", "strategy.canary.stages[0].weight", "from 0 to 100"},
    {"strategy.canary.stages.0.weight", "5.5", "strategy.canary.stages[0].weight", "found: 5.5"},
    {"strategy.canary.stages.0.weight", "'5'", "strategy.canary.stages[0].weight", "found: \"5\""},
    {"strategy.canary.stages.1.weight", "5", "strategy.canary.stages[1].weight",
	"weights must rise, but 5 comes after 5"},
    {"strategy.canary.stages.0.hold", "60", "strategy.canary.stages[0].hold", "duration"},
    {"strategy.canary.stages.0.hold", "'31d'", "strategy.canary.stages[0].hold", "to 30d"},
    {"strategy.canary.stages.0.approve", "'yes'", "strategy.canary.stages[0].approve", "true or"},
    {"strategy.canary.stages.0.gates", "['error']", "strategy.canary.stages[0].gates[0]",
	"no gate \"error\"; did you mean \"errors\"?"},
    {"strategy.canary.stages.0.gates", "['errors',1]", "strategy.canary.stages[0].gates[1]",
	"as text"},
    {"strategy.canary.stages.0.gates", "'errors'", "strategy.canary.stages[0].gates",
	"list of names"},
    {"strategy.canary.deadline", "'0s'", "strategy.canary.deadline", "from 1s"},
    {"strategy.canary.drain", "'5 s'", "strategy.canary.drain", "duration"},
    {"strategy.canary.abortCapacity", "0", "strategy.canary.abortCapacity", "from 1 to 100"},
    {"gates", "{}", "gates", "list of at most 32"},
    {"gates.1.name", "'errors'", "gates[1].name", "already: gates[0]"},
    {"gates.1.name", NULL, "gates[1].name", "is missing"},
    {"gates.1.prometheus", NULL, "gates[1].prometheus", "is missing"},
    {"gates.1.prometheus.source", "'http://x'", "gates[1].prometheus.source", "DNS label"},
    {"gates.1.prometheus.url", "'http://x'", "gates[1].prometheus.url", "no such key"},
    {"gates.1.prometheus.query", NULL, "gates[1].prometheus.query", "is missing"},
    {"gates.1.prometheus.query", "''", "gates[1].prometheus.query", "PromQL"},
    /* F13, at the app's check already */
    {"gates.1.prometheus.query", "'x{a=\\'{{canari}}\\'}'", "gates[1].prometheus.query",
	"did you mean {{canary}}?"},
    {"gates.1.prometheus.query", "'x{a={{canary}}}'", "gates[1].prometheus.query", "inside quotes"},
    {"gates.1.prometheus.pass", NULL, "gates[1].prometheus.pass", "is missing"},
    {"gates.1.prometheus.pass", "0.99", "gates[1].prometheus.pass", "such as \">= 0.99\""},
    {"gates.1.prometheus.pass", "'=> 1'", "gates[1].prometheus.pass", "no comparison"},
    {"gates.1.prometheus.pass", "'< 1%'", "gates[1].prometheus.pass", "comes a number"},
    {"gates.0.prometheus.samples.min", NULL, "gates[0].prometheus.samples.min", "is missing"},
    {"gates.0.prometheus.samples.min", "-1", "gates[0].prometheus.samples.min", "at least 0"},
    {"gates.0.prometheus.empty", "true", "gates[0].prometheus.empty", "no_data | pass"},
    {"gates.0.prometheus.reduce", "'median'", "gates[0].prometheus.reduce", "max | sum"},
    {"gates.0.every", "'99ms'", "gates[0].every", "from 100ms to 1h"},
    {"gates.0.window", "'0s'", "gates[0].window", "from 1s"},
    {"gates.0.failures", "-1", "gates[0].failures", "from 0"},
    {"gates.0.measurements", "0", "gates[0].measurements", "from 1"},
    {"gates.0.onDeadline", "'fail'", "gates[0].onDeadline", "pause | abort"},
    {"onEdit", "'ignore'", "onEdit", "hold | repair | abort"},
    {"onStart", "1", "onStart", "queue | refuse | supersede"},
    {"rollbackWindow", "'366d'", "rollbackWindow", "to 365d"},
};

static bool
reported(const struct errlist *errors, const char *where, const char *says)
{
	for (size_t i = 0; i < errors->count; i++) {
		if (strcmp(errors->items[i].path, where) == 0 &&
		    strstr(errors->items[i].text, says) != NULL)
			return true;
	}
	return false;
}

static void
test_each_mistake_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const struct mistake *m = &mistakes[i];
		json_t *spec = json(most);
		struct errlist errors;

		errlist_init(&errors);
		if (strcmp(m->path, "a.b") == 0)
			json_object_set_new(spec, "a.b", json("1"));
		else
			change(spec, m->path, m->value);
		assert_null(app_parse(spec, &errors));
		if (!reported(&errors, m->where, m->says))
			fail_msg("%s = %s: got %s: %s", m->path, m->value, errors.items[0].path,
			    errors.items[0].text);
		errlist_done(&errors);
		json_decref(spec);
	}
}

static void
test_all_mistakes_at_once(void **state)
{
	json_t *spec = json("{'name':'A','colour':1,'workload':{},'traffic':{'istio':{'mode':'x'}},"
			    "'strategy':{'canary':{'weights':[50,20,0,'x',70]}},"
			    "'gates':[{'name':'g'},{'every':'1x'}]}");
	struct errlist errors;

	(void)state;
	errlist_init(&errors);
	assert_null(app_parse(spec, &errors));
	assert_true(reported(&errors, "name", "DNS label"));
	assert_true(reported(&errors, "colour", "no such key"));
	assert_true(reported(&errors, "namespace", "is missing"));
	assert_true(reported(&errors, "workload.name", "is missing"));
	assert_true(reported(&errors, "traffic.istio.virtualService", "is missing"));
	assert_true(reported(&errors, "traffic.istio.mode", "host | subset"));
	assert_true(reported(&errors, "strategy.canary.weights[1]", "20 comes after 50"));
	assert_true(reported(&errors, "strategy.canary.weights[2]", "from 1 to 100"));
	assert_true(reported(&errors, "strategy.canary.weights[3]", "from 1 to 100"));
	assert_true(reported(&errors, "gates[0].prometheus", "is missing"));
	assert_true(reported(&errors, "gates[1].name", "is missing"));
	assert_true(reported(&errors, "gates[1].every", "duration"));
	assert_int_equal(errors.count, 13);
	errlist_done(&errors);
	json_decref(spec);
}

static void
test_not_an_object(void **state)
{
	static const char *const texts[] = {"[]", "'App'", "7", "null", "true"};
	struct errlist errors;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *spec = json(texts[i]);

		errlist_init(&errors);
		assert_null(app_parse(spec, &errors));
		assert_int_equal(errors.count, 1);
		errlist_done(&errors);
		json_decref(spec);
	}
	errlist_init(&errors);
	assert_null(app_parse(NULL, &errors));
	assert_int_equal(errors.count, 1);
	errlist_done(&errors);
	app_free(NULL);
}

/* Sizes at their bounds: 32 gates and 32 stages are taken, 33 are not. */
static void
test_bounds(void **state)
{
	(void)state;
	for (int count = 32; count <= 33; count++) {
		json_t *spec = json(least), *weights = json_array(), *gates = json_array();
		struct errlist errors;
		struct app *app;

		for (int i = 0; i < count; i++) {
			json_array_append_new(weights, json_integer(i + 1));
			json_array_append_new(
			    gates, json_pack("{s:o, s:{s:s, s:s}}", "name", json_sprintf("g-%d", i),
				       "prometheus", "query", "x", "pass", "> 0"));
		}
		json_object_set_new(jsonx_at(spec, "strategy.canary"), "weights", weights);
		json_object_set_new(spec, "gates", gates);
		errlist_init(&errors);
		app = app_parse(spec, &errors);
		assert_int_equal(app != NULL, count == 32);
		if (app != NULL) {
			assert_int_equal(app->plan.stage_count, 32);
			assert_int_equal(app->plan.stages[31].gates, UINT32_MAX);
		} else {
			assert_true(reported(&errors, "gates", "at most 32"));
			assert_true(reported(&errors, "strategy.canary.weights", "1 to 32"));
		}
		errlist_done(&errors);
		app_free(app);
		json_decref(spec);
	}
}

/* In host mode each side needs a Service of its own, with a name that fits. */
static void
test_services_of_sides(void **state)
{
	json_t *spec = json(least);
	struct errlist errors;

	(void)state;
	errlist_init(&errors);
	change(spec, "traffic.istio.canaryService", "'web'");
	assert_null(app_parse(spec, &errors));
	assert_true(reported(&errors, "traffic.istio.canaryService", "stable side's Service"));
	change(spec, "traffic.istio.canaryService", NULL);
	change(spec, "traffic.istio.service",
	    "'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffff'");
	assert_null(app_parse(spec, &errors));
	assert_true(reported(&errors, "traffic.istio.canaryService", "over 63 characters"));
	errlist_done(&errors);
	json_decref(spec);
}

/* Long and odd texts are cut in messages, between characters, so that they stay UTF-8. */
static void
test_messages_stay_text(void **state)
{
	struct str odd;
	json_t *spec = json(most);
	struct errlist errors;

	(void)state;
	str_init(&odd, 0);
	for (int i = 0; i < 2000; i++)
		str_add(&odd, i % 7 == 0 ? "\x01" : "한");
	json_object_set_new(spec, "name", json_string(str_text(&odd)));
	json_object_set_new(spec, str_text(&odd), json_true());
	json_object_set_new(
	    jsonx_at(spec, "gates.1.prometheus"), "pass", json_string(str_text(&odd)));
	json_object_set_new(
	    jsonx_at(spec, "gates.0.prometheus"), "query", json_sprintf("{{%s", str_text(&odd)));
	json_array_set_new(
	    jsonx_at(spec, "strategy.canary.stages.0.gates"), 0, json_string(str_text(&odd)));
	errlist_init(&errors);
	assert_null(app_parse(spec, &errors));
	assert_int_equal(errors.count, 5);
	for (size_t i = 0; i < errors.count; i++) {
		assert_true(str_utf8_ok(errors.items[i].text, strlen(errors.items[i].text)));
		assert_true(str_utf8_ok(errors.items[i].path, strlen(errors.items[i].path)));
		assert_true(strlen(errors.items[i].path) < 1000);
	}
	errlist_done(&errors);
	str_done(&odd);
	json_decref(spec);
}

/* Deletes, replaces and adds at random: no crash, and never an app together with errors. */
static void
shake(json_t *value, unsigned *seed)
{
	static const char *const odd[] = {"null", "-1", "1e300", "''", "'x'", "[]", "{}", "[[1]]",
	    "true", "'{{'", "9223372036854775807", "'1m'"};
	size_t count = json_is_object(value) ? json_object_size(value) : json_array_size(value);
	size_t pick = count == 0 ? 0 : (size_t)rand_r(seed) % count, at = 0;
	const char *key, *picked = NULL;
	json_t *item, *inside;

	if (count == 0)
		return;
	json_object_foreach(value, key, item)
	{
		if (at++ == pick)
			picked = key;
	}
	inside = picked == NULL ? json_array_get(value, pick) : json_object_get(value, picked);
	if (rand_r(seed) % 3 != 0 && (json_is_object(inside) || json_is_array(inside)))
		shake(inside, seed);
	else if (picked == NULL)
		json_array_set_new(value, pick, json(odd[(size_t)rand_r(seed) % 12]));
	else if (rand_r(seed) % 3 == 0)
		json_object_del(value, picked);
	else
		json_object_set_new(value, picked, json(odd[(size_t)rand_r(seed) % 12]));
}

static void
test_shaken_apps(void **state)
{
	unsigned seed = 11;
	int good = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		json_t *spec = json(most);
		struct errlist errors;
		struct app *app;

		for (int k = rand_r(&seed) % 3; k >= 0; k--)
			shake(spec, &seed);
		errlist_init(&errors);
		app = app_parse(spec, &errors);
		assert_int_equal(app == NULL, errors.count > 0);
		good += app != NULL;
		app_free(app);
		errlist_done(&errors);
		json_decref(spec);
	}
	assert_in_range(good, 1, 2000);
}

static void
test_reference_has_every_key(void **state)
{
	static const char *const lines[] = {"kind: App, default App.", "\nname: name of at most 63",
	    "\ntraffic.istio.subsets.canary: ",
	    "\nstrategy.canary.stages[].weight: whole number "
	    "from 0 to 100, required.",
	    "\nstrategy.canary.stages[].size: whole number from 1 to 100.",
	    "\nstrategy.canary.shrinkStable: true or false, default false.",
	    "\nstrategy.canary.headroom: whole number from 0 to 100, default 20.",
	    "\ngates[].prometheus.samples.min: ",
	    "\ngates[].every: duration such as 1m30s from 100ms to 1h, default 30s.",
	    "\nonStart: queue | refuse | supersede, default queue."};
	char *text = app_reference();

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (strstr(text, lines[i]) == NULL)
			fail_msg("no \"%s\" in\n%s", lines[i], text);
	}
	free(text);
}

static void
test_images(void **state)
{
	static const char *const good[] = {"web", "web:1.2", "shop/web:v1_x.Y-z", "localhost/a",
	    "registry.example.com:5000/a/b__c/d-e.f:1",
	    "a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	    "a:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	    "Registry.Example.com/a", "10.0.0.1:80/a", "lab/app:bad-20"};
	static const char *const bad[] = {"", " ", "Web", "web:", ":1", "web:-1", "web:a b", "web ",
	    "a//b", "/a", "a/", "a..b", "-a", "a___b", "http://a/b", "a@sha256:12", "a@", "a:1:2/b",
	    "host:0/a", "host.x:99999/a", "a\n", "a:\xff", "한", "a@sha256:xyz",
	    "a:"
	    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffaaaaaaaaaabbbbbbbbbbcccccc"
	    "ccccddddddddddeeeeeeeeeeffffffffff123456789"};
	char big[600];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!image_ok(good[i]))
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (image_ok(bad[i]))
			fail_msg("taken: %s", bad[i]);
	}
	assert_false(image_ok(NULL));
	memset(big, 'a', sizeof(big));
	big[511] = '\0';
	assert_true(image_ok(big));
	big[511] = 'a';
	big[512] = '\0';
	assert_false(image_ok(big));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_all_keys),
	    cmocka_unit_test(test_each_mistake_is_told),
	    cmocka_unit_test(test_all_mistakes_at_once),
	    cmocka_unit_test(test_not_an_object),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_services_of_sides),
	    cmocka_unit_test(test_messages_stay_text),
	    cmocka_unit_test(test_shaken_apps),
	    cmocka_unit_test(test_reference_has_every_key),
	    cmocka_unit_test(test_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
