/* The table of writes per strategy, which is that of config/rbac.yaml: a patch or a deletion is of
 * one object by its name, a creation of a kind. */
#include "cluster/rights.h"

#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/autoscaler.h"
#include "cluster/budgets.h"
#include "cluster/kube_kinds.h"
#include "cluster/route_form.h"
#include "cluster/workload.h"

struct row { /* of rights, being filled */
	const struct app *app;
	const struct observe_objects *objects;
	struct right *rights;
	int count;
};

static void
add(struct row *row, const char *verb, enum kube_kind kind, const char *name)
{
	const struct kube_kind_info *info = kube_kind_info(kind);
	struct right *right = &row->rights[row->count];

	if (row->count == RIGHTS_MAX)
		return;
	*right = (struct right){.verb = verb, .group = info->group, .resource = info->plural};
	str_copy(right->namespace, sizeof(right->namespace), row->app->namespace);
	str_copy(right->name, sizeof(right->name), name);
	row->count++;
}

/* What is not there is made, and whoever makes it must be able to take it away. */
static void
add_made(struct row *row, enum kube_kind kind, const json_t *object, const char *name)
{
	if (object == NULL)
		add(row, "create", kind, "");
	if (object == NULL || (!row->app->colours && workload_is_ours(object, row->app->name)))
		add(row, "delete", kind, name);
}

/* Its pods are deleted one by one; of a StatefulSet only one that is stuck, by its name. */
static void
add_rolling(struct row *row)
{
	const struct app *app = row->app;
	char first[APP_NAME];

	if (app->batch.backup[0] != '\0')
		add(row, "create", KUBE_JOBS, "");
	if (app->kind == WORKLOAD_DAEMONSET)
		add(row, "delete", KUBE_PODS, "");
	if (app->kind != WORKLOAD_STATEFULSET || row->count == RIGHTS_MAX)
		return;
	str_print(first, sizeof(first), "%s-0", app->workload);
	add(row, "delete", KUBE_PODS, first);
	row->rights[row->count - 1].spare = ", which is needed for a pod that is stuck";
}

static void
add_workloads(struct row *row)
{
	const struct app *app = row->app;
	struct autoscaler scaler;

	add(row, "patch", workload_kind(app), app->workload);
	if (app->rolls) {
		add_rolling(row);
	} else {
		add(row, "patch", KUBE_DEPLOYMENTS, app->canary);
		add_made(row, KUBE_DEPLOYMENTS, row->objects->canary, app->canary);
	}
	autoscaler_find(row->objects, &scaler);
	if (scaler.name != NULL)
		add(row, "patch", scaler.kind, scaler.name);
}

static void
add_traffic(struct row *row)
{
	const struct traffic_spec *traffic = &row->app->traffic;
	const struct observe_objects *objects = row->objects;

	add(row, "patch", route_form(row->app)->kind, traffic->route);
	if (traffic->mode == TRAFFIC_SUBSET) {
		add(row, "patch", KUBE_DESTINATIONRULES, traffic->destination_rule);
		add_made(row, KUBE_DESTINATIONRULES, objects->rule, traffic->destination_rule);
		return;
	}
	if (traffic->kind == TRAFFIC_SERVICE)
		add(row, "patch", KUBE_SERVICES, traffic->canary_service);
	add_made(row, KUBE_SERVICES, objects->canary_service, traffic->canary_service);
}

/* The other colour gets one, and whoever makes it must be able to take it away. */
static void
add_budgets(struct row *row)
{
	struct budgets_seen seen = {.stable = false};

	budgets_look(row->app, row->objects, &seen);
	if (!seen.stable || seen.canary)
		return;
	add(row, "create", KUBE_BUDGETS, "");
	add(row, "delete", KUBE_BUDGETS, row->app->canary);
}

int
rights_of(
    const struct app *app, const struct observe_objects *objects, struct right rights[RIGHTS_MAX])
{
	struct row row = {.app = app, .objects = objects, .rights = rights};

	add_workloads(&row);
	if (!app->rolls)
		add_traffic(&row);
	if (app->colours)
		add_budgets(&row);
	return row.count;
}

int
rights_of_lease(const char *ns, const char *name, struct right rights[RIGHTS_MAX], int count)
{
	static const char *const verbs[] = {"get", "patch", "create"};

	for (int i = 0; i < 3 && count < RIGHTS_MAX; i++) {
		struct right *right = &rights[count++];
		bool create = i == 2;

		*right = (struct right){.verb = verbs[i],
		    .group = "coordination.k8s.io",
		    .resource = "leases",
		    .spare = create ? ", which is needed while the Lease is not there" : NULL};
		str_copy(right->namespace, sizeof(right->namespace), ns);
		str_copy(right->name, sizeof(right->name), create ? "" : name);
	}
	return count;
}

int
rights_of_events(const char *ns, struct right rights[RIGHTS_MAX], int count)
{
	struct right *right = &rights[count];

	if (count == RIGHTS_MAX)
		return count;
	*right = (struct right){.verb = "create",
	    .group = "",
	    .resource = "events",
	    .spare = ", which shows on the workload what becomes of a rollout (clusters[].events)"};
	str_copy(right->namespace, sizeof(right->namespace), ns);
	return count + 1;
}

json_t *
rights_question(const struct right *right)
{
	json_t *about = json_pack("{s:s, s:s, s:s, s:s}", "namespace", right->namespace, "verb",
	    right->verb, "group", right->group, "resource", right->resource);

	if (right->name[0] != '\0')
		json_object_set_new(about, "name", json_string(right->name));
	return json_pack("{s:s, s:s, s:{s:o}}", "apiVersion", "authorization.k8s.io/v1", "kind",
	    "SelfSubjectAccessReview", "spec", "resourceAttributes", about);
}

/* What the API server gave as a reason, if it did: RBAC does not. */
static const char *
reason_of(const json_t *body)
{
	const char *reason = jsonx_text_or(body, "status.reason", "");

	return reason[0] != '\0' ? reason : jsonx_text_or(body, "status.evaluationError", "");
}

static void
deny(const struct right *right, const char *reason, struct errlist *to)
{
	bool named = right->name[0] != '\0', why = reason[0] != '\0';
	bool spare = right->spare != NULL;

	errlist_add(to, "",
	    "airisd may not %s %s%s%s in namespace %s%s%s%.200s%s: allow it in a Role there: "
	    "apiGroups [\"%s\"], resources [%s], verbs [%s]%s%s%s",
	    right->verb, right->resource, named ? " " : "", right->name, right->namespace,
	    spare ? right->spare : "", why ? " (" : "", reason, why ? ")" : "", right->group,
	    right->resource, right->verb, named ? ", resourceNames [" : "", right->name,
	    named ? "]" : "");
}

int
rights_judge(const struct right *right, const json_t *body, struct findings *found, struct err *e)
{
	const json_t *allowed = jsonx_at(body, "status.allowed");

	if (!json_is_boolean(allowed))
		return err_set(e, "the answer has no status.allowed");
	if (!json_is_true(allowed))
		deny(right, reason_of(body),
		    right->spare != NULL ? &found->warnings : &found->problems);
	return 0;
}
