/* How often something took how long: counts in fixed buckets, and the sum. Plain data, all zero at
 * the start. Whoever measures adds, with the same scale always; /metrics shows it. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS 12

struct histogram_scale {
	int64_t us[HISTOGRAM_BOUNDS]; /* upper bounds, which are within, ascending */
};
extern const struct histogram_scale histogram_quick;   /* 100 µs to 2.5 s: a turn, a commit */
extern const struct histogram_scale histogram_request; /* 5 ms to 30 s: asking somebody */
extern const struct histogram_scale histogram_long;    /* 1 s to a day: a stage, a rollout */

struct histogram {
	const struct histogram_scale *scale;   /* of what was added; NULL: nothing was */
	uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* the last one: over all bounds */
	int64_t sum_us;
};

/* Less than nothing counts as nothing. */
void histogram_add(struct histogram *histogram, const struct histogram_scale *scale, int64_t us);
void histogram_add_ms(struct histogram *histogram, const struct histogram_scale *scale, int64_t ms);
uint64_t histogram_count(const struct histogram *histogram);

#endif
