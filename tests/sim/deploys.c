/* deploys: the Deployment controller: finds the ReplicaSets, makes the new one, keeps
 * revisions, and does one step at a time; every change of a ReplicaSet brings the next turn. */
#include "deploys.h"

#include "gc.h"
#include "jx.h"
#include "plan.h"
#include "util.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REVISION "deployment.kubernetes.io/revision"
#define DESIRED "deployment.kubernetes.io/desired-replicas"
#define MOST "deployment.kubernetes.io/max-replicas"

int64_t
set_replicas(const struct obj *set)
{
	return jx_int(set->json, "spec.replicas", 1);
}

int64_t
set_available(const struct obj *set)
{
	return jx_int(set->json, "status.availableReplicas", 0);
}

int64_t
roll_total(const struct roll *r)
{
	int64_t sum = 0;

	for (size_t i = 0; i < r->n; i++)
		sum += set_replicas(r->sets[i]);
	return sum;
}

static int
by_age(const void *a, const void *b)
{
	const struct obj *x = *(struct obj *const *)a, *y = *(struct obj *const *)b;
	int d = strcmp(jx_str(x->json, "metadata.creationTimestamp"),
	    jx_str(y->json, "metadata.creationTimestamp"));

	if (d != 0)
		return d;
	return strtoll(jx_annotation(x->json, REVISION) ? jx_annotation(x->json, REVISION) : "0",
		   NULL,
		   10) < strtoll(jx_annotation(y->json, REVISION) ? jx_annotation(y->json, REVISION)
								  : "0",
			     NULL, 10)
		   ? -1
		   : 1;
}

static void
hash_template(const json_t *d, char *out)
{
	json_t *template = jx_at(d, "spec.template");
	char *text = json_dumps(template, JSON_COMPACT | JSON_SORT_KEYS);

	hash_suffix(text, strlen(text), out);
	free(text);
}

static void
look(struct roll *r, struct obj *d)
{
	json_t *rolling = jx_at(d->json, "spec.strategy.rollingUpdate");

	*r = (struct roll){.d = d, .replicas = jx_int(d->json, "spec.replicas", 1)};
	r->surge = jx_share(json_object_get(rolling, "maxSurge"), r->replicas, true);
	r->unavailable = jx_share(json_object_get(rolling, "maxUnavailable"), r->replicas, false);
	if (rolling == NULL)
		r->unavailable = r->replicas;
	if (rolling != NULL && r->surge == 0 && r->unavailable == 0)
		r->unavailable = 1;
	hash_template(d->json, r->hash);
	r->sets = xalloc(d->nkids * sizeof(*r->sets));
	for (size_t i = 0; i < d->nkids; i++) {
		const char *h;

		if (d->kids[i]->kind->id != K_REPLICASET)
			continue;
		r->sets[r->n++] = d->kids[i];
		h = json_string_value(json_object_get(
		    jx_at(d->kids[i]->json, "metadata.labels"), "pod-template-hash"));
		if (h != NULL && strcmp(h, r->hash) == 0)
			r->fresh = d->kids[i];
	}
	qsort(r->sets, r->n, sizeof(*r->sets), by_age);
}

static void
annotate(json_t *root, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	jx_set_str(jx_own_path(root, "metadata.annotations"), key, text);
}

static int64_t
revision_of(const struct obj *o)
{
	const char *text = jx_annotation(o->json, REVISION);

	return text != NULL ? strtoll(text, NULL, 10) : 0;
}

static int64_t
next_revision(const struct roll *r)
{
	int64_t most = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->sets[i] != r->fresh && revision_of(r->sets[i]) > most)
			most = revision_of(r->sets[i]);
	return most + 1;
}

/* How large the new set may be now. */
static int64_t
fresh_size(const struct roll *r)
{
	int64_t have = r->fresh != NULL ? set_replicas(r->fresh) : 0, room;

	if (json_object_get(jx_at(r->d->json, "spec.strategy"), "rollingUpdate") == NULL)
		return r->replicas;
	room = r->replicas + r->surge - roll_total(r);
	if (room <= 0)
		return have;
	return have + room < r->replicas ? have + room : r->replicas;
}

/* The Deployment's own annotations, as its ReplicaSets carry them. */
static void
copy_annotations(const struct obj *d, json_t *set)
{
	json_t *from = jx_at(d->json, "metadata.annotations"), *v;
	const char *key;

	json_object_foreach(from, key,
	    v) if (strcmp(key, REVISION) != 0 && strncmp(key, "kubectl.kubernetes.io/", 22) != 0)
	    json_object_set(jx_own_path(set, "metadata.annotations"), key, v);
}

static json_t *
with_hash(json_t *labels, const char *hash)
{
	json_t *copy = json_is_object(labels) ? json_copy(labels) : json_object();

	jx_set_str(copy, "pod-template-hash", hash);
	return copy;
}

