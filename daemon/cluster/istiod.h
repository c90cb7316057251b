/* What the API server knows of istiod: where it is, and a token that it takes. Answers come by
 * callback, none after istiod_free. */
#ifndef CLUSTER_ISTIOD_H
#define CLUSTER_ISTIOD_H

#include "cluster/kube.h"

struct istiod;

struct istiod_events {
	void *ctx;
	/* The ready endpoints of Service istiod in istio-system; error not NULL: why not. */
	void (*found)(void *ctx, const char *const *addresses, int count, const char *error);
	/* token NULL: error says why. */
	void (*token)(void *ctx, const char *token, int64_t expires_ms, const char *error);
};

struct istiod *istiod_new(struct kube *kube, const struct istiod_events *events);
void istiod_free(struct istiod *istiod); /* before its kube; NULL is allowed */
/* One at a time of each: a second one takes the place of the first. */
void istiod_find(struct istiod *istiod);
/* By the TokenRequest API: of a service account in istio-system, audience istio-ca, one hour. */
void istiod_token(struct istiod *istiod, const char *service_account);

#endif
