/* table: see table.h. A column is a title and where its cell comes from: a dotted path, or a
 * word with @ for what has to be worked out. */
#include "table.h"

#include "jx.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

struct column {
	const char *title, *from;
};

enum { COLUMNS = 8 };

static const struct column plain[COLUMNS] = {{"Name", "metadata.name"}, {"Age", "@age"}};

static const struct column columns[K_COUNT][COLUMNS] = {
    [K_NAMESPACE] = {{"Name", "metadata.name"}, {"Status", "status.phase"}, {"Age", "@age"}},
    [K_POD] = {{"Name", "metadata.name"}, {"Ready", "@ready"}, {"Status", "@state"},
	{"Restarts", "@restarts"}, {"Age", "@age"}},
    [K_SERVICE] = {{"Name", "metadata.name"}, {"Type", "spec.type"},
	{"Cluster-IP", "spec.clusterIP"}, {"Age", "@age"}},
    [K_EVENT] = {{"Last Seen", "@age"}, {"Type", "type"}, {"Reason", "reason"},
	{"Object", "involvedObject.name"}, {"Message", "message"}},
    [K_DEPLOYMENT] = {{"Name", "metadata.name"}, {"Ready", "@replicas"},
	{"Up-to-date", "status.updatedReplicas"}, {"Available", "status.availableReplicas"},
	{"Age", "@age"}},
    [K_REPLICASET] = {{"Name", "metadata.name"}, {"Desired", "spec.replicas"},
	{"Current", "status.replicas"}, {"Ready", "status.readyReplicas"}, {"Age", "@age"}},
    [K_STATEFULSET] = {{"Name", "metadata.name"}, {"Ready", "@replicas"}, {"Age", "@age"}},
    [K_DAEMONSET] = {{"Name", "metadata.name"}, {"Desired", "status.desiredNumberScheduled"},
	{"Current", "status.currentNumberScheduled"}, {"Ready", "status.numberReady"},
	{"Up-to-date", "status.updatedNumberScheduled"}, {"Available", "status.numberAvailable"},
	{"Age", "@age"}},
    [K_REVISION] = {{"Name", "metadata.name"}, {"Controller", "metadata.ownerReferences"},
	{"Revision", "revision"}, {"Age", "@age"}},
    [K_JOB] = {{"Name", "metadata.name"}, {"Completions", "spec.completions"},
	{"Succeeded", "status.succeeded"}, {"Age", "@age"}},
    [K_CRONJOB] = {{"Name", "metadata.name"}, {"Schedule", "spec.schedule"},
	{"Suspend", "spec.suspend"}, {"Age", "@age"}},
    [K_PDB] = {{"Name", "metadata.name"}, {"Min Available", "spec.minAvailable"},
	{"Max Unavailable", "spec.maxUnavailable"}, {"Age", "@age"}},
    [K_CLAIM] = {{"Name", "metadata.name"}, {"Status", "status.phase"},
	{"StorageClass", "spec.storageClassName"}, {"Age", "@age"}},
    [K_STORAGE] = {{"Name", "metadata.name"}, {"Provisioner", "provisioner"},
	{"ReclaimPolicy", "reclaimPolicy"}, {"Age", "@age"}},
    [K_HPA] = {{"Name", "metadata.name"}, {"Reference", "spec.scaleTargetRef.name"},
	{"MinPods", "spec.minReplicas"}, {"MaxPods", "spec.maxReplicas"},
	{"Replicas", "status.currentReplicas"}, {"Age", "@age"}},
    [K_VS] = {{"Name", "metadata.name"}, {"Gateways", "spec.gateways"}, {"Hosts", "spec.hosts"},
	{"Age", "@age"}},
    [K_HTTPROUTE] = {{"Name", "metadata.name"}, {"Hostnames", "spec.hostnames"}, {"Age", "@age"}},
    [K_SCALED] = {{"Name", "metadata.name"}, {"ScaleTargetName", "spec.scaleTargetRef.name"},
	{"Min", "spec.minReplicaCount"}, {"Max", "spec.maxReplicaCount"}, {"Age", "@age"}},
    [K_DR] = {{"Name", "metadata.name"}, {"Host", "spec.host"}, {"Age", "@age"}},
};

