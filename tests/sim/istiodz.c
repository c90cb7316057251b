/* istiodz: the pages of istiod that a client may ask for, in the form of 1.31. They need the
 * token if there is one; /metrics never does. An istiod that is down closes the connection, one
 * that hangs leaves it open without a word. The dumps that make a real istiod send old routes
 * are not served, only counted. */
#include "http.h"
#include "istiod.h"
#include "jx.h"
#include "plan.h"
#include "proxies.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asked { /* a request on its way */
	struct MHD_Connection *connection;
	bool waits;
	struct asked *next;
};

static struct MHD_Daemon *pages;
static struct asked *waiting; /* suspended while istiod hangs */
static struct map counts;     /* path -> json integer */
static bool closing;

/* --- pages -------------------------------------------------------------------------------- */

static json_t *
config_of(const struct kind *k, const json_t *object)
{
	static const char *const kept[] = {"name", "namespace", "uid", "resourceVersion",
	    "creationTimestamp", "labels", "annotations"};
	const json_t *from = jx_at(object, "metadata");
	json_t *meta = json_object(), *config;
	char version[96];

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (json_object_get(from, kept[i]) != NULL)
			json_object_set(meta, kept[i], json_object_get(from, kept[i]));
	jx_set_int(meta, "generation", jx_int(object, "metadata.generation", 1));
	config = json_pack("{s:s, s:s, s:o, s:O}", "kind", k->name, "apiVersion",
	    kind_api_version(k, NULL, version), "metadata", meta, "spec",
	    json_object_get(object, "spec"));
	if (k->id == K_HTTPROUTE) {
		json_t *parents = jx_at(object, "status.parents");

		json_object_set_new(config, "status",
		    json_pack(
			"{s:o}", "parents", parents != NULL ? json_incref(parents) : json_array()));
	}
	return config;
}

static json_t *
configz(void)
{
	static const enum kind_id shown[] = {K_DR, K_HTTPROUTE, K_VS};
	json_t *list = json_array();
	const struct map_slot *slot;

	for (size_t k = 0; k < sizeof(shown) / sizeof(shown[0]); k++)
		for (size_t i = 0; (slot = map_next(istiod_known(shown[k]), &i)) != NULL;)
			json_array_append_new(list, config_of(&kinds[shown[k]], slot->value));
	return list;
}

static json_t *
shard_endpoint(const json_t *e, const char *ns)
{
	bool ready = jx_bool(e, "conditions.ready");

	return json_pack("{s:O, s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:i, s:b, s:s}", "Addresses",
	    json_object_get(e, "addresses"), "ServicePortName", "", "LegacyClusterPortKey", 0,
	    "Network", "", "EndpointPort", 8080, "TLSMode", "disabled", "Namespace", ns, "HostName",
	    "", "HealthStatus", ready ? 1 : 2, "SendUnhealthyEndpoints", 1, "NodeName",
	    jx_str(e, "nodeName"));
}

static void
add_shard(json_t *all, const json_t *slice)
{
	const char *ns = jx_str(slice, "metadata.namespace");
	const char *of = json_string_value(
	    json_object_get(jx_at(slice, "metadata.labels"), "kubernetes.io/service-name"));
	json_t *place, *list, *e;
	char host[400];
	size_t i;

	if (ns == NULL || of == NULL)
		return;
	snprintf(host, sizeof(host), "%s.%s.svc.cluster.local", of, ns);
	place = json_object_get(all, host);
	if (place == NULL) {
		place = json_pack("{s:{s:{s:[]}, s:{}}}", ns, "Shards", "Kubernetes/Kubernetes",
		    "ServiceAccounts");
		json_object_set_new(all, host, place);
	}
	list = json_object_get(
	    json_object_get(json_object_get(place, ns), "Shards"), "Kubernetes/Kubernetes");
	json_array_foreach(json_object_get(slice, "endpoints"), i, e)
	    json_array_append_new(list, shard_endpoint(e, ns));
}

static json_t *
shardz(void)
{
	json_t *all = json_object();
	const struct map_slot *slot;

	for (size_t i = 0; (slot = map_next(istiod_known(K_SLICE), &i)) != NULL;)
		add_shard(all, slot->value);
	return all;
}

