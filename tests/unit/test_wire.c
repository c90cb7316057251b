/* The client against answers that were recorded from a real API server and a real Prometheus
 * (tests/wire), sent again byte for byte but for their framing. Every file there has its row. */
#include "unit.h"
#include <dirent.h>
#include <jansson.h>
#include "base/jsonx.h"
#include "cluster/act_plan.h"
#include "cluster/kube.h"
#include "cluster/kube_caches.h"
#include "cluster/workload.h"
#include "kube_fake.h"
#include "model/verdict.h"

#define FOLDER "tests/wire"

static struct loop *loop;
static struct kube *kube;
static char *folder, *file;

/* --- recordings --- */

struct recorded {
	char *text, *body;
	int status;
	char headers[512]; /* those that say something to the client */
};

static char *
read_text(const char *name)
{
	char *path = str_format(FOLDER "/%s", name);
	FILE *from = fopen(path, "re");
	struct str text;
	char block[4096];
	size_t count;

	if (from == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	str_init(&text, 0);
	while ((count = fread(block, 1, sizeof(block), from)) > 0)
		str_add_bytes(&text, block, count);
	fclose(from);
	free(path);
	return str_take(&text);
}

/* Content-Type comes from the fake, the framing is that of today. */
static void
keep_header(struct recorded *recorded, const char *line, size_t length)
{
	static const char *const others[] = {
	    "Content-Type:", "Content-Length:", "Transfer-Encoding:", "Date:"};
	size_t have = strlen(recorded->headers);

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (str_starts(line, others[i]))
			return;
	str_print(recorded->headers + have, sizeof(recorded->headers) - have, "%.*s\r\n",
	    (int)length, line);
}

static struct recorded
recorded_of(const char *name)
{
	struct recorded recorded = {.text = read_text(name)};
	char *end = strstr(recorded.text, "\r\n\r\n"), *line, *next;

	assert_non_null(end);
	recorded.body = end + 4;
	assert_int_equal(sscanf(recorded.text, "HTTP/1.1 %d", &recorded.status), 1);
	for (line = strstr(recorded.text, "\r\n") + 2; line < end; line = next + 2) {
		next = strstr(line, "\r\n");
		keep_header(&recorded, line, (size_t)(next - line));
	}
	return recorded;
}

static json_t *
body_of(const char *name)
{
	struct recorded recorded = recorded_of(name);
	json_t *body = jsonx_parse(recorded.body, strlen(recorded.body), 1 << 20, NULL);

	assert_non_null(body);
	free(recorded.text);
	return body;
}

/* --- the client --- */

static struct {
	int count;
	struct kube_answer answer;
	json_t *body;
} got;
static struct recorded served;
static char last_path[2048];

static void
on_answer(void *ctx, const struct kube_answer *answer)
{
	(void)ctx;
	got.count++;
	got.answer = *answer;
	json_decref(got.body);
	got.body = json_incref(answer->body);
}

static bool
answered(void)
{
	return got.count > 0;
}

static void
serving(struct fake_conn *conn)
{
	str_copy(last_path, sizeof(last_path), conn->path);
	fake_answer_with(conn, served.status, served.headers, served.body);
}

static void
begin(fake_handler *handler)
{
	struct kube_settings settings = {
	    .name = "test", .backoff_ms = 20, .request_timeout_ms = 300, .deadline_ms = 1500};
	struct err e;
	char *text;

	loop = loop_new();
	fake_start(loop, handler);
	folder = make_folder();
	text = str_format("current-context: c\n"
			  "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
			  "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
			  "users: [{name: u, user: {token: secret}}]\n",
	    fake.port);
	file = write_file(folder, "config", text);
	free(text);
	settings.kubeconfig = file;
	kube = kube_new(loop, &settings, NULL, &e);
	if (kube == NULL)
		fail_msg("%s", e.text);
	memset(&got, 0, sizeof(got));
}

static void
end(void)
{
	kube_free(kube);
	fake_stop();
	loop_free(loop);
	until_forget();
	json_decref(got.body);
	unlink(file);
	rmdir(folder);
	free(file);
	free(folder);
}

static void
ask(const char *method)
{
	got.count = fake.requests = 0;
	kube_request(kube, &(struct kube_call){.method = method,
			       .path = "/x",
			       .body = strcmp(method, "GET") != 0 ? "{}" : NULL,
			       .done = on_answer});
	assert_true(run_until(loop, answered, 4000));
}

/* --- what each answer means --- */

static const struct row {
	const char *file;
	int status;
	const char *reason, *message; /* message: how it starts */
	int64_t retry_after_ms;
	int gets; /* how often a GET was sent */
	/* What comes of a write that is answered so. */
	enum act_outcome post, patch, delete;
} rows[] = {
    {"crd-put-no-rv-422.http", 422, "Invalid",
	"virtualservices.networking.istio.io \"web\" is invalid: metadata.resourceVersion", -1, 1,
	ACT_REFUSED, ACT_REFUSED, ACT_REFUSED},
    {"create-exists-409.http", 409, "AlreadyExists", "deployments.apps \"web\" already exists", -1,
	1, ACT_REFUSED, ACT_CONFLICT, ACT_CONFLICT},
    {"dr-unknown-field-strict-400.http", 400, "BadRequest",
	"DestinationRule in version \"v1\" cannot be handled", -1, 1, ACT_REFUSED, ACT_REFUSED,
	ACT_REFUSED},
    {"forbidden-403.http", 403, "Forbidden", "pods is forbidden: User \"ro\" cannot list", -1, 1,
	ACT_REFUSED, ACT_REFUSED, ACT_REFUSED},
    {"get-404.http", 404, "NotFound", "deployments.apps \"none\" not found", -1, 1, ACT_REFUSED,
	ACT_CONFLICT, ACT_DONE},
    {"jsonpatch-test-422.http", 422, "Invalid", "the server rejected our request", -1, 1,
	ACT_REFUSED, ACT_REFUSED, ACT_REFUSED},
    {"mergepatch-rv-409.http", 409, "Conflict",
	"Operation cannot be fulfilled on deployments.apps \"web\"", -1, 1, ACT_CONFLICT,
	ACT_CONFLICT, ACT_CONFLICT},
    {"patch-415.http", 415, "UnsupportedMediaType", "415: Unsupported Media Type", -1, 1,
	ACT_REFUSED, ACT_REFUSED, ACT_REFUSED},
    {"ssa-conflict-409.http", 409, "Conflict", "Apply failed with 1 conflict", -1, 1, ACT_CONFLICT,
	ACT_CONFLICT, ACT_CONFLICT},
    {"ssa-no-manager-422.http", 422, "Invalid", "PatchOptions.meta.k8s.io \"\" is invalid", -1, 1,
	ACT_REFUSED, ACT_REFUSED, ACT_REFUSED},
    {"too-large-rv-504.http", 504, "Timeout", "Timeout: Too large resource version", 1000, 2,
	ACT_UNKNOWN, ACT_UNKNOWN, ACT_UNKNOWN},
    {"unauthorized-401.http", 401, "Unauthorized", "Unauthorized", -1, 1, ACT_REFUSED, ACT_REFUSED,
	ACT_REFUSED},
    {"dep-get.http", 200, "", "", -1, 1, ACT_DONE, ACT_DONE, ACT_DONE},
    {"dep-list.http", 200, "", "", -1, 1, ACT_DONE, ACT_DONE, ACT_DONE},
    {"endpointslices.http", 200, "", "", -1, 1, ACT_DONE, ACT_DONE, ACT_DONE},
    {"pod-list-page.http", 200, "", "", -1, 1, ACT_DONE, ACT_DONE, ACT_DONE},
    {"rs-list.http", 200, "", "", -1, 1, ACT_DONE, ACT_DONE, ACT_DONE},
    {"sar.http", 201, "", "", -1, 1, ACT_DONE, ACT_DONE, ACT_DONE},
    {"sts-get.http", 200, "", "", -1, 1, ACT_DONE, ACT_DONE, ACT_DONE},
    {"vs-get.http", 200, "", "", -1, 1, ACT_DONE, ACT_DONE, ACT_DONE},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
assert_answer(const struct row *row, int requests)
{
	const struct kube_answer *answer = &got.answer;

	assert_int_equal(answer->outcome, KUBE_ANSWERED);
	assert_int_equal(answer->status, row->status);
	assert_string_equal(answer->reason, row->reason);
	if (!str_starts(answer->message, row->message) || !*answer->message != !*row->message)
		fail_msg("%s: \"%s\"", row->file, answer->message);
	assert_int_equal(answer->retry_after_ms, row->retry_after_ms);
	if (fake.requests != requests)
		fail_msg("%s: sent %d times", row->file, fake.requests);
}

static void
assert_outcome(const struct row *row, enum act_verb verb, enum act_outcome outcome)
{
	const struct act_plan plan = {
	    .send = true, .kind = KUBE_DEPLOYMENTS, .name = "web", .verb = verb};
	const struct act_answer answer = {.sent = ACT_SENT_ANSWERED,
	    .status = got.answer.status,
	    .reason = got.answer.reason,
	    .message = got.answer.message};
	struct act_judgement judgement;

	act_judge(&plan, &answer, &judgement);
	if (judgement.outcome != outcome)
		fail_msg("%s, %s: %s", row->file, act_verb_method(verb),
		    act_outcome_name(judgement.outcome));
}

static void
test_what_answers_mean(void **state)
{
	(void)state;
	begin(serving);
	for (size_t i = 0; i < ROWS; i++) {
		served = recorded_of(rows[i].file);
		ask("GET");
		assert_answer(&rows[i], rows[i].gets);
		ask("PATCH");
		assert_answer(&rows[i], 1); /* a write is never sent twice by itself */
		assert_outcome(&rows[i], ACT_POST, rows[i].post);
		assert_outcome(&rows[i], ACT_PATCH, rows[i].patch);
		assert_outcome(&rows[i], ACT_DELETE, rows[i].delete);
		free(served.text);
	}
	end();
}

/* --- objects and lists --- */

static void
test_absence_is_of_its_own_name(void **state)
{
	(void)state;
	begin(serving);
	served = recorded_of("get-404.http");
	kube_read(kube, KUBE_NORMAL, KUBE_DEPLOYMENTS, "default", "none", on_answer, NULL);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.outcome, KUBE_ANSWERED);
	assert_int_equal(got.answer.status, 404);
	got.count = 0;
	/* The same words about something else: nothing is known of this one. */
	kube_read(kube, KUBE_NORMAL, KUBE_DEPLOYMENTS, "default", "web", on_answer, NULL);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.outcome, KUBE_UNKNOWN);
	free(served.text);
	end();
}

