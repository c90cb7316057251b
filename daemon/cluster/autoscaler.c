/* The autoscaler of one app, whichever of the two kinds it is. */
#include "cluster/autoscaler.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/route.h"

#define PAUSED "metadata.annotations.autoscaling\\.keda\\.sh/paused"
#define PAUSED_AT PAUSED "-replicas"

/* --- which one --- */

const char *
autoscaler_owner(const json_t *hpa)
{
	const json_t *owner;
	size_t i;

	json_array_foreach(jsonx_at(hpa, "metadata.ownerReferences"), i, owner)
	{
		if (jsonx_bool(owner, "controller", false) &&
		    str_equal(jsonx_text(owner, "kind"), "ScaledObject") &&
		    str_starts(jsonx_text_or(owner, "apiVersion", ""), "keda.sh/"))
			return jsonx_text(owner, "name");
	}
	return NULL;
}

static const json_t *
made_from(const struct observe_objects *objects, const char *scaled)
{
	const json_t *hpa;
	size_t i;

	json_array_foreach(objects->hpas, i, hpa)
	{
		if (str_equal(autoscaler_owner(hpa), scaled))
			return hpa;
	}
	return NULL;
}

void
autoscaler_find(const struct observe_objects *objects, struct autoscaler *found)
{
	const json_t *scaled = json_array_get(objects->scaled, 0);
	const json_t *hpa = json_array_get(objects->hpas, 0);
	const char *owner = autoscaler_owner(hpa);

	*found = (struct autoscaler){.kind = KUBE_HPAS};
	if (scaled != NULL) {
		found->kind = KUBE_SCALEDOBJECTS;
		found->object = scaled;
		found->name = jsonx_text_or(scaled, "metadata.name", "");
		found->hpa = made_from(objects, found->name);
	} else if (owner != NULL) {
		found->kind = KUBE_SCALEDOBJECTS;
		found->name = owner;
		found->hpa = hpa;
	} else if (hpa != NULL) {
		found->object = hpa;
		found->name = jsonx_text_or(hpa, "metadata.name", "");
	}
}

/* --- looking --- */

static bool
is_paused(const json_t *scaled)
{
	return str_equal(jsonx_text(scaled, PAUSED), "true") ||
	       jsonx_text(scaled, PAUSED_AT) != NULL;
}

/* KEDA gives its HPA the same target and floor, but never a floor of 0. While it is paused it does
 * nothing. */
static bool
lags(const json_t *scaled, const json_t *hpa)
{
	int min = jsonx_count(scaled, "spec.minReplicaCount", 0);
	const char *target = jsonx_text(scaled, "spec.scaleTargetRef.name");

	return hpa != NULL && !is_paused(scaled) &&
	       (!str_equal(jsonx_text(hpa, "spec.scaleTargetRef.name"), target) ||
		   jsonx_count(hpa, "spec.minReplicas", 1) != (min > 0 ? min : 1));
}

static void
look_scaled(const struct autoscaler *found, struct hpa_seen *seen)
{
	const json_t *scaled = found->object;

	seen->min = jsonx_count(scaled, "spec.minReplicaCount", 0);
	seen->max = jsonx_count(scaled, "spec.maxReplicaCount", 100);
	seen->bare = jsonx_at(scaled, "spec.minReplicaCount") == NULL;
	seen->idle = jsonx_count(scaled, "spec.idleReplicaCount", -1);
	seen->idles = seen->idle >= 0;
	seen->idle = seen->idles ? seen->idle : 0;
	seen->paused = is_paused(scaled);
	if (lags(scaled, found->hpa))
		str_copy(seen->lags, sizeof(seen->lags),
		    jsonx_text_or(found->hpa, "metadata.name", "?"));
}

/* A ScaledObject that is not seen is there all the same: its workload is not ours to size. */
void
autoscaler_look(const struct app *app, const struct observe_objects *objects, struct hpa_seen *seen)
{
	struct autoscaler found;
	const json_t *bounds;

	autoscaler_find(objects, &found);
	if (found.name == NULL)
		return;
	bounds = found.object != NULL ? found.object : found.hpa;
	seen->exists = true;
	seen->keda = found.kind == KUBE_SCALEDOBJECTS;
	str_copy(seen->name, sizeof(seen->name), found.name);
	seen->on_canary = str_equal(jsonx_text(bounds, "spec.scaleTargetRef.name"), app->canary);
	if (seen->keda && found.object != NULL) {
		look_scaled(&found, seen);
		return;
	}
	seen->min = jsonx_count(bounds, "spec.minReplicas", 1);
	seen->max = jsonx_count(bounds, "spec.maxReplicas", 0);
}

/* --- writing --- */

static void
set_count(json_t *patch, const json_t *object, const char *name, int count)
{
	char *at = str_format("spec.%s", name), *path = str_format("/spec/%s", name);

	if (count < 0 && jsonx_at(object, at) != NULL)
		route_patch_add(patch, "remove", path, NULL);
	else if (count >= 0 && jsonx_int(object, at, -1) != count)
		route_patch_add(patch, "add", path, json_integer(count));
	free(path);
	free(at);
}

/* A floor that is held replaces the idle count, and both come back as they were: absent where they
 * were absent. */
