/* world: see world.h. */
#include "world.h"

#include "faults.h"
#include "gateway.h"
#include "gc.h"
#include "jx.h"
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_KEPT = 2000 };

static char *event_ring[EVENTS_KEPT]; /* uids */
static uint64_t events_made;

json_t *
world_metadata(const char *ns, const char *name)
{
	char uid[40], now[32];
	json_t *meta = json_object();

	rnd_uuid(uid);
	wall_text(now, sizeof(now));
	jx_set_str(meta, "name", name);
	if (*ns != '\0')
		jx_set_str(meta, "namespace", ns);
	jx_set_str(meta, "uid", uid);
	jx_set_str(meta, "creationTimestamp", now);
	return meta;
}

json_t *
world_owned_by(const struct obj *o)
{
	char version[96];

	return json_pack("[{s:s, s:s, s:s, s:s, s:b, s:b}]", "apiVersion",
	    kind_api_version(o->kind, NULL, version), "kind", o->kind->name, "name", o->name, "uid",
	    o->uid, "controller", 1, "blockOwnerDeletion", 1);
}

void
world_bump(json_t *root)
{
	jx_set_int(
	    jx_own(root, "metadata"), "generation", jx_int(root, "metadata.generation", 0) + 1);
}

void
world_namespace(const char *ns)
{
	json_t *o, *meta;

	if (store_get(&kinds[K_NAMESPACE], "", ns) != NULL)
		return;
	meta = world_metadata("", ns);
	json_object_set_new(meta, "labels", json_pack("{s:s}", "kubernetes.io/metadata.name", ns));
	o = json_pack("{s:s, s:s, s:o, s:{s:[s]}, s:{s:s}}", "kind", "Namespace", "apiVersion",
	    "v1", "metadata", meta, "spec", "finalizers", "kubernetes", "status", "phase",
	    "Active");
	store_put(&kinds[K_NAMESPACE], NULL, o);
}

static void
add_node(const char *name)
{
	char zone[16], now[32];
	json_t *meta = world_metadata("", name), *o, *room;

	wall_text(now, sizeof(now));
	snprintf(zone, sizeof(zone), "zone-%c", name[strlen(name) - 1]);
	json_object_set_new(meta, "labels",
	    json_pack(
		"{s:s, s:s}", "kubernetes.io/hostname", name, "topology.kubernetes.io/zone", zone));
	room = json_pack("{s:s, s:s, s:s}", "cpu", "64", "memory", "256Gi", "pods", "20000");
	o = json_pack("{s:s, s:s, s:o, s:{}, s:{s:o, s:O, s:[{s:s, s:s, s:s, s:s}]}}", "kind",
	    "Node", "apiVersion", "v1", "metadata", meta, "spec", "status", "capacity", room,
	    "allocatable", room, "conditions", "type", "Ready", "status", "True", "reason",
	    "KubeletReady", "lastTransitionTime", now);
	store_put(&kinds[K_NODE], NULL, o);
}

/* The least of the limits that a namespace has on pods, and whose it is. */
static int64_t
pod_limit(const char *ns, const char **name)
{
	int64_t limit = fault_quota(ns);
	size_t from, to, n;
	struct obj **all = store_all(&kinds[K_QUOTA], &n);

	*name = "sim-fault";
	store_range(&kinds[K_QUOTA], ns, &from, &to);
	for (; from < to; from++) {
		const char *hard = jx_str(all[from]->json, "spec.hard.pods");
		int64_t v = hard != NULL ? strtoll(hard, NULL, 10)
					 : jx_int(all[from]->json, "spec.hard.pods", -1);

		if (v >= 0 && (limit < 0 || v < limit)) {
			limit = v;
			*name = all[from]->name;
		}
	}
	return limit;
}

bool
world_quota(const char *ns, char **why)
{
	const char *name;
	int64_t limit = pod_limit(ns, &name), used;
	size_t from, to;

	if (limit < 0)
		return true;
	store_range(&kinds[K_POD], ns, &from, &to);
	used = (int64_t)(to - from);
	if (used < limit)
		return true;
	*why = xfmt("exceeded quota: %s, requested: pods=1, used: pods=%lld, limited: pods=%lld",
	    name, (long long)used, (long long)limit);
	if (strcmp(name, "sim-fault") == 0)
		fault_quota_hit(ns);
	return false;
}

int
world_admit(const struct kind *k, const char *ns, const json_t *next, struct reply *r)
{
	struct obj *space = store_get(&kinds[K_NAMESPACE], "", ns);
	const char *name = jx_str(next, "metadata.name");
	char *why = NULL, *text;
	json_t *d;

	if (k->namespaced && space == NULL)
		return fail_not_found(r, &kinds[K_NAMESPACE], ns);
	if (k->namespaced && jx_str(space->json, "metadata.deletionTimestamp") != NULL)
		why = xfmt("unable to create new content in namespace %s because it is being "
			   "terminated",
		    ns);
	else if (k->id != K_POD || world_quota(ns, &why))
		return 0;
	d = status_details(k, name);
	text = xfmt("%s \"%s\" is forbidden: %s", k->plural, name, why);
	fail(r, 403, "Forbidden", text, d);
	free(text);
	free(why);
	return -1;
}

void
world_event(
    struct obj *o, const char *type, const char *reason, const char *source, const char *message)
{
	char version[96], now[32], suffix[17];
	char **slot = &event_ring[events_made++ % EVENTS_KEPT];
	struct obj *old = *slot != NULL ? store_by_uid(*slot) : NULL;
	char *name;
	json_t *e, *about;

	if (old != NULL)
		store_remove(old);
	free(*slot);
	wall_text(now, sizeof(now));
	rnd_suffix(suffix, 16);
	name = xfmt("%s.%s", o->name, suffix);
	about = json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", o->kind->name, "namespace", o->ns,
	    "name", o->name, "uid", o->uid, "apiVersion", kind_api_version(o->kind, NULL, version));
	e = json_pack("{s:s, s:s, s:o, s:o, s:s, s:s, s:{s:s}, s:s, s:s, s:i, s:s}", "kind",
	    "Event", "apiVersion", "v1", "metadata", world_metadata(o->ns, name), "involvedObject",
	    about, "reason", reason, "message", message, "source", "component", source,
	    "firstTimestamp", now, "lastTimestamp", now, "count", 1, "type", type);
	*slot = xdup(store_put(&kinds[K_EVENT], NULL, e)->uid);
	free(name);
}

void
world_init(const struct world_settings *s)
{
	world_namespace("default");
	world_namespace("kube-system");
	add_node("lab-a");
	add_node("lab-b");
	add_node("lab-c");
	gc_init();
	ends_init(s->mesh_delay_ms / 5);
	if (s->alive)
		pods_init(s->ready_after_ms);
	sets_init();
	deploys_init();
	statefuls_init();
	daemons_init();
	jobs_init();
	budgets_init();
	slices_init();
	scalers_init();
	keda_init();
	if (!s->alive)
		return;
	gateway_init(s->accept_delay_ms);
	if (s->istiod.on)
		istiod_init(&s->istiod);
	else
		mesh_init(s->mesh_delay_ms, s->rps);
	traffic_init();
}
