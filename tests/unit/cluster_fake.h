/* A cluster room in front of a fake API server that has objects by "plural/name", lists and watches
 * them, and answers writes as the test says. One app, "shop", is followed. */
#ifndef TESTS_UNIT_CLUSTER_FAKE_H
#define TESTS_UNIT_CLUSTER_FAKE_H

#include "cluster_objects.h"

#include "base/map.h"
#include "cluster/cluster.h"
#include "kube_fake.h"

static struct {
	struct loop *loop;
	struct cluster *cluster;
	struct cluster_port port;
	struct app app;
	struct map *objects; /* "deployments/web" -> JSON text */
	struct map *streams; /* plural -> struct fake_conn, its open watch */
	char *folder, *file;
	int (*write)(struct fake_conn *conn);	   /* answers a write; NULL: nobody does */
	void (*elsewhere)(struct fake_conn *conn); /* answers in other namespaces; NULL: {} */
	const char *refused; /* lists of this plural are answered with 403; NULL: none */
	bool down;	     /* every request but a watch is answered with 500 */
	int reads;	     /* GETs of single objects and by label */
	int changes;	     /* told of the app, */
	bool many;	     /* or of others too */
	int answers;	     /* of acts */
	uint64_t number;     /* of the last one */
	enum act_outcome outcome;
	char text[1024];
	int64_t retry_after_ms;
} room;

static inline void
room_put(const char *key, json_t *object)
{
	free(map_set(room.objects, key, jsonx_dump(object)));
	json_decref(object);
}

/* An event on the open watch of this plural. */
static inline void
room_event(const char *plural, const char *type, json_t *object)
{
	struct fake_conn *stream = map_get(room.streams, plural);
	char *text = jsonx_dump(object);
	char *line = str_format("{\"type\":\"%s\",\"object\":%s}\n", type, text);

	assert_non_null(stream);
	fake_chunk(stream, line);
	free(line);
	free(text);
	json_decref(object);
}

static inline void
room_list(struct fake_conn *conn, const char *plural)
{
	struct str body;
	const char *key;
	void *value;
	size_t cursor = 0;
	bool first = true;

	str_init(&body, 0);
	str_add(
	    &body, "{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"1000\"},\"items\":[");
	while (map_next(room.objects, &cursor, &key, &value)) {
		if (!str_starts(key, plural) || key[strlen(plural)] != '/')
			continue;
		str_add(&body, first ? "" : ",");
		str_add(&body, value);
		first = false;
	}
	str_add(&body, "]}");
	fake_answer(conn, 200, str_text(&body));
	str_done(&body);
}

static inline void
room_not_found(struct fake_conn *conn, const char *name)
{
	char *body =
	    str_format("{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"NotFound\","
		       "\"details\":{\"name\":\"%s\"},\"code\":404}",
		name);

	fake_answer(conn, 404, body);
	free(body);
}

/* conn->path: ".../namespaces/prod/PLURAL[/NAME][?...]" */
static inline void
room_handler(struct fake_conn *conn)
{
	char *place = strstr(conn->path, "/namespaces/prod/");
	char key[256], *end;
	const char *text;

	if (place == NULL) {
		if (room.elsewhere != NULL)
			room.elsewhere(conn);
		else
			fake_answer(conn, 200, "{}");
		return;
	}
	str_copy(key, sizeof(key), place + strlen("/namespaces/prod/"));
	end = strchr(key, '?');
	if (end != NULL)
		*end = '\0';
	if (strstr(conn->path, "watch=1") != NULL) {
		map_set(room.streams, key, conn);
		fake_stream(conn);
	} else if (strcmp(conn->method, "GET") != 0) {
		if (room.write == NULL || room.write(conn) < 0)
			fake_close(conn);
	} else if (room.down) {
		room.reads++;
		fake_answer(conn, 500, "{\"kind\":\"Status\",\"reason\":\"InternalError\"}");
	} else if (room.refused != NULL && strcmp(key, room.refused) == 0) {
		fake_answer(conn, 403, "{\"kind\":\"Status\",\"reason\":\"Forbidden\"}");
	} else if (strchr(key, '/') == NULL) {
		room.reads += strstr(conn->path, "labelSelector") != NULL;
		room_list(conn, key);
	} else {
		room.reads++;
		text = map_get(room.objects, key);
		if (text != NULL)
			fake_answer(conn, 200, text);
		else
			room_not_found(conn, strchr(key, '/') + 1);
	}
}

static inline void
room_changed(void *ctx, const char *app)
{
	(void)ctx;
	assert_true(room.many || strcmp(app, "shop") == 0);
	room.changes++;
}

static inline void
room_acted(
    void *ctx, uint64_t number, enum act_outcome outcome, const char *text, int64_t retry_after_ms)
{
	(void)ctx;
	room.answers++;
	room.number = number;
	room.outcome = outcome;
	str_copy(room.text, sizeof(room.text), text);
	room.retry_after_ms = retry_after_ms;
}

static inline struct observed
room_look(void)
{
	struct observed seen;

	room.port.observe(room.port.ctx, &room.app, "web:v2", &seen);
	return seen;
}

static inline bool
room_is_fresh(void)
{
	return room_look().fresh;
}

static const struct lease_settings *room_lease; /* of the next room; NULL: it needs none */

static inline void
room_begin_within(enum traffic_mode mode, double qps, int burst)
{
	struct kube_settings settings = {.name = "test",
	    .backoff_ms = 20,
	    .request_timeout_ms = 200,
	    .deadline_ms = 400,
	    .qps = qps,
	    .burst = burst};
	struct cluster_events events = {NULL, room_changed, room_acted};
	struct err e = {""};
	char *config;

	memset(&room, 0, sizeof(room));
	room.app = app_of(mode);
	room.objects = map_new();
	room.streams = map_new();
	room.loop = loop_new();
	room.folder = make_folder();
	fake_start(room.loop, room_handler);
	config = str_format("apiVersion: v1\nkind: Config\ncurrent-context: c\n"
			    "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
			    "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
			    "users: [{name: u, user: {token: secret}}]\n",
	    fake.port);
	room.file = write_file(room.folder, "config", config);
	free(config);
	settings.kubeconfig = room.file;
	room.cluster = cluster_new(room.loop, &settings, room_lease, &events, &e);
	if (room.cluster == NULL)
		fail_msg("%s", e.text);
	room.port = cluster_port(room.cluster);
	room_put("deployments/web", web_deployment());
	room_put("services/web", web_service());
	room_put(
	    "virtualservices/web", web_routes("[{'route': [{'destination': {'host': 'web'}}]}]"));
	room_put("services/web-canary",
	    J("{'metadata': {'name': 'web-canary', 'namespace': 'prod', 'uid': 's-c',"
	      " 'resourceVersion': '6', " OURS "}, 'spec': {'selector': {'app': 'web-canary'}}}"));
}

static inline void
room_begin(enum traffic_mode mode)
{
	room_begin_within(mode, 1000, 1000);
}

static inline void
room_follow(void)
{
	room.port.follow(room.port.ctx, &room.app, true);
	assert_int_equal(room.changes, 0); /* never from within the call */
	assert_true(run_until(room.loop, room_is_fresh, 5000));
}

static inline void
room_end(void)
{
	cluster_free(room.cluster);
	fake_stop();
	loop_free(room.loop);
	map_free(room.objects, free);
	map_free(room.streams, NULL);
	unlink(room.file);
	rmdir(room.folder);
	free(room.file);
	free(room.folder);
}

#endif
