/* kinds: see kinds.h. */
#include "kinds.h"

#include <stdio.h>
#include <string.h>

#define ISTIO "networking.istio.io"

const struct kind kinds[K_COUNT] = {
    {K_NAMESPACE, "", "v1", "namespaces", "namespace", "Namespace", "ns", false, false, true, false,
	false},
    {K_NODE, "", "v1", "nodes", "node", "Node", "no", false, false, true, false, false},
    {K_POD, "", "v1", "pods", "pod", "Pod", "po", true, false, true, false, false},
    {K_SERVICE, "", "v1", "services", "service", "Service", "svc", true, false, true, false, false},
    {K_EVENT, "", "v1", "events", "event", "Event", "ev", true, false, false, false, false},
    {K_CONFIGMAP, "", "v1", "configmaps", "configmap", "ConfigMap", "cm", true, false, false, false,
	false},
    {K_QUOTA, "", "v1", "resourcequotas", "resourcequota", "ResourceQuota", "quota", true, false,
	true, false, false},
    {K_DEPLOYMENT, "apps", "v1", "deployments", "deployment", "Deployment", "deploy", true, false,
	true, true, true},
    {K_REPLICASET, "apps", "v1", "replicasets", "replicaset", "ReplicaSet", "rs", true, false, true,
	true, true},
    {K_STATEFULSET, "apps", "v1", "statefulsets", "statefulset", "StatefulSet", "sts", true, false,
	true, true, true},
    {K_DAEMONSET, "apps", "v1", "daemonsets", "daemonset", "DaemonSet", "ds", true, false, true,
	false, true},
    {K_REVISION, "apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision",
	NULL, true, false, false, false, false},
    {K_JOB, "batch", "v1", "jobs", "job", "Job", NULL, true, false, true, false, true},
    {K_CRONJOB, "batch", "v1", "cronjobs", "cronjob", "CronJob", "cj", true, false, true, false,
	true},
    {K_PDB, "policy", "v1", "poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget",
	"pdb", true, false, true, false, true},
    {K_NETPOL, "networking.k8s.io", "v1", "networkpolicies", "networkpolicy", "NetworkPolicy",
	"netpol", true, false, false, false, true},
    {K_CLAIM, "", "v1", "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim",
	"pvc", true, false, true, false, false},
    {K_STORAGE, "storage.k8s.io", "v1", "storageclasses", "storageclass", "StorageClass", "sc",
	false, false, false, false, false},
    {K_HPA, "autoscaling", "v2", "horizontalpodautoscalers", "horizontalpodautoscaler",
	"HorizontalPodAutoscaler", "hpa", true, false, true, false, false},
    {K_SLICE, "discovery.k8s.io", "v1", "endpointslices", "endpointslice", "EndpointSlice", NULL,
	true, false, false, false, true},
    {K_LEASE, "coordination.k8s.io", "v1", "leases", "lease", "Lease", NULL, true, false, false,
	false, false},
    {K_VS, ISTIO, "v1", "virtualservices", "virtualservice", "VirtualService", "vs", true, true,
	true, false, true},
    {K_DR, ISTIO, "v1", "destinationrules", "destinationrule", "DestinationRule", "dr", true, true,
	true, false, true},
    {K_PEERAUTH, "security.istio.io", "v1", "peerauthentications", "peerauthentication",
	"PeerAuthentication", "pa", true, true, true, false, true},
    {K_HTTPROUTE, "gateway.networking.k8s.io", "v1", "httproutes", "httproute", "HTTPRoute", NULL,
	true, true, true, false, true},
    {K_SCALED, "keda.sh", "v1alpha1", "scaledobjects", "scaledobject", "ScaledObject", "so", true,
	true, true, false, true},
};

bool
kind_is_istio(const struct kind *k)
{
	return strcmp(k->group, ISTIO) == 0;
}

static bool
served_in(const struct kind *k, const char *version)
{
	if (strcmp(k->version, version) == 0)
		return true;
	return k->crd && (strcmp(version, "v1beta1") == 0 ||
			     (kind_is_istio(k) && strcmp(version, "v1alpha3") == 0));
}

const struct kind *
kind_find(const char *group, const char *version, const char *plural)
{
	for (int i = 0; i < K_COUNT; i++) {
		const struct kind *k = &kinds[i];

		if (strcmp(k->group, group) != 0 || strcmp(k->plural, plural) != 0)
			continue;
		if (served_in(k, version))
			return k;
	}
	return NULL;
}

const struct kind *
kind_named(const char *name)
{
	for (int i = 0; i < K_COUNT; i++)
		if (strcmp(kinds[i].name, name) == 0 || strcmp(kinds[i].plural, name) == 0)
			return &kinds[i];
	return NULL;
}

const char *
kind_api_version(const struct kind *k, const char *version, char *out)
{
	snprintf(out, 96, "%s%s%s", k->group, *k->group ? "/" : "",
	    version != NULL ? version : k->version);
	return out;
}

const char *
kind_resource(const struct kind *k, char *out)
{
	snprintf(out, 96, "%s%s%s", k->plural, *k->group ? "." : "", k->group);
	return out;
}
