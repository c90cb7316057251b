/* daemons: the DaemonSet controller: a pod on every node that the template's nodeSelector fits, and
 * the old ones replaced within maxUnavailable, or within maxSurge beside them. */
#include "ends.h"
#include "gc.h"
#include "jx.h"
#include "plan.h"
#include "podmake.h"
#include "revisions.h"
#include "select.h"
#include "util.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

/* One node. */
struct spot {
	const char *node;
	bool wanted;	   /* a pod is to be here */
	struct obj **pods; /* those that are, the oldest first; some may be going */
	size_t n;
};

struct fleet {
	struct obj *set;
	const char *hash; /* of the template now */
	struct spot *spots;
	size_t n;
	int64_t wanted, surge, unavailable, min_s;
	uint64_t next_ms; /* until a pod is old enough, 0: none is waited for */
};

static int
by_age(const void *a, const void *b)
{
	const struct obj *x = *(struct obj *const *)a, *y = *(struct obj *const *)b;
	int d = strcmp(jx_str(x->json, "metadata.creationTimestamp"),
	    jx_str(y->json, "metadata.creationTimestamp"));

	return d != 0 ? d : strcmp(x->name, y->name);
}

static bool
fits(const struct obj *set, const struct obj *node)
{
	json_t *selector = jx_at(set->json, "spec.template.spec.nodeSelector");

	return json_object_size(selector) == 0 ||
	       labels_match(selector, jx_at(node->json, "metadata.labels"));
}

static void
look_at_node(struct fleet *f, struct spot *s, const struct obj *node)
{
	*s = (struct spot){.node = node->name, .wanted = fits(f->set, node)};
	s->pods = xalloc((f->set->nkids + 1) * sizeof(*s->pods));
	for (size_t i = 0; i < f->set->nkids; i++) {
		struct obj *pod = f->set->kids[i];
		const char *at = pod->kind->id == K_POD ? pod_node(pod) : NULL;

		if (at != NULL && strcmp(at, s->node) == 0)
			s->pods[s->n++] = obj_ref(pod);
	}
	qsort(s->pods, s->n, sizeof(*s->pods), by_age);
	f->wanted += s->wanted;
}

static void
look(struct fleet *f, struct obj *set)
{
	json_t *rolling = jx_at(set->json, "spec.updateStrategy.rollingUpdate");
	size_t n;
	struct obj **nodes = store_all(&kinds[K_NODE], &n);

	*f = (struct fleet){.set = set, .min_s = jx_int(set->json, "spec.minReadySeconds", 0)};
	f->hash = revision_hash(revision_now(set, REVISION_LABEL), REVISION_LABEL);
	f->spots = xalloc((n + 1) * sizeof(*f->spots));
	for (f->n = 0; f->n < n; f->n++)
		look_at_node(f, &f->spots[f->n], nodes[f->n]);
	f->surge = jx_share(json_object_get(rolling, "maxSurge"), f->wanted, true);
	f->unavailable = jx_share(json_object_get(rolling, "maxUnavailable"), f->wanted, true);
	if (f->surge == 0 && f->unavailable == 0)
		f->unavailable = 1;
}

static void
done(struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++) {
		for (size_t k = 0; k < f->spots[i].n; k++)
			obj_unref(f->spots[i].pods[k]);
		free(f->spots[i].pods);
	}
	free(f->spots);
}

/* One without a node is gone as soon as it was taken. */
static bool
stays(const struct obj *pod)
{
	return !pod->dead && !pod_going(pod);
}

static bool
is_new(const struct fleet *f, const struct obj *pod)
{
	return strcmp(revision_of_pod(pod), f->hash) == 0;
}

/* It goes to that node alone, whatever is wrong with it. */
static void
pin(json_t *spec, const char *node)
{
	static const char *const bad[][2] = {{"not-ready", "NoExecute"},
	    {"unreachable", "NoExecute"}, {"disk-pressure", "NoSchedule"},
	    {"memory-pressure", "NoSchedule"}, {"pid-pressure", "NoSchedule"},
	    {"unschedulable", "NoSchedule"}};
	json_t *list = json_copy(json_object_get(spec, "tolerations"));

	json_object_set_new(jx_own_path(spec, "affinity.nodeAffinity"),
	    "requiredDuringSchedulingIgnoredDuringExecution",
	    json_pack("{s:[{s:[{s:s, s:s, s:[s]}]}]}", "nodeSelectorTerms", "matchFields", "key",
		"metadata.name", "operator", "In", "values", node));
	if (list == NULL)
		list = json_array();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		json_array_append_new(list, json_pack("{s:o, s:s, s:s}", "key",
						json_sprintf("node.kubernetes.io/%s", bad[i][0]),
						"operator", "Exists", "effect", bad[i][1]));
	json_object_set_new(spec, "tolerations", list);
}

