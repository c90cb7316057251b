/* The rollout and its reduced form. Between two steps only the reduced form exists. */
#ifndef TESTS_MODEL_REDUCE_H
#define TESTS_MODEL_REDUCE_H

#include "state.h"

#define NOW_MS INT64_C(1000000000000) /* the time of every step */
#define SETTLE_MS 10000

/* Both borrow the rollout, which was compiled by the real fold in this configuration. */
void reduce(const struct config *config, const struct rollout *r, struct reduced *to);
void restore(const struct config *config, const struct reduced *from, struct rollout *r);

/* What an act's text says. */
uint8_t reduce_text(const struct act *act);
void restore_text(struct act *act, uint8_t text);
enum image reduce_image(const char *text);
const char *image_text(enum image image);

#endif
