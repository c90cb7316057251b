/* Writing about tables of keys. */
#ifndef DOCS_DOCS_H
#define DOCS_DOCS_H

#include <stdbool.h>
#include "base/keys.h"
#include "base/str.h"

/* airisd.yaml, every key with its help; keys without a default, and lists, are commented out with
 * an example unless all is true. A key that has neither default nor example is fatal. */
void docs_sample(const struct key *table, bool all, struct str *to);

/* The keys as sections and tagged lists of mdoc. live (may be NULL): SIGHUP takes this path over.
 */
void docs_man(const struct key *table, bool (*live)(const char *path), struct str *to);

/* The metric families, a row each, as Markdown. */
void docs_metrics(struct str *to);

#endif
