/* List, watch, freshness: against a server that does what real ones do at their worst. */
#include "unit.h"
#include <jansson.h>
#include "base/jsonx.h"
#include "cluster/kube.h"
#include "cluster/kube_stats.h"
#include "kube_fake.h"

static struct loop *loop;
static struct kube *kube;
static char *folder, *file;
static struct fake_conn *stream; /* the open watch of pods */
static int lists, watches, came, changed, went, flips;
static char last_watch[2048];
static const char *list_body;
static int list_status;
static bool hold_streams;
static const char *user = "{token: secret}";

static void
on_changed(
    void *ctx, enum kube_kind kind, const char *ns, const char *name, json_t *old, json_t *new)
{
	(void)ctx;
	(void)kind;
	(void)ns;
	(void)name;
	came += !old;
	went += !new;
	changed += old && new;
}

static void
on_freshness(void *ctx, enum kube_kind kind, const char *ns)
{
	(void)ctx;
	(void)kind;
	(void)ns;
	flips++;
}

static void
default_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "/livez")) {
		fake_answer(conn, 200, "{}");
	} else if (strstr(conn->path, "watch=1")) {
		watches++;
		str_copy(last_watch, sizeof last_watch, conn->path);
		stream = conn;
		if (!hold_streams)
			fake_stream(conn);
	} else {
		lists++;
		fake_answer(conn, list_status, list_body);
	}
}

#define POD(name, version)                                                                         \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"x\",\"uid\":\"u-" name               \
	"\",\"resourceVersion\":\"" version "\",\"managedFields\":[{\"manager\":\"m\"}],"          \
	"\"ownerReferences\":[{\"uid\":\"rs-1\",\"controller\":true}]},\"spec\":{\"volumes\":[1]," \
	"\"nodeName\":\"n\"}}"
#define LIST(version, items)                                                                       \
	"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version                       \
	"\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"

static char *
kubeconfig_text_for(int port)
{
	return str_format("apiVersion: v1\nkind: Config\ncurrent-context: c\n"
			  "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
			  "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
			  "users: [{name: u, user: %s}]\n",
	    port, user);
}

static void
begin(fake_handler *handler)
{
	struct kube_settings settings = {.name = "test",
	    .backoff_ms = 20,
	    .idle_ms = 60 * 1000,
	    .probe_ms = 200,
	    .grace_ms = 100,
	    .request_timeout_ms = 1000,
	    .deadline_ms = 3000};
	struct kube_events events = {.changed = on_changed, .freshness = on_freshness};
	struct err e;
	char *text;

	loop = loop_new();
	fake_start(loop, handler);
	folder = make_folder();
	text = kubeconfig_text_for(fake.port);
	file = write_file(folder, "config", text);
	free(text);
	settings.kubeconfig = file;
	kube = kube_new(loop, &settings, &events, &e);
	if (!kube)
		fail_msg("%s", e.text);
	stream = NULL;
	lists = watches = came = changed = went = flips = 0;
	list_body = LIST("10", POD("a", "5"));
	list_status = 200;
}

static void
end(void)
{
	kube_free(kube);
	fake_stop();
	loop_free(loop);
	unlink(file);
	rmdir(folder);
	free(file);
	free(folder);
}

static bool
is_fresh(void)
{
	return kube_fresh(kube, KUBE_PODS, "x", NULL, 0, NULL);
}

static bool
is_stale(void)
{
	return !is_fresh();
}

static bool
has_b(void)
{
	return kube_get(kube, KUBE_PODS, "x", "b") != NULL;
}

static bool
is_open(void)
{
	return is_fresh() && kube_stats(kube)->watches == 1;
}

static void
start_watch(void)
{
	kube_watch(kube, KUBE_PODS, "x");
	assert_true(run_until(loop, is_open, 3000));
}

static void
test_list_then_watch(void **state)
{
	json_t *pod;

	(void)state;
	begin(default_handler);
	start_watch();
	assert_int_equal(lists, 1);
	assert_int_equal(came, 1);
	assert_int_equal(flips, 1);
	assert_non_null(strstr(last_watch, "resourceVersion=10&"));
	assert_non_null(strstr(last_watch, "allowWatchBookmarks=true"));
	pod = kube_get(kube, KUBE_PODS, "x", "a");
	assert_non_null(pod);
	assert_null(jsonx_at(pod, "metadata.managedFields"));
	assert_null(jsonx_at(pod, "spec.volumes"));
	assert_string_equal(jsonx_text(pod, "spec.nodeName"), "n");
	assert_int_equal(kube_find(kube, KUBE_PODS, "x", "rs-1").count, 1);
	fake_chunk(stream, EVENT("ADDED", POD("b", "11")));
	assert_true(run_until(loop, has_b, 3000));
	assert_int_equal(kube_find(kube, KUBE_PODS, "x", "rs-1").count, 2);
	kube_watch(kube, KUBE_PODS, "x"); /* shared: nothing more is asked */
	kube_unwatch(kube, KUBE_PODS, "x");
	assert_int_equal(watches, 1);
	end();
}

