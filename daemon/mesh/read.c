/* What istiod's debug pages say. A page of another form says nothing, so nothing is confirmed by
 * it. */
#include "mesh/read.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/jsonx.h"

#define TYPE "type.googleapis.com/envoy.config."
#define UUID_LENGTH 36

/* Resource versions are decimal numbers, so a longer one is newer. */
static bool
reached(const char *version, const char *wanted)
{
	size_t length = strlen(version), least = strlen(wanted);
	return length != least ? length > least : strcmp(version, wanted) >= 0;
}

bool
mesh_read_knows(
    const json_t *configz, const char *kind, const char *ns, const char *name, const char *version)
{
	for (size_t i = 0; i < json_array_size(configz); i++) {
		const json_t *object = json_array_get(configz, i);
		if (str_equal(jsonx_text(object, "kind"), kind) &&
		    str_equal(jsonx_text(object, "metadata.namespace"), ns) &&
		    str_equal(jsonx_text(object, "metadata.name"), name))
			return reached(
			    jsonx_text_or(object, "metadata.resourceVersion", ""), version);
	}
	return false;
}

static bool
counter_line(const char *line, const char *name, size_t length, double *value)
{
	if (strncmp(line, name, length) != 0 || (line[length] != ' ' && line[length] != '{'))
		return false;
	const char *end = strchr(line, '\n');
	const char *space = line;
	for (const char *c = line; *c != '\0' && c != end; c++)
		if (*c == ' ')
			space = c;
	char *rest;
	*value = strtod(space, &rest);
	return rest != space;
}

double
mesh_read_metric(const char *metrics, const char *name)
{
	size_t length = strlen(name);
	double sum = 0, value;
	bool found = false;
	for (const char *line = metrics; line != NULL && *line != '\0';) {
		if (counter_line(line, name, length, &value)) {
			sum += value;
			found = true;
		}
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	return found ? sum : -1;
}

int64_t
mesh_read_push(const char *nonce)
{
	size_t length = nonce == NULL ? 0 : strlen(nonce);
	char number[24];
	int64_t push;
	if (length <= UUID_LENGTH)
		return 0;
	const char *slash = memrchr(nonce, '/', length - UUID_LENGTH);
	if (slash == NULL)
		return 0;
	size_t digits = length - UUID_LENGTH - (size_t)(slash + 1 - nonce);
	if (digits == 0 || digits >= sizeof(number))
		return 0;
	memcpy(number, slash + 1, digits);
	number[digits] = '\0';
	return str_number(number, 0, INT64_MAX, &push) == 0 ? push : 0;
}

int64_t
mesh_read_time_ms(const char *text)
{
	struct tm tm = {0};
	const char *rest = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL)
		return 0;
	double fraction = *rest == '.' ? strtod(rest, NULL) : 0;
	return (int64_t)timegm(&tm) * 1000 + (int64_t)(fraction * 1000);
}

static int64_t
sent_time(const json_t *proxy, const char *type)
{
	const json_t *resources = json_object_get(proxy, "resources");
	return mesh_read_time_ms(
	    json_string_value(json_object_get(json_object_get(resources, type), "sentTime")));
}

/* What a proxy was never sent it does not ask for: a gateway without routes, say. */
static bool
asks(const json_t *proxy, const char *sent)
{
	const char *nonce = json_string_value(json_object_get(proxy, sent));
	return nonce != NULL && nonce[0] != '\0';
}

static bool
acknowledged(const json_t *proxy, const char *sent, const char *acked)
{
	return str_equal(json_string_value(json_object_get(proxy, sent)),
	    json_string_value(json_object_get(proxy, acked)));
}

static int64_t
push_of(const json_t *proxy, const char *key)
{
	return mesh_read_push(json_string_value(json_object_get(proxy, key)));
}

static void
later(int64_t *newest, int64_t at_ms)
{
	if (at_ms > *newest)
		*newest = at_ms;
}