json_t *
autoscaler_floor_patch(
    const struct autoscaler *found, const struct baseline *baseline, const struct act *act)
{
	json_t *patch = route_patch_of(found->object);
	bool home = act->number == ACT_AS_IT_WAS;
	int min = home && baseline->keda_bare ? -1 : home ? baseline->hpa_min : act->number;

	if (found->kind == KUBE_HPAS && jsonx_int(found->object, "spec.minReplicas", 1) == min)
		return route_patch_end(patch);
	if (found->kind == KUBE_HPAS) {
		set_count(patch, found->object, "minReplicas", min);
		return route_patch_end(patch);
	}
	set_count(patch, found->object, "minReplicaCount", min);
	set_count(patch, found->object, "idleReplicaCount",
	    home && baseline->keda_idles ? baseline->keda_idle : -1);
	return route_patch_end(patch);
}

json_t *
autoscaler_follow_patch(const struct autoscaler *found, const char *workload)
{
	json_t *patch = route_patch_of(found->object);

	if (!str_equal(jsonx_text(found->object, "spec.scaleTargetRef.name"), workload))
		route_patch_add(
		    patch, "replace", "/spec/scaleTargetRef/name", json_string(workload));
	return route_patch_end(patch);
}

/* --- before a start --- */

static const char *
kind_name(const struct hpa_seen *hpa)
{
	return kube_kind_info(hpa->keda ? KUBE_SCALEDOBJECTS : KUBE_HPAS)->name;
}

static size_t
count_own(const struct observe_objects *objects)
{
	const json_t *hpa;
	size_t i, count = 0;

	json_array_foreach(objects->hpas, i, hpa) count += autoscaler_owner(hpa) == NULL;
	return count;
}

static int
check_one(const struct app *app, const struct observe_objects *objects, struct err *e)
{
	size_t scaled = json_array_size(objects->scaled), own = count_own(objects);
	const char *kind = app_workload_kind(app);
	const char *other = app->colours ? " or the other colour's" : "";

	if (scaled + own < 2)
		return 0;
	if (scaled == 0)
		return err_set(e, "several HorizontalPodAutoscalers target %s %s%s: keep one", kind,
		    app->workload, other);
	if (own == 0)
		return err_set(e, "several ScaledObjects target %s %s%s: keep one", kind,
		    app->workload, other);
	return err_set(e,
	    "ScaledObject %s and a HorizontalPodAutoscaler of your own both target %s %s%s: keep "
	    "one",
	    jsonx_text_or(json_array_get(objects->scaled, 0), "metadata.name", "?"), kind,
	    app->workload, other);
}

/* KEDA is about to shrink it. Paused at the size that it has, or as it is, it keeps that. */
static int
check_paused(const struct observed *seen, const json_t *scaled, struct err *e)
{
	const char *at = jsonx_text(scaled, PAUSED_AT);
	const struct workload_seen *side = seen->hpa.on_canary ? &seen->canary : &seen->stable;
	long count = at != NULL ? strtol(at, NULL, 10) : LONG_MAX;

	if (side->replicas <= 0 || count >= side->replicas)
		return 0;
	return err_set(e,
	    "ScaledObject %s is paused at %.20s pods (autoscaling.keda.sh/paused-replicas) and %s "
	    "has %d: no floor can hold those; take the annotation away, or scale it to that first",
	    seen->hpa.name, at, side->name, side->replicas);
}

int
autoscaler_check(const struct app *app, const struct observe_objects *objects,
    const struct observed *seen, struct err *e)
{
	struct autoscaler found;

	if (check_one(app, objects, e) < 0)
		return -1;
	autoscaler_find(objects, &found);
	if (found.kind != KUBE_SCALEDOBJECTS)
		return 0;
	if (found.object == NULL)
		return err_set(e,
		    "HorizontalPodAutoscaler %s was made from ScaledObject %s, which airisd does "
		    "not see: its Role needs get, list and watch of scaledobjects "
		    "(apiGroups [\"keda.sh\"]); it looks again within five minutes",
		    jsonx_text_or(found.hpa, "metadata.name", "?"), found.name);
	return check_paused(seen, found.object, e);
}

int
autoscaler_warn(const struct app *app, const struct observed *seen, struct err *e)
{
	const struct hpa_seen *hpa = &seen->hpa;
	const struct workload_seen *stable = &seen->stable;

	if (!hpa->exists)
		return 0;
	if (hpa->paused)
		return err_set(e,
		    "ScaledObject %s is paused (annotation autoscaling.keda.sh/paused or "
		    "paused-replicas): %s %s does not grow with its load, and its floor is not "
		    "held",
		    hpa->name, app_workload_kind(app), stable->name);
	if (stable->replicas <= hpa->max)
		return 0;
	return err_set(e,
	    "%s %s allows %d pods and %s %s has %d: raise %s, or it is shrunk during the rollout",
	    kind_name(hpa), hpa->name, hpa->max, app_workload_kind(app), stable->name,
	    stable->replicas, hpa->keda ? "maxReplicaCount" : "maxReplicas");
}

int
autoscaler_warn_canary(const struct app *app, const struct observe_objects *objects, struct err *e)
{
	const json_t *hpa = json_array_get(objects->canary_hpas, 0);
	const char *owner = autoscaler_owner(hpa);

	if (hpa == NULL)
		return 0;
	return err_set(e, "%s %s scales Deployment %s, which airisd makes and sizes: delete it",
	    owner != NULL ? "ScaledObject" : "HorizontalPodAutoscaler",
	    owner != NULL ? owner : jsonx_text_or(hpa, "metadata.name", "?"), app->canary);
}