/* --- pages --- */

static int pages_410;

static void
paging_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "watch=1") || strstr(conn->path, "livez")) {
		default_handler(conn);
		return;
	}
	lists++;
	if (strstr(conn->path, "continue=t%2B1") && pages_410-- > 0)
		fake_answer(conn, 410,
		    "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"metadata\":"
		    "{\"continue\":\"inconsistent\"}}");
	else if (strstr(conn->path, "continue=t%2B1"))
		fake_answer(conn, 200, LIST("10", POD("b", "6")));
	else if (strstr(conn->path, "continue="))
		fake_answer(conn, 500, "{}");
	else
		fake_answer(conn, 200,
		    "{\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"t+1\"},\"items\":"
		    "[" POD("a", "5") "]}");
}

static void
test_pages(void **state)
{
	(void)state;
	begin(paging_handler);
	pages_410 = 0;
	start_watch();
	assert_int_equal(lists, 2);
	assert_true(has_b());
	end();
}

/* F61: 410 as a status on the second page. */
static void
test_410_on_continue(void **state)
{
	(void)state;
	begin(paging_handler);
	pages_410 = 1;
	start_watch();
	assert_int_equal(lists, 4);
	assert_true(has_b());
	assert_int_equal(came, 2);
	end();
}

/* --- F68: lines split anywhere --- */

static size_t split_at;

static void
test_split_at_every_byte(void **state)
{
	static const char events[] = EVENT("ADDED", POD("b", "11")) EVENT("MODIFIED",
	    "{\"metadata\":{\"name\":\"a\",\"uid\":\"u-a\",\"resourceVersion\":\"12\","
	    "\"labels\":{\"k\":\"\xc3\xa9\xe2\x82\xac\"}}}");

	(void)state;
	for (split_at = 1; split_at < sizeof events - 1; split_at++) {
		begin(default_handler);
		start_watch();
		fake_chunk_bytes(stream, events, split_at);
		run_until(loop, never, 1);
		fake_chunk_bytes(stream, events + split_at, sizeof events - 1 - split_at);
		assert_true(run_until(loop, has_b, 3000));
		run_until(loop, never, 2);
		assert_int_equal(changed, 1);
		assert_string_equal(
		    jsonx_text(kube_get(kube, KUBE_PODS, "x", "a"), "metadata.labels.k"),
		    "\xc3\xa9\xe2\x82\xac");
		assert_int_equal(watches, 1);
		end();
	}
}

static bool
relisted(void)
{
	return lists == 2 && watches == 2 && is_open();
}

/* F68: memory stays bounded. */
static void
test_oversized_line(void **state)
{
	size_t size = 9 * 1024 * 1024;
	char *line = mem_alloc(size);

	(void)state;
	begin(default_handler);
	start_watch();
	memset(line, 'x', size);
	fake_chunk_bytes(stream, line, size);
	free(line);
	assert_true(run_until(loop, relisted, 5000));
	end();
}

static void
test_garbage_line(void **state)
{
	(void)state;
	begin(default_handler);
	start_watch();
	fake_chunk(stream, "{\"type\":\n");
	assert_true(run_until(loop, relisted, 3000));
	end();
}

/* --- F61: 410 in a 200 stream, and as a status --- */

static void
test_410_in_band(void **state)
{
	(void)state;
	begin(default_handler);
	start_watch();
	list_body = LIST("20", POD("b", "15"));
	fake_chunk(stream, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,"
			   "\"reason\":\"Expired\",\"message\":\"too old\"}}\n");
	assert_true(run_until(loop, relisted, 3000));
	assert_non_null(strstr(last_watch, "resourceVersion=20&"));
	assert_true(has_b());
	assert_null(kube_get(kube, KUBE_PODS, "x", "a"));
	assert_int_equal(went, 1);
	assert_int_equal(kube_stats(kube)->relists, 1);
	end();
}

static bool refuse_first;

static void
gone_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "watch=1") && refuse_first) {
		refuse_first = false;
		watches++;
		fake_answer(conn, 410, "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}");
		return;
	}
	default_handler(conn);
}

static void
test_410_as_status(void **state)
{
	(void)state;
	begin(gone_handler);
	refuse_first = true;
	kube_watch(kube, KUBE_PODS, "x");
	assert_true(run_until(loop, relisted, 3000));
	end();
}

/* --- the stream goes on where it was --- */

static bool
second_watch(void)
{
	return watches == 2 && is_open();
}