static int pages;

/* The recorded page, then one more that is empty. */
static void
paging(struct fake_conn *conn)
{
	str_copy(last_path, sizeof(last_path), conn->path);
	if (pages++ == 0)
		serving(conn);
	else
		fake_answer(conn, 200,
		    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"25865\"},"
		    "\"items\":[]}");
}

static void
test_a_page_has_a_next_one(void **state)
{
	(void)state;
	begin(paging);
	pages = 0;
	served = recorded_of("pod-list-page.http");
	kube_read_list(kube, KUBE_NORMAL, KUBE_PODS, "default", "app=db", on_answer, NULL);
	assert_true(run_until(loop, answered, 3000));
	assert_int_equal(got.answer.status, 200);
	assert_int_equal(pages, 2);
	assert_non_null(strstr(last_path, "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjU4NjU"));
	assert_int_equal(json_array_size(json_object_get(got.body, "items")), 2);
	assert_true(workload_pod_ready(jsonx_at(got.body, "items.0")));
	free(served.text);
	end();
}

static void
test_a_deployment_with_its_sets(void **state)
{
	struct app app = {.name = "web", .namespace = "default", .workload = "web"};
	json_t *deployment = body_of("dep-get.http"), *sets = body_of("rs-list.http");
	json_t *slices = body_of("endpointslices.http"), *none = json_array();
	struct map *endpoints = workload_endpoints(json_object_get(slices, "items"));
	struct workload_side side = {deployment, json_object_get(sets, "items"), none, endpoints};
	struct workload_seen seen = {0};

	(void)state;
	workload_look(&side, &app, "web:v5", &seen);
	assert_true(seen.exists && seen.observed && !seen.deleting && !seen.ours);
	assert_string_equal(seen.uid, "77ee8522-38af-4b78-8562-c88873f8f6b2");
	assert_string_equal(seen.image, "web:v4");
	assert_int_equal(seen.replicas, 3);
	assert_int_equal(seen.pods, 3);
	assert_int_equal(seen.updated, 3);
	assert_int_equal(seen.ready, 0); /* "endpoints": null */
	assert_string_equal(seen.edited_by, "curl");
	assert_string_equal(seen.problem.reason, "");
	map_free(endpoints, NULL);
	json_decref(deployment);
	json_decref(sets);
	json_decref(slices);
	json_decref(none);
}

