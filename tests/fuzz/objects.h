/* Objects of a cluster out of an input of the fuzzer. */
#ifndef TESTS_FUZZ_OBJECTS_H
#define TESTS_FUZZ_OBJECTS_H

#include <jansson.h>
#include "cluster/observe.h"

/* {"stable": …, "route": …, …}, as in struct observe_objects, without what the API server lets
 * nothing in without; observe_done when it is not needed any more. */
void objects_take(const json_t *root, struct observe_objects *objects);

#endif
