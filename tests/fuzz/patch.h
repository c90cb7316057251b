/* What the API server does with a JSON Patch of ours (RFC 6902: add, replace, remove). */
#ifndef TESTS_FUZZ_PATCH_H
#define TESTS_FUZZ_PATCH_H

#include <jansson.h>

/* A new object; NULL: a step does not fit, as a 422 would say. */
json_t *patch_apply(const json_t *object, const json_t *patch);

#endif
