/* Which version of an app it is, for those who must not overwrite what another has changed since
 * they looked. The tag is a digest of the spec: the same spec has the same one, in whatever order
 * its keys stand, and after a restart. */
#ifndef MODEL_APP_TAG_H
#define MODEL_APP_TAG_H

#include "model/app.h"

#define APP_TAG 33 /* 32 hex digits and a NUL */
#define APP_TAGS 8

void app_tag(const struct app *app, char tag[APP_TAG]);

/* What must be so of an app before it is changed; zero: nothing. */
struct app_condition {
	bool exists, missing; /* there must be one; there must be none */
	int tag_count;	      /* it must have one of these; "" is nobody's */
	char tags[APP_TAGS][APP_TAG];
};
/* app: as it is, NULL: there is none. spec: what it is to become; NULL: it is to go. Who asks for
 * what is so already overwrites nothing, so tags do not keep it from being said. */
bool app_meets(const struct app *app, const struct app_condition *condition, const json_t *spec,
    struct err *why);

#endif
