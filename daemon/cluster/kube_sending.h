/* Inside the kube client only: requests, and lists and reads made of them. */
#ifndef CLUSTER_KUBE_SENDING_H
#define CLUSTER_KUBE_SENDING_H

#include "cluster/kube_room.h"

/* A call and what the public one does not offer. */
struct kube_sending {
	struct kube_call call;
	const char *verb;   /* for the counters; NULL: the method. Static */
	int64_t attempt_ms; /* 0: the settings' */
	bool once;	    /* a GET that is not repeated */
	bool raw;	    /* the answer is no JSON */
	size_t max_body;    /* 0: 8 MiB */
};
uint64_t kube_send(struct kube *kube, const struct kube_sending *sending);
void kube_send_start(struct kube *kube);
void kube_send_done(struct kube *kube);
int kube_send_waiting(const struct kube *kube); /* or sleeping */
/* The server is back: what sleeps after failures need not go on sleeping. */
void kube_send_wake(struct kube *kube);
void kube_send_pump(struct kube *kube); /* soon: something may start now */

/* Fills in URL, headers, credentials: what every request has. headers has room for at least
 * KUBE_HEADERS and is NULL-terminated after it. The URL is owned by the caller. */
enum { KUBE_HEADERS = 32 };
char *kube_dress(struct kube *kube, const struct credentials_access *access, const char *path,
    const char *content_type, const char **headers, struct httpc_request *to);
/* What an HTTP answer says. body is a new reference or NULL: release it. */
void kube_answer_fill(
    const struct kube *kube, const struct httpc_answer *from, bool raw, struct kube_answer *to);
/* Decorrelated jitter: between base and three times the last, at most 30 s. */
int64_t kube_backoff(int64_t base_ms, int64_t last_ms);
void kube_count(struct kube *kube, const char *verb, int code);
/* text gets "pods in namespace x". */
void kube_what(enum kube_kind kind, const char *ns, char *text, size_t size);

/* --- lists --- */

/* One list in pages. Each page: on_page with its items (borrowed) and the list's resourceVersion,
 * then on_end: answer of the last page or of the one that failed. */
struct kube_list_call {
	enum kube_lane lane;
	enum kube_kind kind;
	const char *ns;
	const char *labels; /* NULL: all */
	void (*on_page)(void *ctx, const json_t *items, const char *version, bool first);
	void (*on_end)(void *ctx, const struct kube_answer *answer);
	void *ctx;
};
struct kube_list;
struct kube_list *kube_list_start(struct kube *kube, const struct kube_list_call *call);
void kube_list_cancel(struct kube_list *list); /* NULL is allowed; gone by itself after on_end */

/* A 404 that says that this one object is absent: not a proxy's, not an unknown kind's. */
bool kube_says_absent(const struct kube_answer *answer, const char *name);
/* After a 404 for a collection of kube->versions[kind] == asked: is there another one to try? */
bool kube_next_version(struct kube *kube, enum kube_kind kind, int asked);

/* --- reads --- */

bool kube_read_cancel(struct kube *kube, uint64_t number);
void kube_read_done(struct kube *kube);

#endif
