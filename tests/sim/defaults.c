/* defaults: see defaults.h. */
#include "defaults.h"

#include "httproutes.h"
#include "jx.h"
#include "select.h"
#include "util.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void
text(json_t *o, const char *key, const char *value)
{
	if (json_object_get(o, key) == NULL)
		jx_set_str(o, key, value);
}

static void
number(json_t *o, const char *key, int64_t value)
{
	if (!json_is_number(json_object_get(o, key)))
		jx_set_int(o, key, value);
}

static void
empty(json_t *o, const char *key)
{
	if (json_object_get(o, key) == NULL)
		json_object_set_new(o, key, json_object());
}

static void
default_pod_spec(json_t *spec)
{
	json_t *c, *port, *ports, *list = jx_own_list(spec, "containers");
	size_t i, j;

	json_array_foreach(list, i, c)
	{
		const char *image = jx_str(c, "image"), *tag;

		tag = image != NULL ? strrchr(image, ':') : NULL;
		empty(c, "resources");
		text(c, "terminationMessagePath", "/dev/termination-log");
		text(c, "terminationMessagePolicy", "File");
		text(c, "imagePullPolicy",
		    tag == NULL || strcmp(tag, ":latest") == 0 ? "Always" : "IfNotPresent");
		ports = jx_own_list(c, "ports");
		json_array_foreach(ports, j, port) text(port, "protocol", "TCP");
	}
	text(spec, "restartPolicy", "Always");
	number(spec, "terminationGracePeriodSeconds", 30);
	text(spec, "dnsPolicy", "ClusterFirst");
	empty(spec, "securityContext");
	text(spec, "schedulerName", "default-scheduler");
}

static void
default_deployment(json_t *root)
{
	json_t *spec = jx_own(root, "spec"), *strategy, *rolling, *meta;

	if (json_object_get(spec, "replicas") == NULL)
		jx_set_int(spec, "replicas", 1);
	number(spec, "revisionHistoryLimit", 10);
	number(spec, "progressDeadlineSeconds", 600);
	strategy = jx_own(spec, "strategy");
	text(strategy, "type", "RollingUpdate");
	if (strcmp(jx_str(strategy, "type"), "RollingUpdate") == 0) {
		rolling = jx_own(strategy, "rollingUpdate");
		text(rolling, "maxUnavailable", "25%");
		text(rolling, "maxSurge", "25%");
	}
	default_pod_spec(jx_own_path(spec, "template.spec"));
	meta = jx_own_path(spec, "template.metadata");
	if (json_object_size(json_object_get(meta, "annotations")) == 0)
		json_object_del(meta, "annotations");
}

/* What every workload with a history and a template has. */
static void
default_history(json_t *root)
{
	json_t *spec = jx_own(root, "spec"), *meta;

	number(spec, "revisionHistoryLimit", 10);
	text(jx_own(spec, "updateStrategy"), "type", "RollingUpdate");
	default_pod_spec(jx_own_path(spec, "template.spec"));
	meta = jx_own_path(spec, "template.metadata");
	if (json_object_size(json_object_get(meta, "annotations")) == 0)
		json_object_del(meta, "annotations");
}

static bool
is_rolling(const json_t *root)
{
	return strcmp(jx_str(root, "spec.updateStrategy.type"), "RollingUpdate") == 0;
}

static void
default_claim(json_t *claim)
{
	text(jx_own(claim, "spec"), "volumeMode", "Filesystem");
	text(jx_own(claim, "status"), "phase", "Pending");
}

static void
default_statefulset(json_t *root)
{
	json_t *spec, *policy, *claim;
	size_t i;

	default_history(root);
	spec = jx_own(root, "spec");
	number(spec, "replicas", 1);
	text(spec, "podManagementPolicy", "OrderedReady");
	if (is_rolling(root))
		number(jx_own_path(spec, "updateStrategy.rollingUpdate"), "partition", 0);
	policy = jx_own(spec, "persistentVolumeClaimRetentionPolicy");
	text(policy, "whenDeleted", "Retain");
	text(policy, "whenScaled", "Retain");
	json_array_foreach(jx_own_list(spec, "volumeClaimTemplates"), i, claim)
	{
		text(claim, "apiVersion", "v1");
		text(claim, "kind", "PersistentVolumeClaim");
		default_claim(claim);
	}
	number(jx_own(root, "status"), "replicas", 0);
	number(jx_own(root, "status"), "availableReplicas", 0);
}

