/* istiod's pages, as they were recorded from a real one (tests/wire) and made up. */
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "mesh/read.h"

#define UUID "10cbbb73-9380-4dc5-a38b-6d6e5b0de6fa"
#define RECORDED_MS 1795408138278 /* 2026-11-23T04:28:58.278Z */

static json_t *
recorded(const char *name)
{
	char *path = str_format("tests/wire/%s", name);
	json_error_t e;
	json_t *page = json_load_file(path, 0, &e);

	if (page == NULL)
		fail_msg("%s: %s", path, e.text);
	free(path);
	return page;
}

static void
test_nonces(void **state)
{
	(void)state;
	assert_int_equal(mesh_read_push("2026-11-23T04:28:58Z/8" UUID), 8);
	assert_int_equal(
	    mesh_read_push("2026-11-23T04:28:58Z/86622506c8-2455-48f5-b3c3-74bc3bfbffb3"), 86);
	assert_int_equal(mesh_read_push("2026-11-23T04:28:58Z/123456" UUID), 123456);
	assert_int_equal(mesh_read_push(NULL), 0);
	assert_int_equal(mesh_read_push(""), 0);
	assert_int_equal(mesh_read_push(UUID), 0);
	assert_int_equal(mesh_read_push("2026-11-23T04:28:58Z/" UUID), 0);
	assert_int_equal(mesh_read_push("2026-11-23T04:28:58Z/x" UUID), 0);
	assert_int_equal(mesh_read_push("12" UUID), 0);
	assert_int_equal(mesh_read_push("Z/99999999999999999999999999" UUID), 0);
}

static void
test_times(void **state)
{
	(void)state;
	assert_int_equal(mesh_read_time_ms("2026-11-23T04:28:58.278915404Z"), RECORDED_MS);
	assert_int_equal(mesh_read_time_ms("2026-11-23T04:28:58Z"), RECORDED_MS - 278);
	assert_int_equal(mesh_read_time_ms("2026-11-23T04:28:58.2Z"), RECORDED_MS - 78);
	/* Digits and nothing else: no exponent moves it out of time. */
	assert_int_equal(mesh_read_time_ms("2026-11-23T04:28:58.5e300Z"), 0);
	assert_int_equal(mesh_read_time_ms("2026-11-23T04:28:58.5"), 0);
	assert_int_equal(mesh_read_time_ms("yesterday"), 0);
	assert_int_equal(mesh_read_time_ms(NULL), 0);
}

static void
test_metrics(void **state)
{
	static const char page[] = "# HELP pilot_inbound_updates x\n"
				   "pilot_inbound_updates{type=\"config\"} 8\n"
				   "pilot_inbound_updates{type=\"svc\"} 1.5\n"
				   "pilot_inbound_updates_more 100\n"
				   "process_start_time_seconds 1.79542719822e+09\n"
				   "broken\nbroken{} x\nlast 7";
	(void)state;
	assert_true(mesh_read_metric(page, "pilot_inbound_updates") == 9.5);
	assert_true(mesh_read_metric(page, "process_start_time_seconds") == 1795427198.22);
	assert_true(mesh_read_metric(page, "last") == 7);
	assert_true(mesh_read_metric(page, "pilot_inbound") == -1);
	assert_true(mesh_read_metric(page, "broken") == -1);
	assert_true(mesh_read_metric("", "last") == -1);
}

static void
test_versions(void **state)
{
	json_t *page = recorded("istiod-configz.json"), *other = json_pack("{}");
	const char *kind = "VirtualService", *ns = "airis-mon", *name = "analytics-engine";
	(void)state;
	assert_true(mesh_read_knows(page, kind, ns, name, "340"));
	assert_true(mesh_read_knows(page, kind, ns, name, "99")); /* numbers, not texts */
	assert_true(mesh_read_knows(page, kind, ns, name, ""));
	assert_false(mesh_read_knows(page, kind, ns, name, "341"));
	assert_false(mesh_read_knows(page, kind, ns, name, "1000"));
	assert_false(mesh_read_knows(page, "DestinationRule", ns, name, ""));
	assert_false(mesh_read_knows(page, kind, "other", name, ""));
	assert_false(mesh_read_knows(page, kind, ns, "other", ""));
	assert_false(mesh_read_knows(other, kind, ns, name, ""));
	json_decref(page);
	json_decref(other);
}

static void
test_addresses(void **state)
{
	json_t *page = recorded("istiod-endpointshardz.json");
	(void)state;
	assert_true(mesh_read_address(page, "airis-mon", "analytics-engine", "10.244.113.140"));
	assert_true(
	    mesh_read_address(page, "airis-mon", "analytics-engine-canary", "10.244.113.143"));
	assert_false(mesh_read_address(page, "airis-mon", "analytics-engine", "10.244.113.143"));
	assert_false(mesh_read_address(page, "airis-mon", "analytics", "10.244.113.140"));
	assert_false(mesh_read_address(page, "other", "analytics-engine", "10.244.113.140"));
	json_t *endpoint = json_array_get(
	    jsonx_at(page, "analytics-engine-canary\\.airis-mon\\.svc\\.cluster\\.local.airis-mon."
			   "Shards.Kubernetes/Kubernetes"),
	    0);
	assert_non_null(endpoint);
	json_object_set_new(endpoint, "HealthStatus", json_integer(2));
	assert_false(
	    mesh_read_address(page, "airis-mon", "analytics-engine-canary", "10.244.113.143"));
	json_decref(page);
}

