/* How long until the next try. Pure. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	int64_t first_ms, last_ms;
	int64_t asked_most_ms; /* what the other side may ask for is not longer */
};

/* After so many failures in a row (1 and more): first, twice that, … last, and up to a quarter of
 * it more, by random in [0, 1). Later if the other side says so; -1: it does not. */
int64_t backoff_ms(
    const struct backoff *backoff, int failures, int64_t retry_after_ms, double random);

#endif
