/* The kinds of objects that are cached, one line of a table each: adding a kind is adding a line
 * here and in kube_kinds.c. Pure. */
#ifndef CLUSTER_KUBE_KINDS_H
#define CLUSTER_KUBE_KINDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum kube_kind {
	KUBE_DEPLOYMENTS,
	KUBE_STATEFULSETS,
	KUBE_DAEMONSETS,
	KUBE_REPLICASETS,
	KUBE_CRONJOBS,
	KUBE_JOBS,
	KUBE_PODS,
	KUBE_SERVICES,
	KUBE_ENDPOINTSLICES,
	KUBE_HPAS,
	KUBE_VIRTUALSERVICES,
	KUBE_DESTINATIONRULES,
	KUBE_HTTPROUTES,
	KUBE_BUDGETS,
	KUBE_SCALEDOBJECTS
};
enum { KUBE_KINDS = KUBE_SCALEDOBJECTS + 1 };

/* Of the object at path ("spec", "spec.containers[]": each element) only these members are kept. */
struct kube_kept {
	const char *path; /* NULL ends the list */
	const char *members[12];
};

struct kube_kind_info {
	const char *name;	 /* "Deployment" */
	const char *plural;	 /* "deployments" */
	const char *group;	 /* "apps"; "": core */
	const char *versions[3]; /* tried in this order (404: the next), NULL-terminated */
	bool managed_fields; /* kept: who owns images, sizes, routes and subsets; else dropped */
	/* What cached objects keep; NULL: everything else than what is said above. */
	const struct kube_kept *kept;
	/* Writes the key it is indexed by; false: it has none. NULL: no index. */
	bool (*index)(const json_t *object, char *to, size_t size);
	const char *index_label; /* the key is this label's value; NULL: it is not a label's */
	/* Few clusters have it: where it is not known (404), or no Role speaks of it (403), there
	 * are none of it, and that is asked again now and then. */
	bool optional;
};

const struct kube_kind_info *kube_kind_info(enum kube_kind kind);
/* Drops in place what nobody reads: apiVersion and kind (items of lists have none), the status'
 * managedFields, and what the kind's line does not keep. */
void kube_slim(enum kube_kind kind, json_t *object);
/* Is resourceVersion a older than b? Not numbers: false. */
bool kube_older(const char *a, const char *b);

#endif