static void
default_daemonset(json_t *root)
{
	static const char *const counts[] = {"currentNumberScheduled", "desiredNumberScheduled",
	    "numberMisscheduled", "numberReady"};
	json_t *rolling;

	default_history(root);
	if (is_rolling(root)) {
		rolling = jx_own_path(root, "spec.updateStrategy.rollingUpdate");
		if (json_object_get(rolling, "maxUnavailable") == NULL)
			jx_set_int(rolling, "maxUnavailable", 1);
		if (json_object_get(rolling, "maxSurge") == NULL)
			jx_set_int(rolling, "maxSurge", 0);
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		number(jx_own(root, "status"), counts[i], 0);
}

/* A Job's pods are found by its uid, which nobody else can have. */
static void
default_job(json_t *root)
{
	const char *uid = jx_str(root, "metadata.uid"), *name = jx_str(root, "metadata.name");
	json_t *spec = jx_own(root, "spec"), *labels;

	number(spec, "parallelism", 1);
	number(spec, "completions", 1);
	number(spec, "backoffLimit", 6);
	text(spec, "completionMode", "NonIndexed");
	text(spec, "podReplacementPolicy", "TerminatingOrFailed");
	if (json_object_get(spec, "suspend") == NULL)
		json_object_set_new(spec, "suspend", json_false());
	default_pod_spec(jx_own_path(spec, "template.spec"));
	if (uid == NULL || json_object_get(spec, "selector") != NULL)
		return;
	json_object_set_new(spec, "selector",
	    json_pack("{s:{s:s}}", "matchLabels", "batch.kubernetes.io/controller-uid", uid));
	labels = jx_own_path(spec, "template.metadata.labels");
	jx_set_str(labels, "batch.kubernetes.io/controller-uid", uid);
	jx_set_str(labels, "batch.kubernetes.io/job-name", name);
	jx_set_str(labels, "controller-uid", uid);
	jx_set_str(labels, "job-name", name);
}

static void
default_storage(json_t *root)
{
	text(root, "reclaimPolicy", "Delete");
	text(root, "volumeBindingMode", "Immediate");
}

static void
default_service(json_t *root)
{
	static uint32_t next_ip;
	json_t *spec = jx_own(root, "spec"), *ports = jx_own_list(spec, "ports"), *port;
	char ip[32];
	size_t i;

	text(spec, "type", "ClusterIP");
	text(spec, "sessionAffinity", "None");
	text(spec, "internalTrafficPolicy", "Cluster");
	if (jx_str(spec, "clusterIP") == NULL) {
		next_ip++;
		snprintf(ip, sizeof(ip), "10.%u.%u.%u", 96 + next_ip / 65536 % 16,
		    next_ip / 256 % 256, next_ip % 256);
		jx_set_str(spec, "clusterIP", ip);
	}
	if (json_object_get(spec, "clusterIPs") == NULL)
		json_object_set_new(
		    spec, "clusterIPs", json_pack("[s]", jx_str(spec, "clusterIP")));
	json_array_foreach(ports, i, port)
	{
		text(port, "protocol", "TCP");
		if (json_object_get(port, "targetPort") == NULL)
			json_object_set(port, "targetPort", json_object_get(port, "port"));
	}
}

void
defaults_add(const struct kind *k, json_t *root)
{
	switch (k->id) {
	case K_DEPLOYMENT:
		default_deployment(root);
		break;
	case K_REPLICASET:
		number(jx_own(root, "spec"), "replicas", 1);
		default_pod_spec(jx_own_path(root, "spec.template.spec"));
		break;
	case K_STATEFULSET:
		default_statefulset(root);
		break;
	case K_DAEMONSET:
		default_daemonset(root);
		break;
	case K_JOB:
		default_job(root);
		break;
	case K_CLAIM:
		default_claim(root);
		break;
	case K_STORAGE:
		default_storage(root);
		break;
	case K_POD:
		default_pod_spec(jx_own(root, "spec"));
		text(jx_own(root, "status"), "phase", "Pending");
		break;
	case K_SERVICE:
		default_service(root);
		break;
	case K_HTTPROUTE:
		httproute_defaults(root);
		break;
	case K_HPA:
		number(jx_own(root, "spec"), "minReplicas", 1);
		break;
	case K_NAMESPACE:
		text(jx_own(root, "status"), "phase", "Active");
		break;
	case K_NODE:
	case K_EVENT:
	case K_REVISION:
	case K_CRONJOB:
	case K_PDB:
	case K_NETPOL:
	case K_CONFIGMAP:
	case K_QUOTA:
	case K_SLICE:
	case K_LEASE:
	case K_VS:
	case K_DR:
	case K_PEERAUTH:
	case K_SCALED:
	case K_COUNT:
		break;
	}
}

static bool
good_name(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > 253 || !isalnum((unsigned char)name[0]) ||
	    !isalnum((unsigned char)name[n - 1]))
		return false;
	for (; *name != '\0'; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    *name != '-' && *name != '.')
			return false;
	return true;
}

