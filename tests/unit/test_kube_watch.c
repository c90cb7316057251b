/* List and watch: against a server that does what real ones do at their worst. */
#include "unit.h"
#include "cluster/kube_caches.h"
#include "kube_watch_lab.h"

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
	assert_string_equal(jsonx_text(pod, "spec.containers.0.image"), "i");
	assert_null(jsonx_at(pod, "spec.containers.0.env"));
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

/* JSON, but no event: why is said, and nothing but that. */
static void
test_line_without_type(void **state)
{
	struct kube local = {.name = "lab"};
	struct kube_cache cache = {.kube = &local, .kind = KUBE_PODS, .ns = "x"};
	static const char line[] = "{\"object\":{\"metadata\":{\"resourceVersion\":\"5\"}}}\n";

	(void)state;
	cache.store = cache_new(cache.kind, NULL, NULL);
	str_init(&cache.line, KUBE_LINE_MAX);
	assert_false(kube_lines_feed(&cache, line, strlen(line)));
	assert_true(cache.relist);
	assert_string_equal(
	    cache.why, "the stream sent a line that is no watch event: it has no type");
	str_done(&cache.line);
	cache_free(cache.store);
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

/* A delete in the foreground answers with an object whose end the watch may have told before. */
static void
test_gone_before_the_answer(void **state)
{
	json_t *answer = json_loads("{\"metadata\":{\"name\":\"a\",\"namespace\":\"x\",\"uid\":"
				    "\"u-a\",\"resourceVersion\":\"60\",\"deletionTimestamp\":"
				    "\"2026-11-23T10:21:08Z\"}}",
	    0, NULL);

	(void)state;
	assert_non_null(answer);
	begin(default_handler);
	start_watch();
	kube_put(kube, KUBE_PODS, answer); /* it is there: then its end is still to come */
	assert_non_null(
	    jsonx_text(kube_get(kube, KUBE_PODS, "x", "a"), "metadata.deletionTimestamp"));
	fake_chunk(stream, EVENT("DELETED", POD("a", "61")) EVENT("ADDED", POD("marker", "62")));
	assert_true(run_until(loop, has_marker, 3000));
	assert_null(kube_get(kube, KUBE_PODS, "x", "a"));
	kube_put(kube, KUBE_PODS, answer);
	assert_null(kube_get(kube, KUBE_PODS, "x", "a"));
	json_decref(answer);
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
	    cmocka_unit_test(test_line_without_type),
	    cmocka_unit_test(test_410_in_band),
	    cmocka_unit_test(test_410_as_status),
	    cmocka_unit_test(test_resumes_from_bookmark),
	    cmocka_unit_test(test_ends_at_once),
	    cmocka_unit_test(test_put_wins_over_older),
	    cmocka_unit_test(test_gone_before_the_answer),
	    cmocka_unit_test(test_recreated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
