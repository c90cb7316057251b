/* What answers look like, for programs that are made from /openapi.json: a table of names, in a
 * notation of one line each. What an answer has more than that is no mistake. */
#ifndef API_SHAPES_H
#define API_SHAPES_H

#include <jansson.h>

/* JSON Schemas of all shapes, by name; new reference. */
json_t *api_shapes(void);
/* Of one notation: "time", "[Stage]", "Weight?" (or null); NULL: it is none. New reference. */
json_t *api_shape(const char *notation);

#endif
