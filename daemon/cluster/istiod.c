/* Finding istiod and asking for a token, with the rights that config/rbac.yaml gives. */
#include "cluster/istiod.h"

#include <stdlib.h>

#include "base/jsonx.h"
#include "cluster/observe_fields.h"

#define NAMESPACE "istio-system"
#define ADDRESSES 16
#define TOKEN_S 3600

struct istiod {
	struct kube *kube;
	struct istiod_events events;
	uint64_t finding, asking; /* 0: none under way */
};

struct istiod *
istiod_new(struct kube *kube, const struct istiod_events *events)
{
	struct istiod *istiod = mem_alloc(sizeof(*istiod));

	istiod->kube = kube;
	istiod->events = *events;
	return istiod;
}

void
istiod_free(struct istiod *istiod)
{
	if (istiod == NULL)
		return;
	kube_cancel(istiod->kube, istiod->finding);
	kube_cancel(istiod->kube, istiod->asking);
	free(istiod);
}

static void
why_not(const struct kube_answer *answer, const char *what, char *to, size_t size)
{
	if (answer->outcome == KUBE_ANSWERED)
		str_print(to, size, "%s: HTTP %d %s", what, answer->status, answer->message);
	else
		str_print(to, size, "%s: %s", what, answer->message);
}

/* --- where it is --- */

static int
add_ready(const json_t *slice, const char **addresses, int count)
{
	const json_t *endpoint;
	size_t i;

	json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
	{
		const char *address = jsonx_text(endpoint, "addresses.0");

		if (address != NULL && count < ADDRESSES &&
		    jsonx_bool(endpoint, "conditions.ready", true))
			addresses[count++] = address;
	}
	return count;
}

static void
on_found(void *ctx, const struct kube_answer *answer)
{
	struct istiod *istiod = ctx;
	const char *addresses[ADDRESSES];
	const json_t *slice;
	char why[300];
	int count = 0;
	size_t i;

	istiod->finding = 0;
	if (answer->outcome != KUBE_ANSWERED || answer->status != 200) {
		why_not(answer, "endpoints of Service istiod in " NAMESPACE, why, sizeof(why));
		istiod->events.found(istiod->events.ctx, NULL, 0, why);
		return;
	}
	json_array_foreach(jsonx_at(answer->body, "items"), i, slice) count =
	    add_ready(slice, addresses, count);
	istiod->events.found(istiod->events.ctx, addresses, count, NULL);
}

void
istiod_find(struct istiod *istiod)
{
	kube_cancel(istiod->kube, istiod->finding);
	istiod->finding = kube_read_list(istiod->kube, KUBE_NORMAL, KUBE_ENDPOINTSLICES, NAMESPACE,
	    "kubernetes.io/service-name=istiod", on_found, istiod);
}

/* --- a token --- */

static void
on_token(void *ctx, const struct kube_answer *answer)
{
	struct istiod *istiod = ctx;
	const char *token = jsonx_text(answer->body, "status.token");
	int64_t expires_ms =
	    observe_time_ms(jsonx_text(answer->body, "status.expirationTimestamp"));
	char why[300];

	istiod->asking = 0;
	if (answer->outcome == KUBE_ANSWERED && answer->status / 100 == 2 && token != NULL) {
		istiod->events.token(istiod->events.ctx, token, expires_ms, NULL);
		return;
	}
	why_not(answer, "token of a service account in " NAMESPACE, why, sizeof(why));
	istiod->events.token(istiod->events.ctx, NULL, 0, why);
}

void
istiod_token(struct istiod *istiod, const char *service_account)
{
	char *path = str_format(
	    "/api/v1/namespaces/" NAMESPACE "/serviceaccounts/%s/token", service_account);
	json_t *body = json_pack("{s:s, s:s, s:{s:[s], s:i}}", "apiVersion",
	    "authentication.k8s.io/v1", "kind", "TokenRequest", "spec", "audiences", "istio-ca",
	    "expirationSeconds", TOKEN_S);
	char *text = jsonx_dump(body);
	struct kube_call call = {
	    .method = "POST", .path = path, .body = text, .done = on_token, .ctx = istiod};

	kube_cancel(istiod->kube, istiod->asking);
	istiod->asking = kube_request(istiod->kube, &call);
	free(text);
	json_decref(body);
	free(path);
}