static void
make_fresh(struct roll *r, int64_t revision)
{
	struct obj *d = r->d;
	char *name = xfmt("%s-%s", d->name, r->hash), *text;
	json_t *meta = world_metadata(d->ns, name), *set, *spec, *template, *labels;
	int64_t size = fresh_size(r);

	template = json_copy(jx_at(d->json, "spec.template"));
	labels = with_hash(jx_at(template, "metadata.labels"), r->hash);
	json_object_set(jx_own(template, "metadata"), "labels", labels);
	json_object_set_new(meta, "labels", labels);
	json_object_set_new(meta, "ownerReferences", world_owned_by(d));
	jx_set_int(meta, "generation", 1);
	spec = json_pack("{s:I, s:{s:o}, s:o}", "replicas", (json_int_t)size, "selector",
	    "matchLabels", with_hash(jx_at(d->json, "spec.selector.matchLabels"), r->hash),
	    "template", template);
	jx_set_count(spec, "minReadySeconds", jx_int(d->json, "spec.minReadySeconds", 0));
	set = json_pack("{s:s, s:s, s:o, s:o, s:{s:i}}", "kind", "ReplicaSet", "apiVersion",
	    "apps/v1", "metadata", meta, "spec", spec, "status", "replicas", 0);
	copy_annotations(d, set);
	annotate(set, REVISION, revision);
	annotate(set, DESIRED, r->replicas);
	annotate(set, MOST, r->replicas + r->surge);
	store_put(&kinds[K_REPLICASET], NULL, set);
	if (size > 0) {
		text = xfmt("Scaled up replica set %s from 0 to %lld", name, (long long)size);
		world_event(d, "Normal", "ScalingReplicaSet", "deployment-controller", text);
		free(text);
	}
	free(name);
}

static bool
set_revision(struct obj *o, int64_t revision)
{
	json_t *next;

	if (revision_of(o) == revision)
		return false;
	next = json_copy(o->json);
	annotate(next, REVISION, revision);
	store_put(o->kind, o, next);
	return true;
}

/* Keeps what a set takes over from its Deployment besides the template. */
static bool
follow(struct roll *r)
{
	int64_t min = jx_int(r->d->json, "spec.minReadySeconds", 0);
	json_t *next;

	if (jx_int(r->fresh->json, "spec.minReadySeconds", 0) == min)
		return false;
	next = json_copy(r->fresh->json);
	jx_set_count(jx_own(next, "spec"), "minReadySeconds", min);
	world_bump(next);
	store_put(r->fresh->kind, r->fresh, next);
	return true;
}

bool
roll_fresh(struct roll *r, bool create)
{
	int64_t revision = next_revision(r);
	bool wrote = false;

	if (r->fresh == NULL) {
		if (!create)
			return false;
		make_fresh(r, revision);
		set_revision(r->d, revision);
		return true;
	}
	if (revision_of(r->fresh) < revision)
		wrote = set_revision(r->fresh, revision);
	else
		revision = revision_of(r->fresh);
	if (follow(r))
		wrote = true;
	return set_revision(r->d, revision) || wrote;
}

bool
roll_resize(struct roll *r, struct obj *set, int64_t replicas)
{
	int64_t have = set_replicas(set);
	json_t *next = json_copy(set->json);
	char *text;

	annotate(next, DESIRED, r->replicas);
	annotate(next, MOST, r->replicas + r->surge);
	if (have != replicas) {
		jx_set_int(jx_own(next, "spec"), "replicas", replicas);
		world_bump(next);
	}
	if (json_equal(next, set->json)) {
		json_decref(next);
		return false;
	}
	store_put(set->kind, set, next);
	if (have != replicas) {
		text = xfmt("Scaled %s replica set %s from %lld to %lld",
		    have < replicas ? "up" : "down", set->name, (long long)have,
		    (long long)replicas);
		world_event(r->d, "Normal", "ScalingReplicaSet", "deployment-controller", text);
		free(text);
	}
	return true;
}

static void
sync_deploy(struct obj *d)
{
	struct roll r;

	if (jx_str(d->json, "metadata.deletionTimestamp") != NULL)
		return;
	obj_ref(d);
	look(&r, d);
	if (jx_bool(d->json, "spec.paused")) {
		roll_rescale(&r);
	} else if (!roll_fresh(&r,
		       json_object_get(jx_at(d->json, "spec.strategy"), "rollingUpdate") != NULL)) {
		if (!roll_rescale(&r))
			roll_step(&r);
	}
	free(r.sets);
	look(&r, d);
	if (!d->dead) {
		roll_status(&r);
		roll_clean(&r);
	}
	free(r.sets);
	obj_unref(d);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct obj *owner;

	(void)before;
	if (o->kind->id == K_DEPLOYMENT && change != DELETED)
		plan_task(o, T_SYNC, 10);
	owner = o->kind->id == K_REPLICASET || o->kind->id == K_POD ? store_owner(o) : NULL;
	if (owner != NULL && owner->kind->id == K_DEPLOYMENT)
		plan_task(owner, T_SYNC, 10);
	else if (owner != NULL && o->kind->id == K_POD && change == DELETED &&
		 (owner = store_owner(owner)) != NULL && owner->kind->id == K_DEPLOYMENT)
		plan_task(owner, T_SYNC, 10); /* a recreation waits for pods to go */
}

void
deploys_init(void)
{
	store_listen(changed);
	plan_register(K_DEPLOYMENT, T_SYNC, sync_deploy);
	plan_register(K_DEPLOYMENT, T_STEP, sync_deploy);
}
