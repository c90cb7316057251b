/* The ladder of a page: one line a stage, and under it what was measured there. */
#ifndef CLI_SHOW_LADDER_H
#define CLI_SHOW_LADDER_H

#include "show/rollout.h"

void ladder_add(const struct page *page, struct str *to);

#endif
