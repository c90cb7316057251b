/* status: the answers to requests, with errors as Kubernetes words them. */
#ifndef SIM_STATUS_H
#define SIM_STATUS_H

#include "kinds.h"

#include <jansson.h>
#include <stdint.h>

struct watch;

struct reply {
	int code;
	json_t *body;	     /* sent as JSON, or */
	char *text;	     /* sent as it is (owned) */
	const char *type;    /* of the text */
	int retry_after;     /* seconds, 0: none */
	struct watch *watch; /* the answer is this stream */
	bool drop;	     /* no answer: the connection is closed */
};

/* A Status body. details is taken over and may be NULL. */
json_t *status_body(int code, const char *reason, const char *message, json_t *details);
/* The details {name, group, kind} of an object; name NULL leaves it out. */
json_t *status_details(const struct kind *k, const char *name);
/* Adds a cause to details. */
void status_cause(json_t *details, const char *reason, const char *message, const char *field);

/* Each of these fills the reply with an error and returns -1, so a caller can return it. */
int fail(struct reply *r, int code, const char *reason, const char *message, json_t *details);
int fail_not_found(struct reply *r, const struct kind *k, const char *name);
int fail_path(struct reply *r); /* the 404 of a path that nothing serves */
int fail_exists(struct reply *r, const struct kind *k, const char *name);
int fail_conflict(struct reply *r, const struct kind *k, const char *name);
int fail_precondition(
    struct reply *r, const struct kind *k, const char *name, const char *have, const char *want);
/* The same of a deletion; what is "UID" or "ResourceVersion". */
int fail_delete(struct reply *r, const struct kind *k, const char *name, const char *what,
    const char *have, const char *want);
/* 422; text is what follows the field's name: "Required value" and the like. */
int fail_invalid(struct reply *r, const struct kind *k, const char *name, const char *field,
    const char *reason, const char *text);
/* The same with several causes, of a kind with a group: an array of {reason, message, field}, taken
 * over. */
int fail_causes(struct reply *r, const struct kind *k, const char *name, json_t *causes);
int fail_rejected(struct reply *r); /* the 422 of a failed JSON patch */
int fail_request(struct reply *r, const char *message);
int fail_media_type(struct reply *r);
int fail_expired(struct reply *r, uint64_t rv, uint64_t now);
void reply_done(struct reply *r);

#endif