static int
check_workload(const struct kind *k, const json_t *old, const json_t *next, struct reply *r)
{
	const char *name = jx_str(next, "metadata.name");
	json_t *match = jx_at(next, "spec.selector.matchLabels");
	json_t *containers = jx_at(next, "spec.template.spec.containers"), *c;
	size_t i;

	if (json_object_size(match) == 0 && jx_at(next, "spec.selector.matchExpressions") == NULL)
		return fail_invalid(
		    r, k, name, "spec.selector", "FieldValueRequired", "Required value");
	if (match != NULL && !labels_match(match, jx_at(next, "spec.template.metadata.labels")))
		return fail_invalid(r, k, name, "spec.template.metadata.labels",
		    "FieldValueInvalid",
		    "Invalid value: \"labels\": `selector` does not match template `labels`");
	if (old != NULL && !json_equal(jx_at(old, "spec.selector"), jx_at(next, "spec.selector")))
		return fail_invalid(r, k, name, "spec.selector", "FieldValueInvalid",
		    "Invalid value: \"selector\": field is immutable");
	if (jx_at(next, "spec.replicas") != NULL && !json_is_integer(jx_at(next, "spec.replicas")))
		return fail_invalid(r, k, name, "patch", "FieldValueInvalid",
		    "Invalid value: cannot unmarshal into Go struct field "
		    "DeploymentSpec.spec.replicas of type int32");
	if (jx_int(next, "spec.replicas", 0) < 0)
		return fail_invalid(r, k, name, "spec.replicas", "FieldValueInvalid",
		    "Invalid value: -1: must be greater than or equal to 0");
	if (json_array_size(containers) == 0)
		return fail_invalid(r, k, name, "spec.template.spec.containers",
		    "FieldValueRequired", "Required value");
	json_array_foreach(containers, i,
	    c) if (jx_str(c, "name") == NULL || jx_str(c, "image") == NULL) return fail_invalid(r,
	    k, name, "spec.template.spec.containers[0].image", "FieldValueRequired",
	    "Required value");
	return 0;
}

static int
check_deployment(const struct kind *k, const json_t *old, const json_t *next, struct reply *r)
{
	int64_t deadline = jx_int(next, "spec.progressDeadlineSeconds", 600);
	char text[96];

	if (check_workload(k, old, next, r) < 0)
		return -1;
	if (deadline > jx_int(next, "spec.minReadySeconds", 0))
		return 0;
	snprintf(text, sizeof(text), "Invalid value: %lld: must be greater than minReadySeconds",
	    (long long)deadline);
	return fail_invalid(r, k, jx_str(next, "metadata.name"), "spec.progressDeadlineSeconds",
	    "FieldValueInvalid", text);
}

/* Whether something other than these keys of the spec differs. */
static bool
changed_but(const json_t *old, const json_t *next, const char *const *free_keys)
{
	json_t *a = json_copy(json_object_get(old, "spec"));
	json_t *b = json_copy(json_object_get(next, "spec"));
	bool differ;

	for (; *free_keys != NULL; free_keys++) {
		json_object_del(a, *free_keys);
		json_object_del(b, *free_keys);
	}
	differ = !json_equal(a, b);
	json_decref(a);
	json_decref(b);
	return differ;
}

