/* What airisd must be allowed to write, for each strategy, and what is made of an answer to whether
 * it is. */
#include "cluster_objects.h"

#include "cluster/rights.h"

/* --- which rights ----------------------------------------------------------------------------- */

static struct observe_objects o;

static int
setup(void **state)
{
	(void)state;
	observe_init(&o);
	o.stable = web_deployment();
	o.service = web_service();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	observe_done(&o);
	return 0;
}

static void
add_text(const struct right *right, struct str *to)
{
	str_addf(to, "%s%s %s %s", to->length > 0 ? "\n" : "", right->verb, right->resource,
	    right->name[0] != '\0' ? right->name : "*");
	assert_string_equal(right->namespace, "prod");
}

/* Those of the app, a line each: verb, resource, name. */
static void
expect(const struct app *app, const char *lines)
{
	struct right rights[RIGHTS_MAX];
	int count = rights_of(app, &o, rights);
	struct str text;

	str_init(&text, 0);
	for (int i = 0; i < count; i++)
		add_text(&rights[i], &text);
	assert_string_equal(str_text(&text), lines);
	str_done(&text);
}

static void
add_hpa(void)
{
	json_array_append_new(o.hpas, J("{'metadata': {'name': 'scaler'}}"));
}

static void
a_canary_makes_and_deletes(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	add_hpa();
	expect(&app, "patch deployments web\npatch deployments web-canary\ncreate deployments *\n"
		     "delete deployments web-canary\npatch horizontalpodautoscalers scaler\n"
		     "patch virtualservices web\ncreate services *\ndelete services web-canary");
}

/* The HPA that KEDA makes is not written. */
static void
of_keda_the_scaled_object_is_written(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	app.rolls = true;
	add_hpa();
	json_array_append_new(o.scaled, J("{'metadata': {'name': 'orders'}}"));
	expect(&app, "patch deployments web\npatch scaledobjects orders");
}

static void
what_is_there_is_not_made(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	o.canary = J("{'metadata': {" OURS "}}");
	o.canary_service = J("{'metadata': {}}"); /* the user's: it stays */
	expect(&app, "patch deployments web\npatch deployments web-canary\n"
		     "delete deployments web-canary\npatch virtualservices web");
}

static void
subsets_are_of_a_rule(void **state)
{
	struct app app = app_of(TRAFFIC_SUBSET);
	static const char first[] =
	    "patch deployments web\npatch deployments web-canary\ncreate deployments *\n"
	    "delete deployments web-canary\npatch virtualservices web\npatch destinationrules web";
	char all[512];

	(void)state;
	str_print(
	    all, sizeof(all), "%s\ncreate destinationrules *\ndelete destinationrules web", first);
	expect(&app, all);
	o.rule = J("{'metadata': {}}");
	expect(&app, first);
}

static void
rolling_patches_one_deployment(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	app.rolls = true;
	expect(&app, "patch deployments web");
	add_hpa();
	expect(&app, "patch deployments web\npatch horizontalpodautoscalers scaler");
	app.kind = WORKLOAD_STATEFULSET;
	str_copy(app.batch.backup, sizeof(app.batch.backup), "dump");
	expect(&app, "patch statefulsets web\ncreate jobs *\ndelete pods web-0\n"
		     "patch horizontalpodautoscalers scaler");
	app.kind = WORKLOAD_DAEMONSET;
	app.batch.backup[0] = '\0';
	expect(&app, "patch daemonsets web\ndelete pods *\n"
		     "patch horizontalpodautoscalers scaler");
}

static void
colours_are_switched_by_a_service(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	app.colours = app.sided = true;
	app.traffic.kind = TRAFFIC_SERVICE;
	str_copy(app.canary, sizeof(app.canary), "web-green");
	str_copy(app.traffic.canary_service, sizeof(app.traffic.canary_service), "web-preview");
	expect(&app, "patch deployments web\npatch deployments web-green\ncreate deployments *\n"
		     "delete deployments web-green\npatch services web\n"
		     "patch services web-preview\ncreate services *\ndelete services web-preview");
	o.canary = J("{'metadata': {" OURS "}}"); /* both colours stay */
	o.canary_service = J("{'metadata': {" OURS "}}");
	expect(&app, "patch deployments web\npatch deployments web-green\npatch services web\n"
		     "patch services web-preview");
}

static void
the_other_colour_gets_a_budget(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);
	static const char both[] = "patch deployments web\npatch deployments web-green\n"
				   "patch services web\npatch services web-preview";
	char all[512];

	(void)state;
	app.colours = app.sided = true;
	app.traffic.kind = TRAFFIC_SERVICE;
	str_copy(app.canary, sizeof(app.canary), "web-green");
	str_copy(app.traffic.canary_service, sizeof(app.traffic.canary_service), "web-preview");
	o.canary =
	    J("{'metadata': {" OURS "}, 'spec': {'template': {'metadata': {'labels': {'app': "
	      "'web-green'}}}}}");
	o.canary_service = J("{'metadata': {" OURS "}}");
	json_array_append_new(o.budgets, J("{'metadata': {'name': 'web'}, 'spec': {'selector': "
					   "{'matchLabels': {'app': 'web'}}}}"));
	str_print(all, sizeof(all),
	    "%s\ncreate poddisruptionbudgets *\ndelete poddisruptionbudgets web-green", both);
	expect(&app, all);
	json_array_append_new(o.budgets, /* the user's own: nothing is made */
	    J("{'metadata': {'name': 'green'}, 'spec': {'selector': {'matchLabels': {'app': "
	      "'web-green'}}}}"));
	expect(&app, both);
}

