/* kinds: the table of resources that the simulator serves. */
#ifndef SIM_KINDS_H
#define SIM_KINDS_H

#include <stdbool.h>
#include <stddef.h>

enum kind_id {
	K_NAMESPACE,
	K_NODE,
	K_POD,
	K_SERVICE,
	K_EVENT,
	K_CONFIGMAP,
	K_QUOTA,
	K_DEPLOYMENT,
	K_REPLICASET,
	K_STATEFULSET,
	K_DAEMONSET,
	K_REVISION,
	K_JOB,
	K_CRONJOB,
	K_PDB,
	K_NETPOL,
	K_CLAIM,
	K_STORAGE,
	K_HPA,
	K_SLICE,
	K_LEASE,
	K_VS,
	K_DR,
	K_PEERAUTH,
	K_HTTPROUTE,
	K_SCALED,
	K_COUNT
};

struct kind {
	enum kind_id id;
	const char *group, *version, *plural, *singular, *name, *short_name;
	bool namespaced;
	bool crd;	  /* lists are atomic, no strategic merge */
	bool status;	  /* has the status subresource */
	bool scale;	  /* has the scale subresource */
	bool generations; /* metadata.generation counts changes of the spec */
};

extern const struct kind kinds[K_COUNT];

/* The kind behind /apis/GROUP/VERSION/PLURAL (group "" for the core), or NULL. An older version
 * that a CRD is served in too finds the same kind. */
const struct kind *kind_find(const char *group, const char *version, const char *plural);
/* By the name of the object kind ("Deployment") or plural, or NULL. */
const struct kind *kind_named(const char *name);
/* Istio's own: its webhook answers for it. */
bool kind_is_istio(const struct kind *k);
/* "apps/v1" or "v1"; out holds at least 96 bytes. version NULL means the stored one. */
const char *kind_api_version(const struct kind *k, const char *version, char *out);
/* "deployments.apps" or "pods", as error texts name it. */
const char *kind_resource(const struct kind *k, char *out);

#endif
