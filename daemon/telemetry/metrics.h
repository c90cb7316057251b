/* The answer of /metrics. Who collects puts values in any order; they come out family by family, in
 * the order of the table, in the text format 0.0.4. Loop thread only. */
#ifndef TELEMETRY_METRICS_H
#define TELEMETRY_METRICS_H

#include "base/histogram.h"
#include "base/str.h"
#include "telemetry/families.h"

struct metrics; /* the values of one answer */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);
/* One value; as many labels' values follow as the family has labels. */
#define metrics_put(metrics, which, value, ...)                                                    \
	metrics_add(metrics, which, (double)(value), (const char *const[]){__VA_ARGS__, NULL})
#define metrics_one(metrics, which, value)                                                         \
	metrics_add(metrics, which, (double)(value), (const char *const[]){NULL})
void metrics_add(
    struct metrics *metrics, enum metric which, double value, const char *const *labels);
/* The same of a histogram, which has the family's scale. */
#define metrics_put_histogram(metrics, which, histogram, ...)                                      \
	metrics_histogram(metrics, which, histogram, (const char *const[]){__VA_ARGS__, NULL})
#define metrics_one_histogram(metrics, which, histogram)                                           \
	metrics_histogram(metrics, which, histogram, (const char *const[]){NULL})
void metrics_histogram(struct metrics *metrics, enum metric which,
    const struct histogram *histogram, const char *const *labels);
/* Adds the text format 0.0.4. A family without a value is left out. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metrics_text(const struct metrics *metrics, struct str *to);

#endif