static void
make(struct fleet *f, const struct spot *s)
{
	json_t *pod;
	char *why = NULL, *text;

	if (!world_quota(f->set->ns, &why)) {
		world_event(f->set, "Warning", "FailedCreate", "daemonset-controller", why);
		free(why);
		plan_task(f->set, T_STEP, 1000);
		return;
	}
	pod = pod_of(f->set, jx_at(f->set->json, "spec.template"), NULL);
	jx_set_str(jx_own_path(pod, "metadata.labels"), REVISION_LABEL, f->hash);
	pin(jx_own(pod, "spec"), s->node);
	text = xfmt("Created pod: %s", jx_str(pod, "metadata.name"));
	store_put(&kinds[K_POD], NULL, pod);
	world_event(f->set, "Normal", "SuccessfulCreate", "daemonset-controller", text);
	free(text);
}

static void
take(struct fleet *f, struct obj *pod)
{
	char *text = xfmt("Deleted pod: %s", pod->name);

	world_event(f->set, "Normal", "SuccessfulDelete", "daemonset-controller", text);
	free(text);
	gc_delete(pod, BACKGROUND, -1);
}

/* The oldest pod of the new or of another revision that is not going; NULL: none. */
static struct obj *
oldest(const struct fleet *f, const struct spot *s, bool new)
{
	for (size_t i = 0; i < s->n; i++)
		if (stays(s->pods[i]) && is_new(f, s->pods[i]) == new)
			return s->pods[i];
	return NULL;
}

/* Of the pods that run on a node, those that are too many go: all but the oldest, or with a surge
 * all but the oldest of each side, until the new one can do without the old one. */
static bool
prune(struct fleet *f, const struct spot *s)
{
	struct obj *new = oldest(f, s, true), *old = oldest(f, s, false), *only = NULL;
	bool acted = false;

	if (f->surge > 0 && new != NULL && old != NULL &&
	    (!ends_pod_ready(old->json) || pod_available(new, f->min_s, &f->next_ms)))
		only = new;
	for (size_t i = 0; f->surge == 0 && i < s->n && only == NULL; i++)
		if (stays(s->pods[i]) && !pod_ended(s->pods[i]))
			only = s->pods[i];
	for (size_t i = 0; i < s->n; i++) {
		struct obj *pod = s->pods[i];

		if (!stays(pod) || pod == only ||
		    (f->surge > 0 && only == NULL && (pod == new || pod == old) && !pod_ended(pod)))
			continue;
		take(f, pod);
		acted = true;
	}
	return acted;
}

/* Makes what is missing and takes what is too much; true: something was done. */
static bool
manage(struct fleet *f)
{
	bool acted = false;

	for (size_t i = 0; i < f->n; i++) {
		struct spot *s = &f->spots[i];
		size_t here = 0;

		for (size_t k = 0; k < s->n; k++)
			here += stays(s->pods[k]);
		if (s->wanted && (f->surge > 0 ? here : s->n) == 0) {
			make(f, s);
			acted = true;
		} else if (s->wanted && here > 0) {
			acted = prune(f, s) || acted;
		}
		for (size_t k = 0; !s->wanted && k < s->n; k++)
			if (stays(s->pods[k])) {
				take(f, s->pods[k]);
				acted = true;
			}
	}
	return acted;
}

/* Old pods go as far as not too many nodes are without; one that is not available is no loss. */
static void
replace(struct fleet *f)
{
	int64_t without = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct obj *new = oldest(f, &f->spots[i], true);
		struct obj *old = oldest(f, &f->spots[i], false);

		if (!f->spots[i].wanted)
			continue;
		if (new == NULL && old != NULL && !pod_available(old, f->min_s, &f->next_ms)) {
			without++;
			take(f, old);
		} else if ((new == NULL) == (old == NULL) ||
			   (new != NULL && !pod_available(new, f->min_s, &f->next_ms))) {
			without++;
		}
	}
	for (size_t i = 0; i < f->n && without < f->unavailable; i++) {
		struct obj *old = oldest(f, &f->spots[i], false);

		if (f->spots[i].wanted && old != NULL && oldest(f, &f->spots[i], true) == NULL) {
			take(f, old);
			without++;
		}
	}
}

