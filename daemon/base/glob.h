/* Names with stars: "web-*" stands for every name that begins so. A short list of them says over
 * what a right reaches. */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <jansson.h>
#include <stdbool.h>
#include "base/keys.h"

#define GLOBS_MAX 16

struct globs {
	char items[GLOBS_MAX][KEYS_LABEL];
	int count;
};

/* What a name of Kubernetes may be made of, and stars; 1 to 63 of them. */
bool glob_ok(const char *text);
/* A star stands for any characters, also none; nothing else is special. text NULL, a name that is
 * not known: only what fits every name fits it. */
bool glob_matches(const char *pattern, const char *text);
bool globs_match(const struct globs *globs, const char *text); /* one of them does */
bool globs_match_all(const struct globs *globs);	       /* every name there can be */
void globs_set(struct globs *globs, const char *only);	       /* this one alone */
json_t *globs_json(const struct globs *globs);		       /* new reference */

extern const struct key_type keys_globs; /* slot: struct globs; 1 to GLOBS_MAX of them */

#endif
