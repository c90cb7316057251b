/* Token buckets by key: how often somebody may do something. Pure: the time is given. Bounded: it
 * keeps max_keys, and forgets only buckets that are full again, so that nobody can have their own
 * emptied bucket forgotten by asking under other names. Where there is no room, new keys share one
 * bucket. */
#ifndef API_RATE_H
#define API_RATE_H

#include <stddef.h>
#include <stdint.h>

struct rate;

/* burst at once (1 or more), then one each every_us, both over 0. */
struct rate *rate_new(int64_t every_us, int burst, size_t max_keys);
void rate_free(struct rate *rate); /* NULL is allowed */
/* Takes one from the key's bucket: 0; or how many ms it takes until there is one (1 or more), and
 * nothing was taken. now_ms never goes back. */
int64_t rate_take(struct rate *rate, const char *key, int64_t now_ms);
/* What rate_take would say, and nothing is taken. */
int64_t rate_look(const struct rate *rate, const char *key, int64_t now_ms);
size_t rate_keys(const struct rate *rate);

#endif