bool
table_wanted(const char *accept)
{
	return accept != NULL && strstr(accept, "as=Table") != NULL;
}

static json_t *
age(const json_t *o)
{
	int64_t s = wall_now() - wall_parse(jx_str(o, "metadata.creationTimestamp"));

	if (s < 120)
		return json_sprintf("%llds", (long long)s);
	if (s < 7200)
		return json_sprintf("%lldm", (long long)s / 60);
	return json_sprintf("%lldh", (long long)s / 3600);
}

static json_t *
pod_cell(const json_t *o, const char *what)
{
	json_t *all = jx_at(o, "status.containerStatuses"), *c;
	long long ready = 0, restarts = 0;
	const char *state = jx_str(o, "status.phase");
	size_t i;

	json_array_foreach(all, i, c)
	{
		ready += jx_bool(c, "ready");
		restarts += jx_int(c, "restartCount", 0);
		if (jx_str(c, "state.waiting.reason") != NULL)
			state = jx_str(c, "state.waiting.reason");
	}
	if (jx_str(o, "metadata.deletionTimestamp") != NULL)
		state = "Terminating";
	if (strcmp(what, "@restarts") == 0)
		return json_integer(restarts);
	if (strcmp(what, "@state") == 0)
		return json_string(state != NULL ? state : "Unknown");
	return json_sprintf("%lld/%zu", ready, json_array_size(jx_at(o, "spec.containers")));
}

static json_t *
cell(const json_t *o, const char *from)
{
	json_t *v;

	if (strcmp(from, "@age") == 0)
		return age(o);
	if (strcmp(from, "@replicas") == 0)
		return json_sprintf("%lld/%lld", (long long)jx_int(o, "status.readyReplicas", 0),
		    (long long)jx_int(o, "spec.replicas", 0));
	if (*from == '@')
		return pod_cell(o, from);
	v = jx_at(o, from);
	if (v == NULL)
		return strncmp(from, "status.", 7) == 0 ? json_integer(0) : json_string("");
	if (json_is_array(v)) {
		char *text = jx_dump(v, NULL);

		v = json_string(text);
		free(text);
		return v;
	}
	return json_incref(v);
}

static const struct column *
columns_of(const struct kind *k)
{
	return columns[k->id][0].title != NULL ? columns[k->id] : plain;
}

static json_t *
definitions(const struct kind *k)
{
	const struct column *c = columns_of(k);
	json_t *list = json_array();

	for (size_t i = 0; i < COLUMNS && c[i].title != NULL; i++)
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", c[i].title, "type", "string",
			"format", i == 0 ? "name" : "", "description", c[i].title, "priority", 0));
	return list;
}

json_t *
table_new(const struct kind *k, const json_t *items, json_t *metadata)
{
	const struct column *c = columns_of(k);
	json_t *rows = json_array(), *o, *cells;
	size_t i;

	json_array_foreach(items, i, o)
	{
		cells = json_array();
		for (size_t j = 0; j < COLUMNS && c[j].title != NULL; j++)
			json_array_append_new(cells, cell(o, c[j].from));
		json_array_append_new(
		    rows, json_pack("{s:o, s:{s:s, s:s, s:O}}", "cells", cells, "object", "kind",
			      "PartialObjectMetadata", "apiVersion", "meta.k8s.io/v1", "metadata",
			      json_object_get(o, "metadata")));
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "kind", "Table", "apiVersion",
	    "meta.k8s.io/v1", "metadata", metadata != NULL ? json_incref(metadata) : json_object(),
	    "columnDefinitions", definitions(k), "rows", rows);
}
