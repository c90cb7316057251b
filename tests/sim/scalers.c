/* scalers: the HorizontalPodAutoscaler controller, which has no metrics: it keeps a Deployment
 * within minReplicas and maxReplicas, and goes to the annotation lab/hpa-desired if there is
 * one. At 0 replicas it is off, as in Kubernetes. */
#include "fields.h"
#include "jx.h"
#include "map.h"
#include "plan.h"
#include "scalers.h"
#include "util.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

static struct map by_target; /* "namespace/deployment" -> HPA; the newest one wins */

static char *
target_key(const struct obj *hpa, const json_t *json)
{
	const char *kind = jx_str(json, "spec.scaleTargetRef.kind");
	const char *name = jx_str(json, "spec.scaleTargetRef.name");

	if (kind == NULL || name == NULL || strcmp(kind, "Deployment") != 0)
		return NULL;
	return xfmt("%s/%s", hpa->ns, name);
}

static int64_t
wanted(const struct obj *hpa, int64_t have)
{
	const char *text = jx_annotation(hpa->json, "lab/hpa-desired");
	int64_t min = jx_int(hpa->json, "spec.minReplicas", 1);
	int64_t max = jx_int(hpa->json, "spec.maxReplicas", 1), want = have;

	if (have == 0)
		return 0;
	if (text != NULL)
		want = strtoll(text, NULL, 10);
	if (want < min)
		want = min;
	return want > max ? max : want;
}

void
scalers_scale(struct obj *d, int64_t n, const char *manager)
{
	struct writer w = {manager, "Update", "scale", "apps/v1"};
	json_t *next = json_copy(d->json);

	jx_set_int(jx_own(next, "spec"), "replicas", n);
	world_bump(next);
	json_object_set_new(jx_own(next, "metadata"), "managedFields",
	    fields_managed(d->kind, d->json, next, &w, NULL));
	store_put(d->kind, d, next);
}

static json_t *
condition(const char *type, const char *status, const char *reason, const char *message)
{
	char now[32];

	wall_text(now, sizeof(now));
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status,
	    "lastTransitionTime", now, "reason", reason, "message", message);
}

static void
write_status(struct obj *hpa, int64_t have, int64_t want)
{
	json_t *old = json_object_get(hpa->json, "status"), *next;

	if (old != NULL && jx_int(old, "currentReplicas", -1) == have &&
	    jx_int(old, "desiredReplicas", -1) == want)
		return;
	next = json_copy(hpa->json);
	json_object_set_new(next, "status",
	    json_pack("{s:I, s:I, s:n, s:[o, o]}", "currentReplicas", (json_int_t)have,
		"desiredReplicas", (json_int_t)want, "currentMetrics", "conditions",
		condition("AbleToScale", "True", "SucceededGetScale",
		    "the HPA controller was able to get the target's current scale"),
		condition("ScalingActive", "False",
		    have == 0 ? "ScalingDisabled" : "FailedGetResourceMetric",
		    "there are no metrics here")));
	store_put(hpa->kind, hpa, next);
}

static void
sync_hpa(struct obj *hpa)
{
	char *key = target_key(hpa, hpa->json);
	struct obj *d;
	int64_t have, want;

	if (key == NULL)
		return;
	d = store_get(&kinds[K_DEPLOYMENT], hpa->ns, strchr(key, '/') + 1);
	free(key);
	if (d == NULL)
		return;
	have = jx_int(d->json, "spec.replicas", 1);
	want = wanted(hpa, have);
	if (want != have)
		scalers_scale(d, want, "kube-controller-manager");
	write_status(hpa, jx_int(d->json, "status.replicas", 0), want);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct obj *hpa;
	char *key;

	if (o->kind->id == K_DEPLOYMENT && change != DELETED) {
		hpa = map_get(&by_target, o->key);
		if (hpa != NULL)
			plan_task(hpa, T_SYNC, 50);
	}
	if (o->kind->id != K_HPA)
		return;
	key = before != NULL ? target_key(o, before) : NULL;
	if (key != NULL && map_get(&by_target, key) == o)
		map_set(&by_target, key, NULL);
	free(key);
	key = change != DELETED ? target_key(o, o->json) : NULL;
	if (key != NULL) {
		map_set(&by_target, key, o);
		plan_task(o, T_SYNC, 50);
	}
	free(key);
}

void
scalers_init(void)
{
	store_listen(changed);
	plan_register(K_HPA, T_SYNC, sync_hpa);
}