/* How many proxies have not got routes of a push after that, sent after that. */
static int
waiting(const json_t *page, int64_t after, int64_t sent_ms)
{
	struct mesh_proxies proxies;
	mesh_read_routes(page, after, sent_ms, &proxies);
	int count = proxies.waiting;
	mesh_read_done(&proxies);
	return count;
}

static void
test_routes(void **state)
{
	json_t *page = recorded("istiod-syncz.json");
	struct mesh_proxies proxies;
	(void)state;
	assert_int_equal(waiting(page, 2, 0), 0);
	assert_int_equal(waiting(page, 3, 0), 2);
	assert_int_equal(waiting(page, 0, RECORDED_MS), 0);
	assert_int_equal(waiting(page, 0, RECORDED_MS + 100000), 2);
	json_t *second = json_array_get(page, 1);
	json_object_set_new(second, "route_acked", json_string("2026-11-23T04:28:58Z/2" UUID));
	mesh_read_routes(page, 0, 0, &proxies);
	assert_int_equal(proxies.total, 2);
	assert_int_equal(proxies.waiting, 1);
	assert_int_equal(proxies.newest_push, 3);
	assert_string_equal(str_text(&proxies.names), "client-2.lab");
	mesh_read_done(&proxies);
	/* A gateway without routes asks for none; one with a nack or none yet waits. */
	json_object_set_new(second, "route_acked", json_string(""));
	assert_int_equal(waiting(page, 0, 0), 1);
	json_object_set_new(second, "route_sent", json_string(""));
	assert_int_equal(waiting(page, 0, 0), 0);
	json_decref(page);
}

static int
not_pushed(const json_t *page, int64_t after, bool endpoints)
{
	struct mesh_proxies proxies;
	mesh_read_pushed(page, after, endpoints, &proxies);
	int count = proxies.waiting;
	mesh_read_done(&proxies);
	return count;
}

static void
test_all(void **state)
{
	json_t *page = recorded("istiod-syncz.json"), *first = json_array_get(page, 0);
	struct mesh_proxies proxies;
	(void)state;
	mesh_read_acked(page, &proxies);
	assert_int_equal(proxies.waiting, 0);
	assert_true(proxies.newest_sent_ms > RECORDED_MS);
	mesh_read_done(&proxies);
	assert_int_equal(not_pushed(page, 2, false), 0);
	assert_int_equal(
	    not_pushed(page, 3, false), 2); /* endpoints are of push 4, clusters of 3 */
	/* One push brings clusters, endpoints and routes, in that order. */
	json_object_set_new(first, "cluster_sent", json_string("Z/9" UUID));
	json_object_set_new(first, "cluster_acked", json_string("Z/9" UUID));
	json_object_set_new(first, "endpoint_sent", json_string("Z/9" UUID));
	json_object_set_new(first, "endpoint_acked", json_string("Z/9" UUID));
	json_array_remove(page, 1);
	assert_int_equal(not_pushed(page, 8, false), 1);
	assert_int_equal(not_pushed(page, 8, true), 0);
	json_object_set_new(first, "endpoint_acked", json_string("Z/8" UUID));
	assert_int_equal(not_pushed(page, 8, true), 1);
	assert_string_equal(mesh_read_proxy(page, 0), "client-1.lab");
	assert_null(mesh_read_proxy(page, 1));
	json_decref(page);
}

/* Pages of another form, and thousands of names. */
static void
test_strange(void **state)
{
	json_t *page = json_loads("[{}, null, 7, {\"proxy\": 7}]", 0, NULL);
	struct mesh_proxies proxies;
	(void)state;
	mesh_read_acked(page, &proxies);
	assert_int_equal(proxies.total, 4);
	mesh_read_done(&proxies);
	json_decref(page);
	page = json_array();
	for (int i = 0; i < 5000; i++)
		json_array_append_new(
		    page, json_pack("{s:s, s:s}", "proxy", "web-7f6c.shop", "route_sent", "x"));
	mesh_read_routes(page, 0, 0, &proxies);
	assert_int_equal(proxies.waiting, 5000);
	assert_true(proxies.names.length <= 160);
	mesh_read_done(&proxies);
	json_decref(page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_nonces),
	    cmocka_unit_test(test_times), cmocka_unit_test(test_metrics),
	    cmocka_unit_test(test_versions), cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_routes), cmocka_unit_test(test_all),
	    cmocka_unit_test(test_strange)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
