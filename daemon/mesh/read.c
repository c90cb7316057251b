/* What istiod's debug pages say. A page of another form says nothing, so nothing is confirmed by
 * it. */
#include "mesh/read.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/jsonx.h"

#define TYPE "type.googleapis.com/envoy.config."
#define UUID_LENGTH 36

const char *
read_version(const json_t *configz, const char *ns, const char *name)
{
	for (size_t i = 0; i < json_array_size(configz); i++) {
		const json_t *object = json_array_get(configz, i);
		if (str_equal(jsonx_text(object, "kind"), "VirtualService") &&
		    str_equal(jsonx_text(object, "metadata.namespace"), ns) &&
		    str_equal(jsonx_text(object, "metadata.name"), name))
			return jsonx_text(object, "metadata.resourceVersion");
	}
	return NULL;
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

int64_t
read_counter(const char *metrics, const char *name)
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
	return found ? (int64_t)sum : -1;
}

int64_t
read_push(const char *nonce)
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
read_time_ms(const char *text)
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
	return read_time_ms(
	    json_string_value(json_object_get(json_object_get(resources, type), "sentTime")));
}

static bool
acknowledged(const json_t *proxy, const char *sent, const char *acked)
{
	const char *nonce = json_string_value(json_object_get(proxy, sent));
	const char *answer = json_string_value(json_object_get(proxy, acked));
	return nonce != NULL && nonce[0] != '\0' && str_equal(nonce, answer);
}

static int64_t
push_of(const json_t *proxy, const char *key)
{
	return read_push(json_string_value(json_object_get(proxy, key)));
}

static void
later(int64_t *newest, int64_t at_ms)
{
	if (at_ms > *newest)
		*newest = at_ms;
}

static void
count(struct read_proxies *proxies, const json_t *proxy, bool good)
{
	later(&proxies->newest_sent_ms, sent_time(proxy, TYPE "cluster.v3.Cluster"));
	later(&proxies->newest_sent_ms, sent_time(proxy, TYPE "endpoint.v3.ClusterLoadAssignment"));
	later(&proxies->newest_sent_ms, sent_time(proxy, TYPE "route.v3.RouteConfiguration"));
	proxies->total++;
	if (good)
		return;
	proxies->waiting++;
	str_addf(&proxies->names, "%s%s", proxies->names.length > 0 ? ", " : "",
	    jsonx_text_or(proxy, "proxy", "?"));
}

static void
begin(struct read_proxies *proxies)
{
	*proxies = (struct read_proxies){0};
	str_init(&proxies->names, 160);
}

void
read_routes(const json_t *syncz, int64_t after, int64_t sent_ms, struct read_proxies *proxies)
{
	begin(proxies);
	for (size_t i = 0; i < json_array_size(syncz); i++) {
		const json_t *proxy = json_array_get(syncz, i);
		count(proxies, proxy,
		    acknowledged(proxy, "route_sent", "route_acked") &&
			push_of(proxy, "route_sent") > after &&
			sent_time(proxy, TYPE "route.v3.RouteConfiguration") > sent_ms);
	}
}

void
read_all(const json_t *syncz, bool pushed, int64_t after, struct read_proxies *proxies)
{
	begin(proxies);
	for (size_t i = 0; i < json_array_size(syncz); i++) {
		const json_t *proxy = json_array_get(syncz, i);
		bool acked = acknowledged(proxy, "cluster_sent", "cluster_acked") &&
			     acknowledged(proxy, "endpoint_sent", "endpoint_acked") &&
			     acknowledged(proxy, "route_sent", "route_acked");
		bool newer = push_of(proxy, "cluster_sent") > after &&
			     push_of(proxy, "endpoint_sent") > after;
		count(proxies, proxy, acked && (!pushed || newer));
	}
}

void
read_proxies_done(struct read_proxies *proxies)
{
	str_done(&proxies->names);
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
read_address(const json_t *shardz, const char *ns, const char *service, const char *address)
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