/* New pods come beside old ones, a few at a time; prune takes the old ones. */
static void
surge(struct fleet *f)
{
	int64_t beside = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct obj *new = oldest(f, &f->spots[i], true);

		if (new != NULL && oldest(f, &f->spots[i], false) != NULL &&
		    !pod_available(new, f->min_s, &f->next_ms))
			beside++;
	}
	for (size_t i = 0; i < f->n; i++) {
		struct obj *old = oldest(f, &f->spots[i], false);
		bool bad = old != NULL && !pod_available(old, f->min_s, &f->next_ms);

		if (old == NULL || !f->spots[i].wanted || oldest(f, &f->spots[i], true) != NULL ||
		    (!bad && beside >= f->surge))
			continue;
		make(f, &f->spots[i]);
		beside += !bad;
	}
}

static void
roll(struct fleet *f)
{
	const char *type = jx_str(f->set->json, "spec.updateStrategy.type");

	if (type != NULL && strcmp(type, "OnDelete") == 0)
		return;
	if (f->surge > 0)
		surge(f);
	else
		replace(f);
}

static void
write_status(struct fleet *f)
{
	struct obj *set = f->set;
	int64_t current = 0, astray = 0, ready = 0, updated = 0, available = 0;
	json_t *next = json_copy(set->json), *status = jx_own(next, "status");

	for (size_t i = 0; i < f->n; i++) {
		struct spot *s = &f->spots[i];

		if (s->n == 0)
			continue;
		current += s->wanted;
		astray += !s->wanted;
		if (!s->wanted)
			continue;
		ready += ends_pod_ready(s->pods[0]->json);
		available += pod_available(s->pods[0], f->min_s, &f->next_ms);
		updated += is_new(f, s->pods[0]);
	}
	jx_set_int(status, "observedGeneration", jx_int(set->json, "metadata.generation", 1));
	jx_set_int(status, "desiredNumberScheduled", f->wanted);
	jx_set_int(status, "currentNumberScheduled", current);
	jx_set_int(status, "numberMisscheduled", astray);
	jx_set_int(status, "numberReady", ready);
	jx_set_count(status, "updatedNumberScheduled", updated);
	jx_set_count(status, "numberAvailable", available);
	jx_set_count(status, "numberUnavailable", f->wanted - available);
	if (json_equal(status, json_object_get(set->json, "status")))
		json_decref(next);
	else
		store_put(set->kind, set, next);
}

static bool
is_used(const struct obj *set, const struct obj *revision)
{
	const char *hash = revision_hash(revision, REVISION_LABEL);
	json_t *now = jx_at(set->json, "spec.template"),
	       *then = json_copy(revision_template(revision));
	bool used;

	json_object_del(then, "$patch");
	used = json_equal(now, then);
	json_decref(then);
	for (size_t i = 0; i < set->nkids && !used; i++)
		used = set->kids[i]->kind->id == K_POD &&
		       strcmp(revision_of_pod(set->kids[i]), hash) == 0;
	return used;
}

static void
sync_set(struct obj *set)
{
	struct fleet f;

	obj_ref(set);
	look(&f, set);
	if (jx_str(set->json, "metadata.deletionTimestamp") == NULL && !manage(&f))
		roll(&f);
	done(&f);
	if (!set->dead) {
		look(&f, set);
		write_status(&f);
		if (f.next_ms > 0)
			plan_task(set, T_STEP, f.next_ms);
		done(&f);
		revisions_trim(set, is_used);
	}
	obj_unref(set);
}

static void
all_again(void)
{
	size_t n;
	struct obj **all = store_all(&kinds[K_DAEMONSET], &n);

	for (size_t i = 0; i < n; i++)
		plan_task(all[i], T_SYNC, 10);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct obj *owner = o->kind->id == K_POD ? store_owner(o) : NULL;

	(void)before;
	if (o->kind->id == K_DAEMONSET && change != DELETED)
		plan_task(o, T_SYNC, 10);
	if (owner != NULL && owner->kind->id == K_DAEMONSET)
		plan_task(owner, T_SYNC, 5);
	if (o->kind->id == K_NODE)
		all_again();
}

void
daemons_init(void)
{
	store_listen(changed);
	plan_register(K_DAEMONSET, T_SYNC, sync_set);
	plan_register(K_DAEMONSET, T_STEP, sync_set);
}
