/* Who asks, and whether they may. */
#ifndef API_WHO_H
#define API_WHO_H

#include "api/api_room.h"

/* who.c */
bool api_who(struct call *call);   /* false: nobody who is known */
bool api_actor(struct call *call); /* false: answered with 400 */
struct token;
bool api_token_find(const struct api *api, const char *id, struct token *token);
/* Who asked about what, for what goes on after its answer has begun. */
struct api_mark {
	enum principal_kind kind;
	char id[PRINCIPAL_ID], token[SECRET_ID];
	char namespace[APP_LABEL], app[APP_LABEL]; /* "" : whatever it is */
	uint64_t number;  /* the request: its connection has the certificate */
	uint64_t version; /* of the token file's token */
};
void api_mark(const struct call *call, struct api_mark *mark);
bool api_still_sees(const struct api *api, const struct api_mark *mark);

/* may.c; where a function is false that takes a call that is not const, it was answered */
bool api_may(struct call *call, enum right right, const struct app *app); /* one it may see */
bool api_may_app(struct call *call, enum right right, const char *name);
bool api_may_put(struct call *call, const struct app *next);
bool api_may_command(struct call *call, enum command command, bool full);
bool api_sees(const struct call *call, const char *namespace, const char *app);
bool api_sees_all(const struct call *call);

#endif
