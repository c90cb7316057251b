/* One cluster: its parts made and taken down in order. The credentials outlive the requests, the
 * requests outlive the caches that make them. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "cluster/kube_caches.h"

enum { WATCH_CONNECTIONS_MANY = 256, WATCH_CONNECTIONS_FEW = 4 };

static const char service_account[] = "/var/run/secrets/kubernetes.io/serviceaccount";

static int64_t
or_default(int64_t value, int64_t otherwise)
{
	return value > 0 ? value : otherwise;
}

/* The texts stay the caller's and are not looked at after kube_new. */
static void
set_defaults(struct kube_settings *s)
{
	s->qps = s->qps > 0 ? s->qps : 20;
	s->burst = (int)or_default(s->burst, 40);
	s->concurrent = (int)or_default(s->concurrent, 8);
	s->request_timeout_ms = or_default(s->request_timeout_ms, 10 * 1000);
	s->deadline_ms = or_default(s->deadline_ms, 30 * 1000);
	s->idle_ms = or_default(s->idle_ms, 45 * 1000);
	s->probe_ms = or_default(s->probe_ms, 10 * 1000);
	s->grace_ms = or_default(s->grace_ms, 5 * 1000);
	s->linger_ms = or_default(s->linger_ms, 60 * 1000);
	s->absent_ms = or_default(s->absent_ms, 300 * 1000);
	s->backoff_ms = or_default(s->backoff_ms, 800);
}

static int
load_default(const struct kube_settings *s, struct kubeconfig *to, struct err *e)
{
	const char *variable = getenv("KUBECONFIG"), *home = getenv("HOME");
	char *path;
	int result;

	if (variable && *variable)
		return kubeconfig_load(variable, s->context, s->exec_allowed, to, e) < 0
			   ? err_wrap(e, "KUBECONFIG")
			   : 0;
	path = str_format("%s/.kube/config", home ? home : "");
	result = kubeconfig_load(path, s->context, s->exec_allowed, to, e);
	free(path);
	return result;
}

static int
load(const struct kube_settings *s, struct kubeconfig *to, struct err *e)
{
	const char *folder = s->service_account ? s->service_account : service_account;

	if (s->in_cluster && s->kubeconfig)
		return err_set(e, "both a kubeconfig and in-cluster credentials are given; choose "
				  "one of them");
	if (s->in_cluster)
		return kubeconfig_in_cluster(folder, to, e);
	if (s->kubeconfig)
		return kubeconfig_load(s->kubeconfig, s->context, s->exec_allowed, to, e);
	return load_default(s, to, e);
}

static void
on_credentials(void *ctx)
{
	kube_send_pump(ctx);
}

static struct kube *
kube_make(struct loop *loop, const struct kube_settings *settings, const struct kube_events *events,
    const char *name)
{
	struct kube *kube = mem_alloc(sizeof *kube);

	kube->loop = loop;
	kube->settings = *settings;
	set_defaults(&kube->settings);
	kube->name = mem_strdup(name);
	if (events)
		kube->events = *events;
	for (int kind = 0; kind < KUBE_KINDS; kind++)
		kube->caches[kind] = map_new();
	kube_send_start(kube);
	kube_probe_start(kube);
	kube->many = httpc_pool_new(loop, WATCH_CONNECTIONS_MANY);
	kube->few = httpc_pool_new(loop, WATCH_CONNECTIONS_FEW);
	return kube;
}

struct kube *
kube_new(struct loop *loop, const struct kube_settings *settings, const struct kube_events *events,
    struct err *e)
{
	const char *name = settings->name ? settings->name : "cluster";
	struct kubeconfig config = {0};
	struct kube *kube = NULL;

	if (load(settings, &config, e) < 0) {
		err_wrap(e, "cluster %s", name);
		return NULL;
	}
	kube = kube_make(loop, settings, events, name);
	kube->credentials = credentials_new(loop, &config, on_credentials, kube, e);
	if (kube->credentials)
		return kube;
	err_wrap(e, "cluster %s", name);
	kubeconfig_done(&config);
	kube_free(kube);
	return NULL;
}

void
kube_free(struct kube *kube)
{
	if (!kube)
		return;
	kube_read_done(kube);
	kube_caches_done(kube);
	kube_probe_done(kube);
	kube_send_done(kube);
	httpc_pool_free(kube->many);
	httpc_pool_free(kube->few);
	credentials_free(kube->credentials);
	free(kube->name);
	free(kube);
}

const char *
kube_name(const struct kube *kube)
{
	return kube->name;
}

const char *
kube_server(const struct kube *kube)
{
	return credentials_config(kube->credentials)->server;
}

const char *
kube_namespace(const struct kube *kube)
{
	return credentials_config(kube->credentials)->namespace;
}

const struct kube_stats *
kube_stats(struct kube *kube)
{
	struct kube_stats *stats = &kube->stats;

	stats->caches = 0;
	for (int kind = 0; kind < KUBE_KINDS; kind++)
		stats->caches += (int)map_count(kube->caches[kind]);
	stats->refreshes = credentials_refreshes(kube->credentials);
	stats->under_way = 0;
	for (int lane = 0; lane < KUBE_LANES; lane++)
		stats->under_way += kube->lanes[lane].under_way;
	stats->waiting = kube_send_waiting(kube);
	return stats;
}
