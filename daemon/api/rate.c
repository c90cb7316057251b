/* A bucket is one number: when it will be full again. One token is every_us of that; there is none
 * left while it is more than burst tokens away. What is full again is as good as forgotten. */
#include "api/rate.h"

#include <stdlib.h>
#include "base/map.h"
#include "base/mem.h"

#define MS_US INT64_C(1000)

struct bucket {
	int64_t full_us;
};

struct rate {
	int64_t every_us, depth_us; /* of one token; of all */
	size_t max_keys;
	struct map *buckets;
	struct bucket shared;	/* of those that found no room */
	int64_t swept_until_us; /* before that a sweep finds nothing */
};

struct rate *
rate_new(int64_t every_us, int burst, size_t max_keys)
{
	struct rate *rate = mem_alloc(sizeof(*rate));
	rate->every_us = every_us;
	rate->depth_us = every_us * burst;
	rate->max_keys = max_keys;
	rate->buckets = map_new();
	return rate;
}

void
rate_free(struct rate *rate)
{
	if (rate == NULL)
		return;
	map_free(rate->buckets, free);
	free(rate);
}

/* Full ones go. The next sweep is not before one more can be full. */
static void
sweep(struct rate *rate, int64_t now_us)
{
	size_t cursor = 0;
	const char *key;
	void *value;
	if (now_us < rate->swept_until_us)
		return;
	rate->swept_until_us = INT64_MAX;
	while (map_next(rate->buckets, &cursor, &key, &value)) {
		const struct bucket *bucket = value;
		if (bucket->full_us <= now_us)
			free(map_remove(rate->buckets, key));
		else if (bucket->full_us < rate->swept_until_us)
			rate->swept_until_us = bucket->full_us;
	}
}

static struct bucket *
bucket_of(struct rate *rate, const char *key, int64_t now_us)
{
	struct bucket *bucket = map_get(rate->buckets, key);
	if (bucket != NULL)
		return bucket;
	if (map_count(rate->buckets) >= rate->max_keys)
		sweep(rate, now_us);
	if (map_count(rate->buckets) >= rate->max_keys)
		return &rate->shared;
	bucket = mem_alloc(sizeof(*bucket));
	map_set(rate->buckets, key, bucket);
	return bucket;
}

/* 0, or the ms until there is a token. */
static int64_t
missing_ms(const struct rate *rate, const struct bucket *bucket, int64_t now_us)
{
	int64_t over_us = bucket->full_us + rate->every_us - rate->depth_us - now_us;
	return over_us <= 0 ? 0 : (over_us + MS_US - 1) / MS_US;
}

int64_t
rate_take(struct rate *rate, const char *key, int64_t now_ms)
{
	int64_t now_us = now_ms * MS_US;
	struct bucket *bucket = bucket_of(rate, key, now_us);
	if (bucket->full_us < now_us)
		bucket->full_us = now_us;
	int64_t missing = missing_ms(rate, bucket, now_us);
	if (missing == 0)
		bucket->full_us += rate->every_us;
	return missing;
}

int64_t
rate_look(const struct rate *rate, const char *key, int64_t now_ms)
{
	const struct bucket *bucket = map_get(rate->buckets, key);
	if (bucket == NULL && map_count(rate->buckets) >= rate->max_keys)
		bucket = &rate->shared;
	return bucket == NULL ? 0 : missing_ms(rate, bucket, now_ms * MS_US);
}

size_t
rate_keys(const struct rate *rate)
{
	return map_count(rate->buckets);
}