static json_t *
page_of(const char *path)
{
	if (strcmp(path, "/debug/configz") == 0)
		return configz();
	if (strcmp(path, "/debug/syncz") == 0)
		return proxies_syncz();
	if (strcmp(path, "/debug/endpointShardz") == 0)
		return shardz();
	return NULL;
}

/* --- requests ----------------------------------------------------------------------------- */

static void
count(const char *path)
{
	json_t *n = map_get(&counts, path);

	if (n == NULL && counts.used < 100) {
		n = json_integer(0);
		map_set(&counts, path, n);
	}
	if (n != NULL)
		json_integer_set(n, json_integer_value(n) + 1);
}

json_t *
istiodz_asked(void)
{
	json_t *all = json_object();
	const struct map_slot *slot;

	for (size_t i = 0; (slot = map_next(&counts, &i)) != NULL;)
		jx_set_int(all, slot->key, json_integer_value(slot->value));
	return all;
}

static bool
allowed(struct MHD_Connection *c)
{
	const char *token = istiod_settings()->token;
	const char *sent = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

	if (token == NULL)
		return true;
	return sent != NULL && strncmp(sent, "Bearer ", 7) == 0 && strcmp(sent + 7, token) == 0;
}

static int
answer(struct MHD_Connection *c, const char *path, struct buf *text)
{
	json_t *page;
	size_t length;
	char *dump;

	count(path);
	if (strcmp(path, "/metrics") == 0) {
		istiod_counters(text);
		return 200;
	}
	if (!allowed(c)) {
		buf_str(text, "Authentication failed\n");
		return 401;
	}
	page = page_of(path);
	if (page == NULL) {
		buf_str(text, "404 page not found\n");
		return 404;
	}
	dump = jx_dump(page, &length);
	buf_add(text, dump, length);
	free(dump);
	json_decref(page);
	return 200;
}

static enum MHD_Result
send_text(struct MHD_Connection *c, int code, struct buf *text, bool json)
{
	struct MHD_Response *res =
	    MHD_create_response_from_buffer(text->len, text->p, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;

	MHD_add_response_header(
	    res, "Content-Type", json ? "application/json" : "text/plain; charset=utf-8");
	rc = MHD_queue_response(c, (unsigned)code, res);
	MHD_destroy_response(res);
	return rc;
}

static enum MHD_Result
on_page(void *arg, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *data, size_t *size, void **place)
{
	struct asked *asked = *place;
	struct buf text = {0};
	int code;

	(void)arg;
	(void)method;
	(void)version;
	(void)data;
	*size = 0;
	if (asked == NULL) {
		asked = xalloc(sizeof(*asked));
		asked->connection = c;
		*place = asked;
		return MHD_YES;
	}
	big_lock();
	if (asked->waits || istiod_state() == ISTIOD_DOWN || closing) {
		bool waits = asked->waits;

		big_unlock();
		return waits ? MHD_YES : MHD_NO;
	}
	if (istiod_state() == ISTIOD_HUNG) {
		asked->waits = true;
		asked->next = waiting;
		waiting = asked;
		MHD_suspend_connection(c);
		big_unlock();
		return MHD_YES;
	}
	code = answer(c, url, &text);
	big_unlock();
	return send_text(c, code, &text, code == 200 && strcmp(url, "/metrics") != 0);
}

static void
on_end(void *arg, struct MHD_Connection *c, void **place, enum MHD_RequestTerminationCode why)
{
	(void)arg;
	(void)c;
	(void)why;
	free(*place);
	*place = NULL;
}

void
istiodz_wake(void)
{
	while (waiting != NULL) {
		struct asked *one = waiting;

		waiting = one->next;
		one->waits = false;
		MHD_resume_connection(one->connection);
	}
}

int
istiodz_start(int *port)
{
	int fd = http_listen(port);

	if (fd >= 0)
		pages = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL |
					     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC,
		    0, NULL, NULL, on_page, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		    MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
	if (pages != NULL)
		return 0;
	fputs("airis-sim: istiod's port did not open\n", stderr);
	return -1;
}

void
istiodz_stop(void)
{
	if (pages == NULL)
		return;
	big_lock();
	closing = true;
	istiodz_wake();
	big_unlock();
	MHD_stop_daemon(pages);
}