static void
test_resumes_from_bookmark(void **state)
{
	(void)state;
	begin(default_handler);
	start_watch();
	fake_chunk(stream,
	    EVENT("BOOKMARK", "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"77\"}}"));
	run_until(loop, never, 20);
	fake_stream_end(stream);
	assert_true(run_until(loop, second_watch, 3000));
	assert_non_null(strstr(last_watch, "resourceVersion=77&"));
	assert_int_equal(lists, 1);
	end();
}

/* F62: streams that end at once must not become a busy loop. */
static void
ending_handler(struct fake_conn *conn)
{
	default_handler(conn);
	if (strstr(conn->path, "watch=1"))
		fake_stream_end(conn);
}

static void
test_ends_at_once(void **state)
{
	(void)state;
	begin(ending_handler);
	kube_watch(kube, KUBE_PODS, "x");
	run_until(loop, never, 400);
	assert_in_range(watches, 2, 15);
	end();
}

/* F63: half-open. The server goes on with its other connections, but this stream is dead. */
static void
test_half_open(void **state)
{
	struct kube_settings settings = {.kubeconfig = NULL, .idle_ms = 150, .backoff_ms = 20};
	struct err e;

	(void)state;
	begin(default_handler);
	kube_free(kube);
	settings.kubeconfig = file;
	kube = kube_new(loop, &settings, NULL, &e);
	start_watch();
	fake_chunk(stream, EVENT("ADDED", POD("c", "30")));
	assert_true(run_until(loop, second_watch, 3000));
	assert_non_null(strstr(last_watch, "resourceVersion=30&"));
	assert_int_equal(lists, 1);
	assert_int_equal(kube_stats(kube)->watch_cuts, 1);
	end();
}

/* --- what a write answered is not undone by older events --- */

static bool
has_marker(void)
{
	return kube_get(kube, KUBE_PODS, "x", "marker") != NULL;
}

static void
test_put_wins_over_older(void **state)
{
	json_t *mine;

	(void)state;
	begin(default_handler);
	start_watch();
	mine = json_loads(POD("a", "100"), 0, NULL);
	kube_put(kube, KUBE_PODS, mine);
	json_decref(mine);
	assert_int_equal(changed, 1);
	fake_chunk(stream, EVENT("MODIFIED", POD("a", "90")) EVENT("DELETED", POD("a", "95"))
			       EVENT("ADDED", POD("marker", "101")));
	assert_true(run_until(loop, has_marker, 3000));
	assert_string_equal(
	    jsonx_text(kube_get(kube, KUBE_PODS, "x", "a"), "metadata.resourceVersion"), "100");
	kube_forget(kube, KUBE_PODS, "x", "a", "another");
	assert_non_null(kube_get(kube, KUBE_PODS, "x", "a"));
	kube_forget(kube, KUBE_PODS, "x", "a", "u-a");
	assert_null(kube_get(kube, KUBE_PODS, "x", "a"));
	end();
}

/* F67: an event about the one before does not touch the new one of the same name. */
static void
test_recreated(void **state)
{
	(void)state;
	begin(default_handler);
	start_watch();
	fake_chunk(stream, EVENT("ADDED", "{\"metadata\":{\"name\":\"a\",\"uid\":\"new\","
					  "\"resourceVersion\":\"50\"}}") EVENT("DELETED",
			       POD("a", "51")) EVENT("ADDED", POD("marker", "52")));
	assert_true(run_until(loop, has_marker, 3000));
	assert_string_equal(jsonx_text(kube_get(kube, KUBE_PODS, "x", "a"), "metadata.uid"), "new");
	end();
}

/* --- freshness --- */

static bool
told_thrice(void)
{
	return flips == 3;
}

static bool
asked_again(void)
{
	return watches == 2;
}

/* The server stops (SIGSTOP): connections stay open, nothing is answered. */
static void
test_silent_server(void **state)
{
	char text[512];
	int64_t since = 0;

	(void)state;
	begin(default_handler);
	start_watch();
	fake.deaf = true;
	assert_true(run_until(loop, is_stale, 3000));
	assert_false(kube_fresh(kube, KUBE_PODS, "x", text, sizeof text, &since));
	assert_non_null(strstr(text, "the API server of cluster test does not answer"));
	assert_true(since > 0);
	assert_non_null(kube_get(kube, KUBE_PODS, "x", "a"));
	fake.deaf = false;
	for (int i = 0; i < FAKE_CONNS; i++) /* what lay in its buffers */
		if (fake.conns[i].fd >= 0 && fake.conns[i].have)
			fake_close(&fake.conns[i]);
	hold_streams = true;
	assert_true(run_until(loop, asked_again, 5000));
	run_until(loop, never, 50);
	assert_false(is_fresh()); /* what was missed is not known before it is open again */
	hold_streams = false;
	fake_stream(stream);
	assert_true(run_until(loop, told_thrice, 5000));
	assert_true(is_open());
	end();
}