/* --- streams --- */

static size_t came;

static void
on_changed(void *ctx, const char *name, json_t *old, json_t *new)
{
	(void)ctx;
	assert_string_equal(name, "web");
	assert_null(old);
	assert_non_null(new);
	came++;
}

/* True while the stream is of use. */
static bool
feed(const char *text, size_t piece, struct kube_cache *cache)
{
	size_t length = strlen(text);
	bool good = true;

	str_init(&cache->line, KUBE_LINE_MAX);
	for (size_t at = 0; at < length && good; at += piece)
		good = kube_lines_feed(cache, text + at, length - at < piece ? length - at : piece);
	str_done(&cache->line);
	return good;
}

static void
test_watches(void **state)
{
	struct kube local = {.name = "lab"};
	struct recorded added = recorded_of("watch-rv0.http");
	struct recorded expired = recorded_of("watch-410-inband.http");
	char *line = read_text("watch-410-line.json");

	(void)state;
	for (size_t piece = 1; piece < 4000; piece = piece * 3 + 1) {
		struct kube_cache cache = {
		    .kube = &local, .kind = KUBE_DEPLOYMENTS, .ns = "default"};

		cache.store = cache_new(cache.kind, on_changed, NULL);
		came = 0;
		assert_true(feed(added.body, piece, &cache));
		assert_int_equal(came, 1);
		assert_string_equal(cache_version(cache.store), "831");
		assert_false(cache.relist);
		assert_false(feed(piece == 1 ? line : expired.body, piece, &cache));
		assert_true(cache.relist);
		assert_non_null(strstr(cache.why, "too old resource version"));
		assert_int_equal(cache_count(cache.store), 1);
		cache_free(cache.store);
	}
	free(added.text);
	free(expired.text);
	free(line);
}

