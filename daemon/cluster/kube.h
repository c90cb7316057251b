/* One Kubernetes cluster: its credentials, requests within a budget, and caches of its objects that
 * are kept up to date by list and watch, one per kind and namespace however many apps look at them.
 * Generic: it knows nothing of apps. Times are ms. No callback comes before the call that caused it
 * has returned, except `changed` from kube_put and kube_forget; none comes after kube_free. */
#ifndef CLUSTER_KUBE_H
#define CLUSTER_KUBE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "cluster/kube_call.h"
#include "cluster/kube_kinds.h"
#include "cluster/kube_settings.h"
#include "loop/loop.h"

struct kube;

struct kube_events {
	void *ctx;
	/* An object came (old NULL), changed, or went (new NULL). Borrowed for the call: take a
	 * reference to keep one, never change one. Both are slimmed (kube_slim). */
	void (*changed)(void *ctx, enum kube_kind kind, const char *ns, const char *name,
	    json_t *old, json_t *new);
	/* kube_fresh of this cache has another answer now (first list read, lost, back). */
	void (*freshness)(void *ctx, enum kube_kind kind, const char *ns);
};

/* Reads the credentials, does not connect. NULL: e says which file, what was found, what is
 * allowed. */
must_check struct kube *kube_new(struct loop *loop, const struct kube_settings *settings,
    const struct kube_events *events, struct err *e);
void kube_free(struct kube *kube);
const char *kube_name(const struct kube *kube);
const char *kube_server(const struct kube *kube);    /* its URL */
const char *kube_namespace(const struct kube *kube); /* the context's; "default" */

/* GETs are repeated within the deadline on no answer, 429 and 5xx; writes never are. 401: new
 * credentials and once again. Returns the number, unique in the kube, never 0. */
uint64_t kube_request(struct kube *kube, const struct kube_call *call);
void kube_cancel(struct kube *kube, uint64_t number); /* no callback any more; unknown: ignored */

/* "/apis/apps/v1/namespaces/NS/deployments/NAME" (name NULL: the collection); append subresources
 * at will; owned by the caller. Kinds with several versions: the one this cluster was seen to
 * serve. */
char *kube_path(const struct kube *kube, enum kube_kind kind, const char *ns, const char *name);
/* Adds name=value to a path's query, the value as an URL has it. */
void kube_add_query(struct str *to, const char *name, const char *value);

/* GET one object past the cache and put it there; 404 takes it out, any other failure leaves the
 * cache as it is (F57). Works without kube_watch too. In done the cache has the answer already. */
uint64_t kube_read(struct kube *kube, enum kube_lane lane, enum kube_kind kind, const char *ns,
    const char *name, kube_done *done, void *ctx);
/* The same for all objects with these labels ("a=b,c=d", equality only): matching ones that are
 * gone are taken out. answer->body is a List with the items of all pages. */
uint64_t kube_read_list(struct kube *kube, enum kube_lane lane, enum kube_kind kind, const char *ns,
    const char *labels, kube_done *done, void *ctx);

/* Keeps a cache of this kind and namespace until as many kube_unwatch (and settings.linger_ms). */
void kube_watch(struct kube *kube, enum kube_kind kind, const char *ns);
void kube_unwatch(struct kube *kube, enum kube_kind kind, const char *ns);

/* True: the cache has what the cluster has, but for the last seconds. Else text (size bytes) says
 * why not, for people, and *since_ms (wall clock; may be NULL) since when. */
bool kube_fresh(const struct kube *kube, enum kube_kind kind, const char *ns, char *text,
    size_t size, int64_t *since_ms);
/* Why something is not as kube_fresh wants it, the first that is found; "": all is. */
void kube_trouble(const struct kube *kube, char *text, size_t size);
/* It was never read, and the last time the server said that we may not (403). */
bool kube_refused(const struct kube *kube, enum kube_kind kind, const char *ns);
/* From the cache; borrowed until something is put or the turn ends; NULL: not there. */
json_t *kube_get(const struct kube *kube, enum kube_kind kind, const char *ns, const char *name);

struct kube_found {
	json_t *const *objects; /* borrowed likewise, in no order */
	size_t count;
};
/* By the kind's index: pods and replicasets by the uid of their controller, endpointslices by the
 * name of their Service, HPAs and ScaledObjects by "Deployment/NAME" (their target). Other kinds
 * have no index. */
struct kube_found kube_find(
    const struct kube *kube, enum kube_kind kind, const char *ns, const char *key);
/* All of a kind in a namespace, as cache_next. */
json_t *kube_next(const struct kube *kube, enum kube_kind kind, const char *ns, size_t *cursor);

/* What a write answered, so that the next look sees it; older watch events are ignored from then
 * on. No effect when nothing is cached for its kind and namespace. */
void kube_put(struct kube *kube, enum kube_kind kind, json_t *object);
/* A confirmed delete. uid NULL: whichever; else an object with another uid stays. */
void kube_forget(
    struct kube *kube, enum kube_kind kind, const char *ns, const char *name, const char *uid);

#endif