/* Killed and started again. */
static void
test_killed_server(void **state)
{
	char text[512];

	(void)state;
	begin(default_handler);
	start_watch();
	fake_stop();
	assert_true(run_until(loop, is_stale, 3000));
	assert_false(kube_fresh(kube, KUBE_PODS, "x", text, sizeof text, NULL));
	assert_non_null(strstr(text, "cluster test"));
	fake_listen();
	assert_true(run_until(loop, is_open, 5000));
	end();
}

/* F64: the token a watch began with is refused, the file has a new one. */
static void
picky_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "watch=1") && !fake_has_header(conn, "Bearer second")) {
		free(write_file(folder, "token", "second"));
		fake_answer(conn, 401, "{\"kind\":\"Status\",\"code\":401}");
		return;
	}
	default_handler(conn);
}

static void
test_watch_refused(void **state)
{
	char *token;

	(void)state;
	user = "{token: first, tokenFile: token}";
	begin(picky_handler);
	user = "{token: secret}";
	start_watch();
	assert_int_equal(watches, 1);
	assert_int_equal(kube_stats(kube)->refreshes, 1);
	token = str_format("%s/token", folder);
	unlink(token);
	free(token);
	end();
}

static void
test_forbidden(void **state)
{
	char text[512];

	(void)state;
	begin(default_handler);
	list_status = 403;
	list_body = "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":"
		    "\"pods is forbidden: User \\\"u\\\" cannot list\"}";
	kube_watch(kube, KUBE_PODS, "x");
	run_until(loop, never, 100);
	assert_false(kube_fresh(kube, KUBE_PODS, "x", text, sizeof text, NULL));
	assert_non_null(strstr(text, "cannot list; the role of airisd needs get, list and watch"));
	list_status = 200;
	list_body = LIST("10", POD("a", "5"));
	assert_true(run_until(loop, is_open, 5000));
	end();
}

/* --- Istio's kinds in the version that is there --- */

static void
istio_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "/networking.istio.io/v1/"))
		fake_answer(conn, 404, "{\"kind\":\"Status\",\"code\":404}");
	else
		default_handler(conn);
}

static bool
routes_fresh(void)
{
	return kube_fresh(kube, KUBE_VIRTUALSERVICES, "x", NULL, 0, NULL);
}

static void
test_older_istio(void **state)
{
	char *path;

	(void)state;
	begin(istio_handler);
	list_body = LIST("10", "");
	kube_watch(kube, KUBE_VIRTUALSERVICES, "x");
	assert_true(run_until(loop, routes_fresh, 3000));
	path = kube_path(kube, KUBE_VIRTUALSERVICES, "x", "web");
	assert_string_equal(
	    path, "/apis/networking.istio.io/v1beta1/namespaces/x/virtualservices/web");
	free(path);
	end();
}

static bool
nothing_cached(void)
{
	return kube_stats(kube)->caches == 0;
}

static void
test_linger(void **state)
{
	struct kube_settings settings = {.linger_ms = 50, .backoff_ms = 20};
	struct err e;

	(void)state;
	begin(default_handler);
	kube_free(kube);
	settings.kubeconfig = file;
	kube = kube_new(loop, &settings, NULL, &e);
	start_watch();
	kube_unwatch(kube, KUBE_PODS, "x");
	kube_unwatch(kube, KUBE_PODS, "x"); /* once too often: ignored */
	assert_non_null(kube_get(kube, KUBE_PODS, "x", "a"));
	assert_true(run_until(loop, nothing_cached, 3000));
	assert_int_equal(kube_stats(kube)->watches, 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_list_then_watch),
	    cmocka_unit_test(test_pages),
	    cmocka_unit_test(test_410_on_continue),
	    cmocka_unit_test(test_split_at_every_byte),
	    cmocka_unit_test(test_oversized_line),
	    cmocka_unit_test(test_garbage_line),
	    cmocka_unit_test(test_410_in_band),
	    cmocka_unit_test(test_410_as_status),
	    cmocka_unit_test(test_resumes_from_bookmark),
	    cmocka_unit_test(test_ends_at_once),
	    cmocka_unit_test(test_half_open),
	    cmocka_unit_test(test_put_wins_over_older),
	    cmocka_unit_test(test_recreated),
	    cmocka_unit_test(test_silent_server),
	    cmocka_unit_test(test_killed_server),
	    cmocka_unit_test(test_watch_refused),
	    cmocka_unit_test(test_forbidden),
	    cmocka_unit_test(test_older_istio),
	    cmocka_unit_test(test_linger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