static void
colours_are_weighed_by_a_route(void **state)
{
	struct app app = app_of(TRAFFIC_HOST);

	(void)state;
	app.colours = app.sided = true;
	app.traffic.kind = TRAFFIC_GATEWAY;
	expect(&app, "patch deployments web\npatch deployments web-canary\ncreate deployments *\n"
		     "delete deployments web-canary\npatch httproutes web\ncreate services *\n"
		     "delete services web-canary");
}

/* --- what is made of an answer ---------------------------------------------------------------- */

static const struct right a_patch = {
    "patch", "apps", "deployments", .namespace = "prod", .name = "web"};

static void
a_question_names_all_of_it(void **state)
{
	struct right any = a_patch;
	json_t *question = rights_question(&a_patch);

	(void)state;
	assert_json(question,
	    "{'apiVersion': 'authorization.k8s.io/v1', 'kind': 'SelfSubjectAccessReview', 'spec': "
	    "{'resourceAttributes': {'namespace': 'prod', 'verb': 'patch', 'group': 'apps', "
	    "'resource': 'deployments', 'name': 'web'}}}");
	json_decref(question);
	any.name[0] = '\0';
	question = rights_question(&any);
	assert_null(jsonx_at(question, "spec.resourceAttributes.name"));
	json_decref(question);
}

/* 0 or -1; what was found is left in found. */
static int
judge(const struct right *right, const char *text, struct findings *found)
{
	json_t *body = text != NULL ? J(text) : NULL;
	struct err e;
	int result = rights_judge(right, body, found, &e);

	json_decref(body);
	return result;
}

static void
a_denial_says_what_to_do(void **state)
{
	struct findings found = {0};

	(void)state;
	assert_int_equal(judge(&a_patch, "{'status': {'allowed': true}}", &found), 0);
	assert_int_equal(found.problems.count + found.warnings.count, 0);
	assert_int_equal(judge(&a_patch, "{'status': {'allowed': false}}", &found), 0);
	assert_string_equal(found.problems.items[0].text,
	    "airisd may not patch deployments web in namespace prod: allow it in a Role there: "
	    "apiGroups [\"apps\"], resources [deployments], verbs [patch], resourceNames [web]");
	assert_int_equal(
	    judge(&a_patch, "{'status': {'allowed': false, 'reason': 'not today'}}", &found), 0);
	assert_non_null(strstr(found.problems.items[1].text, "namespace prod (not today): allow"));
	assert_int_equal(found.warnings.count, 0);
	findings_done(&found);
}

static void
what_is_no_answer_allows_and_denies_nothing(void **state)
{
	struct findings found = {0};

	(void)state;
	assert_int_equal(judge(&a_patch, NULL, &found), -1);
	assert_int_equal(judge(&a_patch, "{'status': {}}", &found), -1);
	assert_int_equal(judge(&a_patch, "{'status': {'allowed': 'false'}}", &found), -1);
	assert_int_equal(found.problems.count + found.warnings.count, 0);
}

static void
of_the_lease_creating_may_not_be_needed(void **state)
{
	struct right rights[RIGHTS_MAX];
	struct findings found = {0};

	(void)state;
	assert_int_equal(rights_of_lease("airis", "airisd", rights, 0), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(judge(&rights[i], "{'status': {'allowed': false}}", &found), 0);
	assert_int_equal(found.problems.count, 2);
	assert_non_null(strstr(found.problems.items[1].text, "may not patch leases airisd in "));
	assert_int_equal(found.warnings.count, 1);
	assert_non_null(strstr(found.warnings.items[0].text,
	    "may not create leases in namespace airis, which is needed while the Lease is not"));
	findings_done(&found);
}

/* Nobody is kept from a release by what is shown of it. */
static void
events_are_a_warning_at_most(void **state)
{
	struct right rights[RIGHTS_MAX];
	struct findings found = {0};

	(void)state;
	assert_int_equal(rights_of_events("prod", rights, RIGHTS_MAX), RIGHTS_MAX);
	assert_int_equal(rights_of_events("prod", rights, 0), 1);
	assert_int_equal(judge(&rights[0], "{'status': {'allowed': false}}", &found), 0);
	assert_int_equal(found.problems.count, 0);
	assert_string_equal(found.warnings.items[0].text,
	    "airisd may not create events in namespace prod, which shows on the workload what "
	    "becomes of a rollout (clusters[].events): allow it in a Role there: apiGroups "
	    "[\"\"], resources [events], verbs [create]");
	findings_done(&found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_canary_makes_and_deletes, setup, teardown),
	    cmocka_unit_test_setup_teardown(of_keda_the_scaled_object_is_written, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_there_is_not_made, setup, teardown),
	    cmocka_unit_test_setup_teardown(subsets_are_of_a_rule, setup, teardown),
	    cmocka_unit_test_setup_teardown(rolling_patches_one_deployment, setup, teardown),
	    cmocka_unit_test_setup_teardown(colours_are_switched_by_a_service, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_other_colour_gets_a_budget, setup, teardown),
	    cmocka_unit_test_setup_teardown(colours_are_weighed_by_a_route, setup, teardown),
	    cmocka_unit_test(events_are_a_warning_at_most),
	    cmocka_unit_test(a_question_names_all_of_it),
	    cmocka_unit_test(a_denial_says_what_to_do),
	    cmocka_unit_test(what_is_no_answer_allows_and_denies_nothing),
	    cmocka_unit_test(of_the_lease_creating_may_not_be_needed),
	};
	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
