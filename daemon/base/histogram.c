/* Histograms. */
#include "base/histogram.h"

#include <assert.h>
#include <stddef.h>

#define MS INT64_C(1000)
#define S (1000 * MS)

/* clang-format off */
const struct histogram_scale histogram_quick = {
    {100, 250, 500, MS, 5 * MS / 2, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 500 * MS,
	5 * S / 2}};
const struct histogram_scale histogram_request = {
    {5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, S, 5 * S / 2, 5 * S, 10 * S,
	30 * S}};
const struct histogram_scale histogram_long = {
    {S, 5 * S, 15 * S, 30 * S, 60 * S, 300 * S, 900 * S, 1800 * S, 3600 * S, 7200 * S, 21600 * S,
	86400 * S}};
/* clang-format on */

void
histogram_add(struct histogram *histogram, const struct histogram_scale *scale, int64_t us)
{
	int i = 0;
	assert(histogram->scale == NULL || histogram->scale == scale);
	histogram->scale = scale;
	while (i < HISTOGRAM_BOUNDS && us > scale->us[i])
		i++;
	histogram->counts[i]++;
	histogram->sum_us += us > 0 ? us : 0;
}

void
histogram_add_ms(struct histogram *histogram, const struct histogram_scale *scale, int64_t ms)
{
	histogram_add(histogram, scale, ms * MS);
}

uint64_t
histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;
	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		count += histogram->counts[i];
	return count;
}
