/* A workload's pace in the fields of its kind. */
#include "cluster/act_pace.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/route.h"

static void
set_seconds(json_t *patch, const json_t *deployment, const char *key, int seconds)
{
	char *path = str_format("spec.%s", key), *pointer = str_format("/spec/%s", key);

	if (jsonx_int(deployment, path, -1) != seconds && seconds >= 0)
		route_patch_add(patch, "add", pointer, json_integer(seconds));
	else if (seconds < 0 && jsonx_at(deployment, path) != NULL)
		route_patch_add(patch, "remove", pointer, NULL);
	free(pointer);
	free(path);
}

static json_t *
amount_json(const char *text)
{
	if (text[0] == '\0')
		return NULL;
	return strchr(text, '%') != NULL ? json_string(text)
					 : json_integer(strtoll(text, NULL, 10));
}

static void
set_amount(json_t *patch, const json_t *deployment, const char *key, const char *text)
{
	const json_t *rolling = jsonx_at(deployment, "spec.strategy.rollingUpdate");
	const json_t *old = json_object_get(rolling, key);
	char *pointer = str_format("/spec/strategy/rollingUpdate/%s", key);
	json_t *value = amount_json(text);

	if (value != NULL && !json_equal(value, old))
		route_patch_add(patch, "add", pointer, json_incref(value));
	else if (value == NULL && old != NULL)
		route_patch_add(patch, "remove", pointer, NULL);
	json_decref(value);
	free(pointer);
}

/* One that somebody made Recreate meanwhile rolls again, as it did before. */
static void
set_amounts(json_t *patch, const json_t *deployment, const struct pace *pace)
{
	json_t *surge, *unavailable;

	if (jsonx_at(deployment, "spec.strategy.rollingUpdate") != NULL) {
		set_amount(patch, deployment, "maxSurge", pace->surge);
		set_amount(patch, deployment, "maxUnavailable", pace->unavailable);
		return;
	}
	surge = amount_json(pace->surge);
	unavailable = amount_json(pace->unavailable);
	route_patch_add(patch, "add", "/spec/strategy",
	    json_pack("{s:s, s:{s:o*, s:o*}}", "type", "RollingUpdate", "rollingUpdate", "maxSurge",
		surge, "maxUnavailable", unavailable));
}

/* The API server gives it a type; its rollingUpdate goes when somebody made it OnDelete. */
static void
set_partition(json_t *patch, const json_t *stateful, int partition)
{
	const json_t *rolling = jsonx_at(stateful, "spec.updateStrategy.rollingUpdate");

	if (rolling == NULL)
		route_patch_add(patch, "add", "/spec/updateStrategy",
		    json_pack("{s:s, s:{s:i}}", "type", "RollingUpdate", "rollingUpdate",
			"partition", partition));
	else if (jsonx_int(rolling, "partition", 0) != partition)
		route_patch_add(patch, "add", "/spec/updateStrategy/rollingUpdate/partition",
		    json_integer(partition));
}

/* Its amounts stay: OnDelete has no use for them, and does not mind. */
static void
set_by_hand(json_t *patch, const json_t *daemons, bool by_hand)
{
	const char *type = by_hand ? "OnDelete" : "RollingUpdate";

	if (!str_equal(jsonx_text(daemons, "spec.updateStrategy.type"), type))
		route_patch_add(patch, "add", "/spec/updateStrategy/type", json_string(type));
}

void
act_pace_set(json_t *patch, const json_t *deployment, const struct pace *pace)
{
	if (pace->nodes) {
		set_by_hand(patch, deployment, pace->by_hand);
		return;
	}
	if (pace->ordinals) {
		set_partition(patch, deployment, pace->partition);
		return;
	}
	set_seconds(patch, deployment, "minReadySeconds", pace->min_ready_s);
	set_seconds(patch, deployment, "progressDeadlineSeconds", pace->deadline_s);
	set_amounts(patch, deployment, pace);
}

bool
act_pace_can(const struct app *app, const json_t *workload)
{
	if (app->kind == WORKLOAD_DAEMONSET)
		return true;
	if (app->kind == WORKLOAD_STATEFULSET)
		return !str_equal(jsonx_text(workload, "spec.updateStrategy.type"), "OnDelete");
	return jsonx_at(workload, "spec.strategy.rollingUpdate") != NULL;
}

struct pace
act_pace_held(const struct app *app, const json_t *workload, int number)
{
	int size = jsonx_count(workload, "spec.replicas", 1);

	if (app->kind == WORKLOAD_DAEMONSET)
		return pace_hold_nodes();
	return app->kind == WORKLOAD_STATEFULSET
		   ? pace_hold_ordinals(number, size)
		   : pace_hold(number, pace_share(&app->batch.surge, size));
}