static int
check_statefulset(const struct kind *k, const json_t *old, const json_t *next, struct reply *r)
{
	static const char *const free_keys[] = {"replicas", "ordinals", "template",
	    "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
	    "minReadySeconds", NULL};

	if (old != NULL && changed_but(old, next, free_keys))
		return fail_invalid(r, k, jx_str(next, "metadata.name"), "spec",
		    "FieldValueForbidden",
		    "Forbidden: updates to statefulset spec for fields other than 'replicas', "
		    "'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
		    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
	return check_workload(k, old, next, r);
}

static int
check_job(const struct kind *k, const json_t *old, const json_t *next, struct reply *r)
{
	const char *name = jx_str(next, "metadata.name");

	if (strcmp(jx_str(next, "spec.template.spec.restartPolicy"), "Always") == 0)
		return fail_invalid(r, k, name, "spec.template.spec.restartPolicy",
		    "FieldValueRequired", "Required value: valid values: \"OnFailure\", \"Never\"");
	if (old != NULL && !json_equal(jx_at(old, "spec.template"), jx_at(next, "spec.template")))
		return fail_invalid(r, k, name, "spec.template", "FieldValueInvalid",
		    "Invalid value: \"template\": field is immutable");
	return check_workload(k, old, next, r);
}

static int
check_hpa(const struct kind *k, const json_t *next, struct reply *r)
{
	const char *name = jx_str(next, "metadata.name");
	int64_t min = jx_int(next, "spec.minReplicas", 1),
		max = jx_int(next, "spec.maxReplicas", 0);

	if (max < 1)
		return fail_invalid(r, k, name, "spec.maxReplicas", "FieldValueInvalid",
		    "Invalid value: 0: must be greater than 0");
	if (max < min)
		return fail_invalid(r, k, name, "spec.maxReplicas", "FieldValueInvalid",
		    "Invalid value: must be greater than or equal to `minReplicas`");
	return 0;
}

/* As KEDA's own webhook does. */
static int
check_scaled(const json_t *next, struct reply *r)
{
	int64_t min = jx_int(next, "spec.minReplicaCount", 0),
		max = jx_int(next, "spec.maxReplicaCount", 100),
		idle = jx_int(next, "spec.idleReplicaCount", -1);
	const char *wrong = NULL;

	if (jx_str(next, "spec.scaleTargetRef.name") == NULL)
		wrong = "spec.scaleTargetRef.name: Required value";
	else if (min > max)
		wrong = "MinReplicaCount must be less than MaxReplicaCount";
	else if (idle >= 0 && idle >= min)
		wrong = "IdleReplicaCount must be less than MinReplicaCount";
	return wrong == NULL ? 0 : fail_request(r, wrong);
}

/* As the CRD's schema does, and as the mesh's own webhook would for weights. */
static int
check_routes(const struct kind *k, const json_t *next, struct reply *r)
{
	const char *name = jx_str(next, "metadata.name");
	json_t *http = jx_at(next, "spec.http"), *route, *dest;
	size_t i, j;

	if (http != NULL && !json_is_array(http))
		return fail_invalid(r, k, name, "spec.http", "FieldValueTypeInvalid",
		    "Invalid value: \"object\": spec.http in body must be of type array");
	json_array_foreach(http, i, route)
	    json_array_foreach(json_object_get(route, "route"), j, dest)
	{
		json_t *w = json_object_get(dest, "weight");

		if (w != NULL && !json_is_integer(w))
			return fail_invalid(r, k, name, "spec.http[0].route[0].weight",
			    "FieldValueTypeInvalid",
			    "Invalid value: weight in body must be of type integer");
		if (w != NULL && json_integer_value(w) < 0)
			return fail_request(r,
			    "admission webhook \"validation.istio.io\" denied the "
			    "request: configuration is invalid: weight must not be "
			    "negative");
	}
	return 0;
}

int
defaults_check(const struct kind *k, const json_t *old, const json_t *next, struct reply *r)
{
	const char *name = jx_str(next, "metadata.name");

	if (old == NULL && (name == NULL || !good_name(name)))
		return fail_invalid(r, k, name, "metadata.name", "FieldValueInvalid",
		    "Invalid value: a lowercase RFC 1123 subdomain must consist of lower case "
		    "alphanumeric characters, '-' or '.', and must start and end with an "
		    "alphanumeric character");
	if (k->id == K_DEPLOYMENT)
		return check_deployment(k, old, next, r);
	if (k->id == K_STATEFULSET)
		return check_statefulset(k, old, next, r);
	if (k->id == K_JOB)
		return check_job(k, old, next, r);
	if (k->id == K_REPLICASET || k->id == K_DAEMONSET)
		return check_workload(k, old, next, r);
	if (k->id == K_HPA)
		return check_hpa(k, next, r);
	if (k->id == K_SCALED)
		return check_scaled(next, r);
	if (k->id == K_VS)
		return check_routes(k, next, r);
	if (k->id == K_HTTPROUTE)
		return httproute_check(k, next, r);
	return 0;
}