static void
count(struct mesh_proxies *proxies, const json_t *proxy, bool good)
{
	later(&proxies->newest_sent_ms, sent_time(proxy, TYPE "cluster.v3.Cluster"));
	later(&proxies->newest_sent_ms, sent_time(proxy, TYPE "endpoint.v3.ClusterLoadAssignment"));
	later(&proxies->newest_sent_ms, sent_time(proxy, TYPE "route.v3.RouteConfiguration"));
	proxies->total++;
	if (good)
		return;
	proxies->waiting++;
	if (proxies->waits == NULL)
		proxies->waits = map_new();
	map_set(proxies->waits, jsonx_text_or(proxy, "proxy", "?"), proxies->waits);
	str_addf(&proxies->names, "%s%s", proxies->names.length > 0 ? ", " : "",
	    jsonx_text_or(proxy, "proxy", "?"));
}

static void
begin(struct mesh_proxies *proxies)
{
	*proxies = (struct mesh_proxies){0};
	str_init(&proxies->names, 160);
}

void
mesh_read_routes(const json_t *syncz, int64_t after, int64_t sent_ms, struct mesh_proxies *proxies)
{
	begin(proxies);
	for (size_t i = 0; i < json_array_size(syncz); i++) {
		const json_t *proxy = json_array_get(syncz, i);
		int64_t push = push_of(proxy, "route_sent");
		later(&proxies->newest_push, push);
		count(proxies, proxy,
		    !asks(proxy, "route_sent") ||
			(acknowledged(proxy, "route_sent", "route_acked") && push > after &&
			    sent_time(proxy, TYPE "route.v3.RouteConfiguration") > sent_ms));
	}
}

static bool
all_acked(const json_t *proxy)
{
	return (!asks(proxy, "cluster_sent") ||
		   acknowledged(proxy, "cluster_sent", "cluster_acked")) &&
	       (!asks(proxy, "endpoint_sent") ||
		   acknowledged(proxy, "endpoint_sent", "endpoint_acked")) &&
	       (!asks(proxy, "route_sent") || acknowledged(proxy, "route_sent", "route_acked"));
}

static bool
is_newer(const json_t *proxy, const char *sent, int64_t after)
{
	return !asks(proxy, sent) || push_of(proxy, sent) > after;
}

void
mesh_read_acked(const json_t *syncz, struct mesh_proxies *proxies)
{
	begin(proxies);
	for (size_t i = 0; i < json_array_size(syncz); i++)
		count(proxies, json_array_get(syncz, i), all_acked(json_array_get(syncz, i)));
}

void
mesh_read_pushed(const json_t *syncz, int64_t after, bool endpoints, struct mesh_proxies *proxies)
{
	begin(proxies);
	for (size_t i = 0; i < json_array_size(syncz); i++) {
		const json_t *proxy = json_array_get(syncz, i);
		count(proxies, proxy,
		    all_acked(proxy) && is_newer(proxy, "cluster_sent", after) &&
			is_newer(proxy, "endpoint_sent", after) &&
			(endpoints || is_newer(proxy, "route_sent", after)));
	}
}

void
mesh_read_done(struct mesh_proxies *proxies)
{
	str_done(&proxies->names);
	map_free(proxies->waits, NULL);
	proxies->waits = NULL;
}

const char *
mesh_read_proxy(const json_t *syncz, size_t i)
{
	return jsonx_text(json_array_get(syncz, i), "proxy");
}

static bool
shard_has(const json_t *shard, const char *address)
{
	for (size_t i = 0; i < json_array_size(shard); i++) {
		const json_t *endpoint = json_array_get(shard, i);
		const json_t *addresses = json_object_get(endpoint, "Addresses");
		if (jsonx_int(endpoint, "HealthStatus", 1) != 1)
			continue;
		for (size_t j = 0; j < json_array_size(addresses); j++)
			if (str_equal(json_string_value(json_array_get(addresses, j)), address))
				return true;
	}
	return false;
}

bool
mesh_read_address(const json_t *shardz, const char *ns, const char *service, const char *address)
{
	const char *host, *key;
	json_t *places, *shard, *walk = (json_t *)shardz;
	char wanted[512];
	str_print(wanted, sizeof(wanted), "%s.%s.svc.", service, ns);
	json_object_foreach(walk, host, places)
	{
		if (!str_starts(host, wanted))
			continue;
		json_t *shards = json_object_get(json_object_get(places, ns), "Shards");
		json_object_foreach(shards, key, shard)
		{
			if (shard_has(shard, address))
				return true;
		}
	}
	return false;
}
