/* Who wrote a field: metadata.managedFields of an object. Pure. */
#ifndef CLUSTER_OBSERVE_FIELDS_H
#define CLUSTER_OBSERVE_FIELDS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The manager that owns the field at path ({"f:spec", "f:http", NULL}) goes to `to`, the time of
 * its operation to *at_ms (may be NULL; 0 unknown). "" when airisd owns it (also together with
 * others: then the value is still ours) or nobody is known. Of several the newest. */
void observe_editor(
    const json_t *object, const char *const *path, char *to, size_t size, int64_t *at_ms);
/* RFC 3339 in UTC ("2026-11-22T20:15:59Z") -> ms since 1970; 0: no time. */
int64_t observe_time_ms(const char *text);

#endif