/* --- Prometheus --- */

#define RECORDED_MS INT64_C(1795380162100)

static const struct {
	const char *file;
	enum verdict verdict;
	bool empty;
	double value;
	const char *text; /* a part of it */
} answers[] = {
    {"prom-1_0.http", VERDICT_ERROR, false, 0, "+Inf"},
    {"prom-nosuch.http", VERDICT_NO_DATA, true, 0, ""},
    {"prom-range.http", VERDICT_ERROR, false, 0, "range"},
    {"prom-sum_rate_x_.http", VERDICT_ERROR, false, 0, "parse error"},
    {"prom-vector_0__0.http", VERDICT_NO_DATA, false, 0, "NaN"},
    {"prom-vector_1_.http", VERDICT_PASS, false, 1, ""},
};
#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

static void
test_prometheus(void **state)
{
	(void)state;
	for (size_t i = 0; i < ANSWERS; i++) {
		struct recorded recorded = recorded_of(answers[i].file);
		struct reading reading;

		reading_decode(recorded.body, strlen(recorded.body), recorded.status, REDUCE_NONE,
		    RECORDED_MS, 60000, &reading);
		if (reading.verdict != answers[i].verdict ||
		    strstr(reading.text, answers[i].text) == NULL)
			fail_msg("%s: %s: %s", answers[i].file, verdict_name(reading.verdict),
			    reading.text);
		assert_int_equal(reading.empty, answers[i].empty);
		if (reading.verdict == VERDICT_PASS)
			assert_true(reading.value == answers[i].value);
		free(recorded.text);
	}
}

/* --- all of them --- */

static bool
has_row(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].file, name) == 0)
			return true;
	for (size_t i = 0; i < ANSWERS; i++)
		if (strcmp(answers[i].file, name) == 0)
			return true;
	return str_starts(name, "watch-");
}

static void
test_every_file_has_its_row(void **state)
{
	DIR *all = opendir(FOLDER);
	struct dirent *entry;
	size_t count = 0;

	(void)state;
	assert_non_null(all);
	while ((entry = readdir(all)) != NULL) {
		if (!str_ends(entry->d_name, ".http"))
			continue;
		count++;
		if (!has_row(entry->d_name))
			fail_msg("%s is not tested", entry->d_name);
	}
	closedir(all);
	assert_int_equal(count, ROWS + ANSWERS + 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_answers_mean),
	    cmocka_unit_test(test_absence_is_of_its_own_name),
	    cmocka_unit_test(test_a_page_has_a_next_one),
	    cmocka_unit_test(test_a_deployment_with_its_sets),
	    cmocka_unit_test(test_watches),
	    cmocka_unit_test(test_prometheus),
	    cmocka_unit_test(test_every_file_has_its_row),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
