/* The store behind a watch, the table of kinds, what is kept of an object. */
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "cluster/cache.h"
#include "base/str.h"

static int came, changed, went;

static void
on_changed(void *ctx, const char *name, json_t *old, json_t *new)
{
	(void)ctx;
	assert_non_null(name);
	came += !old;
	went += !new;
	changed += old && new;
}

static struct cache *
make(enum kube_kind kind)
{
	came = changed = went = 0;
	return cache_new(kind, on_changed, NULL);
}

static json_t *
pod(const char *name, const char *uid, int version, const char *owner)
{
	char number[16];

	str_print(number, sizeof number, "%d", version);
	return json_pack("{s:{s:s,s:s,s:s,s:{s:s},s:[{s:s,s:b}]}}", "metadata", "name", name, "uid",
	    uid, "resourceVersion", number, "labels", "app", owner, "ownerReferences", "uid", owner,
	    "controller", 1);
}

static size_t
owned(const struct cache *cache, const char *owner)
{
	size_t count;

	(void)cache_find(cache, owner, &count);
	return count;
}

static void
test_versions(void **state)
{
	(void)state;
	assert_true(kube_older("9", "10"));
	assert_false(kube_older("10", "9"));
	assert_false(kube_older("10", "10"));
	assert_true(kube_older("0009", "10"));
	assert_true(kube_older("99999999999999999999", "100000000000000000000"));
	assert_false(kube_older("", "10"));
	assert_false(kube_older("a", "b"));
	assert_false(kube_older(NULL, "1"));
}

static void
test_index_follows(void **state)
{
	struct cache *cache = make(KUBE_PODS);

	(void)state;
	for (int i = 0; i < 100; i++) {
		char name[16];

		str_print(name, sizeof name, "p%d", i);
		assert_true(cache_put(cache, pod(name, name, i + 1, i % 2 ? "odd" : "even")));
	}
	assert_int_equal(owned(cache, "odd"), 50);
	assert_true(cache_put(cache, pod("p1", "p1", 200, "even")));
	assert_int_equal(owned(cache, "odd"), 49);
	assert_int_equal(owned(cache, "even"), 51);
	assert_true(cache_remove(cache, "p1", "p1", NULL));
	assert_false(cache_remove(cache, "p1", "p1", NULL));
	assert_int_equal(owned(cache, "even"), 50);
	assert_int_equal(owned(cache, "nobody"), 0);
	assert_int_equal(cache_count(cache), 99);
	assert_int_equal(came, 100);
	assert_int_equal(changed, 1);
	assert_int_equal(went, 1);
	cache_free(cache);
}

static void
test_only_forward(void **state)
{
	struct cache *cache = make(KUBE_PODS);

	(void)state;
	assert_true(cache_put(cache, pod("a", "u", 10, "o")));
	assert_false(cache_put(cache, pod("a", "u", 9, "o")));
	assert_false(cache_put(cache, pod("a", "u", 10, "o")));
	assert_false(cache_put(cache, json_pack("{s:{s:s}}", "metadata", "name", "b")));
	assert_false(cache_put(cache, json_pack("[]")));
	assert_false(cache_remove(cache, "a", "u", "9"));
	assert_false(cache_remove(cache, "a", "other", "11"));
	assert_true(cache_remove(cache, "a", "u", "11"));
	cache_free(cache);
}

/* A list takes out what is gone, keeps what was written while it was read. */
static void
test_list(void **state)
{
	struct cache *cache = make(KUBE_PODS);

	(void)state;
	cache_put(cache, pod("gone", "g", 5, "o"));
	cache_put(cache, pod("stays", "s", 6, "o"));
	cache_put(cache, pod("written", "w", 50, "o"));
	cache_list_begin(cache, "20");
	cache_put(cache, pod("stays", "s", 6, "o"));
	cache_put(cache, pod("fresh", "f", 15, "o"));
	cache_list_end(cache);
	assert_null(cache_get(cache, "gone"));
	assert_non_null(cache_get(cache, "stays"));
	assert_non_null(cache_get(cache, "written"));
	assert_non_null(cache_get(cache, "fresh"));
	assert_int_equal(changed, 0);
	assert_string_equal(cache_version(cache), "20");
	cache_free(cache);
}

