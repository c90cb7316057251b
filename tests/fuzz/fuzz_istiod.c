/* Pages of istiod: {"syncz": …, "configz": …, "shardz": …, "metrics": "…", "nonce": "…",
 * "time": "…"}. Whatever they say, nothing is confirmed that was not there: later marks confirm
 * less. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/jsonx.h"
#include "mesh/read.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

MUTATE_JSON(1)

static void
check(const struct mesh_proxies *proxies, const json_t *syncz)
{
	assert(proxies->total == (int)json_array_size(syncz));
	assert(proxies->waiting >= 0 && proxies->waiting <= proxies->total);
	assert(str_utf8_ok(str_text(&proxies->names), proxies->names.length));
	assert(proxies->names.length <= 160);
}

static int
routes_waiting(const json_t *syncz, int64_t after, int64_t sent_ms)
{
	struct mesh_proxies proxies;
	int waiting;

	mesh_read_routes(syncz, after, sent_ms, &proxies);
	check(&proxies, syncz);
	waiting = proxies.waiting;
	mesh_read_done(&proxies);
	return waiting;
}

static int
pushed_waiting(const json_t *syncz, int64_t after, bool endpoints)
{
	struct mesh_proxies proxies;
	int waiting;

	mesh_read_pushed(syncz, after, endpoints, &proxies);
	check(&proxies, syncz);
	waiting = proxies.waiting;
	mesh_read_done(&proxies);
	return waiting;
}

static void
check_syncz(const json_t *syncz, int64_t after)
{
	struct mesh_proxies proxies;

	assert(routes_waiting(syncz, after, 0) <= routes_waiting(syncz, after + 1, 0));
	assert(routes_waiting(syncz, after, 0) <= routes_waiting(syncz, after, after * 100000000));
	assert(pushed_waiting(syncz, after, true) <= pushed_waiting(syncz, after, false));
	assert(pushed_waiting(syncz, after, false) <= pushed_waiting(syncz, after + 1, false));
	mesh_read_acked(syncz, &proxies);
	check(&proxies, syncz);
	assert(proxies.waiting <= pushed_waiting(syncz, after, true));
	mesh_read_done(&proxies);
	for (size_t i = 0; i < 3; i++)
		(void)mesh_read_proxy(syncz, i);
}

static void
check_configz(const json_t *configz)
{
	static const char kind[] = "VirtualService";

	if (mesh_read_knows(configz, kind, "prod", "web", "10"))
		assert(mesh_read_knows(configz, kind, "prod", "web", "9") &&
		       mesh_read_knows(configz, kind, "prod", "web", ""));
	assert(!mesh_read_knows(configz, kind, "prod", "another", ""));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *root;

	if (size < 2)
		return 0;
	root = jsonx_parse((const char *)data + 1, size - 1, size, NULL);
	check_syncz(json_object_get(root, "syncz"), data[0]);
	check_configz(json_object_get(root, "configz"));
	assert(!mesh_read_address(json_object_get(root, "shardz"), "prod", "another", "10.0.0.1"));
	(void)mesh_read_address(json_object_get(root, "shardz"), "prod", "web", "10.0.0.1");
	(void)mesh_read_metric(jsonx_text_or(root, "metrics", ""), "pilot_xds_pushes");
	assert(mesh_read_push(jsonx_text(root, "nonce")) >= 0);
	(void)mesh_read_time_ms(jsonx_text(root, "time"));
	json_decref(root);
	return 0;
}
