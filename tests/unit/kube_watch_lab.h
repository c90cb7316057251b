/* What the tests of watches share: one kube with short times against the fake server, which lists
 * and watches pods, and the counts of what it was asked and what the kube told. */
#ifndef TESTS_UNIT_KUBE_WATCH_LAB_H
#define TESTS_UNIT_KUBE_WATCH_LAB_H

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

static inline void
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

static inline void
on_freshness(void *ctx, enum kube_kind kind, const char *ns)
{
	(void)ctx;
	(void)kind;
	(void)ns;
	flips++;
}

static inline void
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
	"\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"env\":[]}]}}"
#define LIST(version, items)                                                                       \
	"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version                       \
	"\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"

static inline char *
kubeconfig_text_for(int port)
{
	return str_format("apiVersion: v1\nkind: Config\ncurrent-context: c\n"
			  "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
			  "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
			  "users: [{name: u, user: %s}]\n",
	    port, user);
}

static inline void
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

static inline void
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

static inline bool
is_fresh(void)
{
	return kube_fresh(kube, KUBE_PODS, "x", NULL, 0, NULL);
}

static inline bool
is_stale(void)
{
	return !is_fresh();
}

static inline bool
has_b(void)
{
	return kube_get(kube, KUBE_PODS, "x", "b") != NULL;
}

static inline bool
is_open(void)
{
	return is_fresh() && kube_stats(kube)->watches == 1;
}

static inline void
start_watch(void)
{
	kube_watch(kube, KUBE_PODS, "x");
	assert_true(run_until(loop, is_open, 3000));
}

static inline bool
second_watch(void)
{
	return watches == 2 && is_open();
}

#endif
