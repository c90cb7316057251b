/* How a request is answered: with an object, with nothing, or with a problem. */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include <jansson.h>
#include "model/app.h"

struct api;

enum api_code { /* of a problem; each has its status */
	CODE_BAD_REQUEST,
	CODE_UNAUTHORIZED,
	CODE_FORBIDDEN,
	CODE_NOT_FOUND,
	CODE_METHOD_NOT_ALLOWED,
	CODE_CONFLICT,
	CODE_KEY_REUSED,
	CODE_PRECONDITION_FAILED,
	CODE_TOO_LARGE,
	CODE_UNSUPPORTED_MEDIA_TYPE,
	CODE_UNPROCESSABLE,
	CODE_THROTTLED,
	CODE_DEGRADED,
	CODE_STOPPING,
	CODE_ISSUER_AWAY,
	CODE_INTERNAL,
	CODE_COUNT
};
const char *api_code_name(enum api_code code);
int api_code_status(enum api_code code);

void api_answer(struct api *api, uint64_t number, int status, json_t *body); /* takes body */
void api_answer_at(struct api *api, uint64_t number, int status, const char *location,
    json_t *body); /* the same, with a Location */
/* A rollout that is rendered already; 201 and its Location if it was created. */
void api_answer_state(
    struct api *api, uint64_t number, bool created, const char *id, const char *state);
void api_answer_text(struct api *api, uint64_t number, const char *type, const char *text);
/* An app, with its ETag; 201 and its Location if it was created. */
void api_answer_app(
    struct api *api, uint64_t number, const struct app *app, bool created, json_t *body);
void api_answer_seen(struct api *api, uint64_t number, const struct app *app); /* 304 */
void api_answer_nothing(struct api *api, uint64_t number);		       /* 204 */
void api_problem(struct api *api, uint64_t number, enum api_code code, const char *format, ...)
    printf_like(4, 5);
/* 429; Retry-After has the time in whole seconds, not less. */
void api_problem_later(struct api *api, uint64_t number, int64_t wait_ms, const char *detail);
void api_problem_list(
    struct api *api, uint64_t number, const char *detail, const struct errlist *errors); /* 422 */
/* 412, with the ETag of what is there; app NULL: nothing is. */
void api_problem_changed(
    struct api *api, uint64_t number, const struct app *app, const char *detail);
void api_problem_method(struct api *api, uint64_t number, const char *method, const char *allow);

#endif
