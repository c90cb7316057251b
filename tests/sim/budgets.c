/* budgets: the status of PodDisruptionBudgets: how many pods there are, have to be, and may be
 * evicted now. Nothing is evicted here: who deletes a pod asks the status first, or does not. */
#include "ends.h"
#include "jx.h"
#include "plan.h"
#include "podmake.h"
#include "select.h"
#include "util.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

struct budget {
	struct obj **pods;
	size_t n;
	int64_t expected, healthy, desired, allowed;
};

static bool
holds(const json_t *expression, const json_t *labels)
{
	const char *how = jx_str(expression, "operator");
	const char *label = json_string_value(json_object_get(labels, jx_str(expression, "key")));
	json_t *value;
	bool among = false;
	size_t i;

	json_array_foreach(json_object_get(expression, "values"), i, value) among |=
	    label != NULL && strcmp(label, json_string_value(value)) == 0;
	if (strcmp(how, "In") == 0 || strcmp(how, "NotIn") == 0)
		return among == (how[0] == 'I');
	return (label != NULL) == (strcmp(how, "Exists") == 0);
}

static bool
covers(const struct obj *pdb, const json_t *pod)
{
	json_t *wanted = jx_at(pdb->json, "spec.selector.matchLabels"), *expression;
	json_t *labels = jx_at(pod, "metadata.labels");
	size_t i;

	if (json_object_size(wanted) > 0 && !labels_match(wanted, labels))
		return false;
	json_array_foreach(jx_at(pdb->json, "spec.selector.matchExpressions"), i, expression)
	{
		if (!holds(expression, labels))
			return false;
	}
	return true;
}

/* What has the pod's number of replicas: its Deployment, StatefulSet or lone ReplicaSet. */
static struct obj *
scaler_of(const struct obj *pod)
{
	struct obj *owner = store_owner(pod), *above;

	if (owner == NULL || !owner->kind->scale)
		return NULL;
	above = store_owner(owner);
	return above != NULL && above->kind->scale ? above : owner;
}

/* The sum of what the pods' controllers want, each counted once. */
static int64_t
wanted(const struct budget *b)
{
	int64_t sum = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct obj *scaler = scaler_of(b->pods[i]);
		bool seen = scaler == NULL;

		for (size_t k = 0; k < i && !seen; k++)
			seen = scaler_of(b->pods[k]) == scaler;
		if (!seen)
			sum += jx_int(scaler->json, "spec.replicas", 1);
	}
	return sum;
}

static void
look(struct budget *b, const struct obj *pdb)
{
	json_t *least = jx_at(pdb->json, "spec.minAvailable");
	json_t *most = jx_at(pdb->json, "spec.maxUnavailable");
	size_t from, to, n;
	struct obj **all = store_all(&kinds[K_POD], &n);

	store_range(&kinds[K_POD], pdb->ns, &from, &to);
	*b = (struct budget){.pods = xalloc((to - from + 1) * sizeof(*b->pods))};
	for (; from < to; from++) {
		if (!covers(pdb, all[from]->json))
			continue;
		b->pods[b->n++] = all[from];
		b->healthy += !pod_going(all[from]) && ends_pod_ready(all[from]->json);
	}
	b->expected = json_is_integer(least) ? (int64_t)b->n : wanted(b);
	if (most != NULL)
		b->desired = b->expected - jx_share(most, b->expected, true);
	else
		b->desired = jx_share(least, b->expected, true);
	if (b->desired < 0)
		b->desired = 0;
	if (b->expected > 0 && b->healthy > b->desired)
		b->allowed = b->healthy - b->desired;
}

static json_t *
condition(const struct obj *pdb, bool allowed)
{
	json_t *old = json_array_get(jx_at(pdb->json, "status.conditions"), 0);
	const char *status = allowed ? "True" : "False", *since = NULL;
	char now[32];

	wall_text(now, sizeof(now));
	if (old != NULL && strcmp(jx_str(old, "status"), status) == 0)
		since = jx_str(old, "lastTransitionTime");
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "type", "DisruptionAllowed", "status",
	    status, "reason", allowed ? "SufficientPods" : "InsufficientPods", "message", "",
	    "lastTransitionTime", since != NULL ? since : now, "observedGeneration",
	    (json_int_t)jx_int(pdb->json, "metadata.generation", 1));
}

static void
sync_budget(struct obj *pdb)
{
	struct budget b;
	json_t *next = json_copy(pdb->json), *status;

	look(&b, pdb);
	free(b.pods);
	status = json_pack("{s:I, s:I, s:I, s:I, s:I, s:[o]}", "observedGeneration",
	    (json_int_t)jx_int(pdb->json, "metadata.generation", 1), "expectedPods",
	    (json_int_t)b.expected, "currentHealthy", (json_int_t)b.healthy, "desiredHealthy",
	    (json_int_t)b.desired, "disruptionsAllowed", (json_int_t)b.allowed, "conditions",
	    condition(pdb, b.allowed > 0));
	json_object_set_new(next, "status", status);
	if (json_equal(status, json_object_get(pdb->json, "status")))
		json_decref(next);
	else
		store_put(pdb->kind, pdb, next);
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	size_t from, to, n;
	struct obj **all = store_all(&kinds[K_PDB], &n);

	if (o->kind->id == K_PDB && change != DELETED)
		plan_task(o, T_SYNC, 10);
	if (o->kind->id != K_POD || n == 0)
		return;
	store_range(&kinds[K_PDB], o->ns, &from, &to);
	for (; from < to; from++)
		if (covers(all[from], o->json) || (before != NULL && covers(all[from], before)))
			plan_task(all[from], T_SYNC, 10);
}

void
budgets_init(void)
{
	store_listen(changed);
	plan_register(K_PDB, T_SYNC, sync_budget);
}