/* etcd was restored from a backup: the list is older than what we know, and right. */
static void
test_back_in_time(void **state)
{
	struct cache *cache = make(KUBE_PODS);

	(void)state;
	cache_list_begin(cache, "100");
	cache_put(cache, pod("a", "u", 90, "o"));
	cache_put(cache, pod("b", "v", 95, "o"));
	cache_list_end(cache);
	cache_list_begin(cache, "50");
	cache_put(cache, pod("a", "u", 40, "o"));
	cache_list_end(cache);
	assert_string_equal(jsonx_text(cache_get(cache, "a"), "metadata.resourceVersion"), "40");
	assert_null(cache_get(cache, "b"));
	assert_string_equal(cache_version(cache), "50");
	cache_free(cache);
}

static void
test_sweep(void **state)
{
	struct cache *cache = make(KUBE_PODS);
	json_t *items = json_array();

	(void)state;
	cache_put(cache, pod("a", "a", 1, "x"));
	cache_put(cache, pod("b", "b", 2, "x"));
	cache_put(cache, pod("c", "c", 3, "y"));
	cache_put(cache, pod("d", "d", 30, "x"));
	json_array_append_new(items, pod("a", "a", 1, "x"));
	cache_sweep(cache, "app=x", items, "20");
	assert_non_null(cache_get(cache, "a"));
	assert_null(cache_get(cache, "b"));
	assert_non_null(cache_get(cache, "c"));
	assert_non_null(cache_get(cache, "d")); /* newer than the list */
	cache_sweep(cache, "app=x,other=1", json_array_size(items) ? items : NULL, "99");
	assert_non_null(cache_get(cache, "d"));
	json_decref(items);
	cache_free(cache);
}

static void
test_keys(void **state)
{
	char key[64];
	json_t *slice =
	    json_pack("{s:{s:{s:s}}}", "metadata", "labels", "kubernetes.io/service-name", "web");
	json_t *hpa = json_pack(
	    "{s:{s:{s:s,s:s}}}", "spec", "scaleTargetRef", "kind", "Deployment", "name", "web");

	(void)state;
	assert_true(kube_kind_info(KUBE_ENDPOINTSLICES)->index(slice, key, sizeof key));
	assert_string_equal(key, "web");
	assert_true(kube_kind_info(KUBE_HPAS)->index(hpa, key, sizeof key));
	assert_string_equal(key, "Deployment/web");
	assert_false(kube_kind_info(KUBE_PODS)->index(hpa, key, sizeof key));
	json_decref(slice);
	json_decref(hpa);
}

/* managedFields: who edits the spec stays, who reports the status goes. */
static void
test_slim(void **state)
{
	static const char text[] =
	    "{\"kind\":\"Deployment\",\"metadata\":{\"managedFields\":["
	    "{\"manager\":\"kubectl\",\"operation\":\"Update\",\"apiVersion\":\"apps/v1\","
	    "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:spec\":{\"f:paused\":{},\"f:replicas\":{"
	    "},"
	    "\"f:template\":{\"f:metadata\":{},\"f:spec\":{\"f:containers\":{\"k:c\":"
	    "{\"f:image\":{},\"f:name\":{}}}}}}}},"
	    "{\"manager\":\"kube-controller-manager\",\"subresource\":\"status\"}]}}";
	json_t *object = json_loads(text, 0, NULL), *entries;

	(void)state;
	kube_slim(KUBE_DEPLOYMENTS, object);
	assert_null(jsonx_at(object, "kind"));
	entries = jsonx_at(object, "metadata.managedFields");
	assert_int_equal(json_array_size(entries), 1);
	assert_string_equal(jsonx_text(entries, "0.manager"), "kubectl");
	assert_non_null(jsonx_at(entries, "0.fieldsV1.f:spec.f:replicas"));
	assert_null(jsonx_at(entries, "0.fieldsV1.f:spec.f:paused"));
	entries = jsonx_at(entries, "0.fieldsV1.f:spec.f:template");
	assert_null(jsonx_at(entries, "f:metadata"));
	assert_non_null(jsonx_at(entries, "f:spec.f:containers.k:c.f:image"));
	assert_null(jsonx_at(entries, "f:spec.f:containers.k:c.f:name"));
	entries = jsonx_at(object, "metadata.managedFields");
	assert_null(jsonx_at(entries, "0.fieldsType"));
	kube_slim(KUBE_HPAS, object);
	assert_null(jsonx_at(object, "metadata.managedFields"));
	json_decref(object);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_index_follows),
	    cmocka_unit_test(test_only_forward),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_back_in_time),
	    cmocka_unit_test(test_sweep),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_slim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
