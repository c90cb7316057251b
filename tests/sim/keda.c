/* keda: KEDA's operator, as far as others see it. It makes an HPA from each ScaledObject and takes
 * back what others write into its spec, and it does what an HPA cannot: to 0 (or idleReplicaCount)
 * and back. There are no triggers: they have something to do unless the annotation lab/active is
 * "false". While a ScaledObject is paused it has no HPA, and its workload keeps its size, or that
 * of paused-replicas. Like the real one it takes a moment for each. */
#include "gc.h"
#include "jx.h"
#include "map.h"
#include "plan.h"
#include "scalers.h"
#include "util.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define OPERATOR "keda-operator"
enum { SYNC_MS = 100, LOOP_MS = 50 };

static struct map by_target; /* "Deployment/namespace/name" -> ScaledObject; the newest one wins */

static char *
target_key(const struct obj *scaled, const json_t *json)
{
	const char *kind = jx_str(json, "spec.scaleTargetRef.kind");
	const char *name = jx_str(json, "spec.scaleTargetRef.name");

	if (name == NULL)
		return NULL;
	return xfmt("%s/%s/%s", kind != NULL ? kind : "Deployment", scaled->ns, name);
}

static struct obj *
target(const struct obj *scaled)
{
	const char *kind = jx_str(scaled->json, "spec.scaleTargetRef.kind");
	const char *name = jx_str(scaled->json, "spec.scaleTargetRef.name");
	bool stateful = kind != NULL && strcmp(kind, "StatefulSet") == 0;

	if (name == NULL || (kind != NULL && !stateful && strcmp(kind, "Deployment") != 0))
		return NULL;
	return store_get(&kinds[stateful ? K_STATEFULSET : K_DEPLOYMENT], scaled->ns, name);
}

static bool
says(const struct obj *scaled, const char *annotation, const char *value)
{
	const char *text = jx_annotation(scaled->json, annotation);

	return text != NULL && strcmp(text, value) == 0;
}

static bool
is_paused(const struct obj *scaled)
{
	return says(scaled, "autoscaling.keda.sh/paused", "true") ||
	       jx_annotation(scaled->json, "autoscaling.keda.sh/paused-replicas") != NULL;
}

/* --- its HPA --- */

static struct obj *
hpa_of(const struct obj *scaled)
{
	for (size_t i = 0; i < scaled->nkids; i++)
		if (scaled->kids[i]->kind->id == K_HPA)
			return scaled->kids[i];
	return NULL;
}

static json_t *
hpa_spec(const struct obj *scaled)
{
	const char *kind = jx_str(scaled->json, "spec.scaleTargetRef.kind");
	const char *version = jx_str(scaled->json, "spec.scaleTargetRef.apiVersion");
	int64_t min = jx_int(scaled->json, "spec.minReplicaCount", 0);

	return json_pack("{s:{s:s, s:s, s:s}, s:I, s:I}", "scaleTargetRef", "apiVersion",
	    version != NULL ? version : "apps/v1", "kind", kind != NULL ? kind : "Deployment",
	    "name", jx_str(scaled->json, "spec.scaleTargetRef.name"), "minReplicas",
	    (json_int_t)(min > 0 ? min : 1), "maxReplicas",
	    (json_int_t)jx_int(scaled->json, "spec.maxReplicaCount", 100));
}

static void
make_hpa(struct obj *scaled, json_t *spec)
{
	const char *named =
	    jx_str(scaled->json, "spec.advanced.horizontalPodAutoscalerConfig.name");
	char *name = named != NULL ? xdup(named) : xfmt("keda-hpa-%s", scaled->name);
	json_t *meta = world_metadata(scaled->ns, name);

	json_object_set_new(meta, "ownerReferences", world_owned_by(scaled));
	store_put(&kinds[K_HPA], NULL,
	    json_pack("{s:s, s:s, s:o, s:O}", "kind", "HorizontalPodAutoscaler", "apiVersion",
		"autoscaling/v2", "metadata", meta, "spec", spec));
	free(name);
}

static void
sync_scaled(struct obj *scaled)
{
	struct obj *hpa = hpa_of(scaled);
	json_t *spec, *next;

	if (target(scaled) == NULL)
		return;
	if (is_paused(scaled)) {
		if (hpa != NULL)
			gc_delete(hpa, BACKGROUND, -1);
		return;
	}
	spec = hpa_spec(scaled);
	if (hpa == NULL) {
		make_hpa(scaled, spec);
	} else if (!json_equal(jx_at(hpa->json, "spec"), spec)) {
		next = json_copy(hpa->json);
		json_object_set(next, "spec", spec);
		store_put(hpa->kind, hpa, next);
	}
	json_decref(spec);
}

/* --- its scale loop --- */

static int64_t
wanted(const struct obj *scaled, int64_t have)
{
	int64_t min = jx_int(scaled->json, "spec.minReplicaCount", 0);
	int64_t idle = jx_int(scaled->json, "spec.idleReplicaCount", -1);
	const char *at = jx_annotation(scaled->json, "autoscaling.keda.sh/paused-replicas");

	if (at != NULL)
		return strtoll(at, NULL, 10);
	if (is_paused(scaled))
		return have;
	if (!says(scaled, "lab/active", "false"))
		return have == 0 || (idle >= 0 && have < min) ? (min > 0 ? min : 1) : have;
	if (idle >= 0)
		return have > idle ? idle : have;
	return min == 0 ? 0 : have < min ? min : have;
}

static void
loop_scaled(struct obj *scaled)
{
	struct obj *workload = target(scaled);
	int64_t have, want;

	if (workload == NULL)
		return;
	have = jx_int(workload->json, "spec.replicas", 1);
	want = wanted(scaled, have);
	if (want != have)
		scalers_scale(workload, want, OPERATOR);
}

/* --- what moves it --- */

static void
plan_both(struct obj *scaled)
{
	plan_task(scaled, T_SYNC, SYNC_MS);
	plan_task(scaled, T_STEP, SYNC_MS + LOOP_MS);
}

static void
retarget(struct obj *scaled, enum change change, json_t *before)
{
	char *key = before != NULL ? target_key(scaled, before) : NULL;

	if (key != NULL && map_get(&by_target, key) == scaled)
		map_set(&by_target, key, NULL);
	free(key);
	key = change != DELETED ? target_key(scaled, scaled->json) : NULL;
	if (key != NULL) {
		map_set(&by_target, key, scaled);
		plan_both(scaled);
	}
	free(key);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct obj *scaled = NULL;
	char *key;

	if (o->kind->id == K_SCALED) {
		retarget(o, change, change == DELETED ? o->json : before);
		return;
	}
	if (o->kind->id == K_HPA) {
		scaled = store_owner(o);
		if (scaled != NULL && scaled->kind->id == K_SCALED)
			plan_both(scaled);
	}
	if ((o->kind->id != K_DEPLOYMENT && o->kind->id != K_STATEFULSET) || change == DELETED)
		return;
	key = xfmt("%s/%s", o->kind->name, o->key);
	scaled = map_get(&by_target, key);
	free(key);
	if (scaled != NULL)
		plan_both(scaled);
}

void
keda_init(void)
{
	store_listen(changed);
	plan_register(K_SCALED, T_SYNC, sync_scaled);
	plan_register(K_SCALED, T_STEP, loop_scaled);
}
