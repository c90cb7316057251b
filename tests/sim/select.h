/* select: label and field selectors of list and watch requests. */
#ifndef SIM_SELECT_H
#define SIM_SELECT_H

#include <jansson.h>
#include <stdbool.h>

struct selector;

/* Compiles a labelSelector and a fieldSelector (either may be NULL). Returns NULL and sets
 * *error to a static text if one cannot be read. */
struct selector *selector_new(const char *labels, const char *fields, const char **error);
/* NULL matches everything. */
bool selector_match(const struct selector *s, const json_t *object);
void selector_free(struct selector *s);

/* Whether labels have every pair of wanted; an empty wanted matches nothing. */
bool labels_match(const json_t *wanted, const json_t *labels);

#endif
