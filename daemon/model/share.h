/* What traffic proves of a weight: the canary's share of the requests that were counted. Pure
 * statistics. Requests are drawn one by one (Envoy draws a random number for each), so the canary's
 * are binomial; the intervals are exact: an observation fits a weight unless one of its two
 * binomial tails is below half of the level (Clopper and Pearson, Biometrika 26, 1934). */
#ifndef MODEL_SHARE_H
#define MODEL_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum share_verdict {
	SHARE_TOO_FEW, /* so many requests could as well be of another weight */
	SHARE_MATCHES,
	SHARE_DIFFERS
};

struct share_wish {
	int target; /* percent of the canary */
	/* The nearest other weights that the data plane may have instead; -1: none on that side. */
	int below, above;
};

struct share_seen { /* by one reporter */
	const char *reporter;
	int64_t requests, canary; /* on both sides; on the canary */
	/* Of these, such as counters have that were there before: only they show that a side got
	 * nothing, the others may count what was before. */
	int64_t proven;
	bool both; /* the counters of both sides are there */
};

/* Does so much fit the weight? level: how often, at most, what is of the weight does not fit. */
bool share_fits(int64_t requests, int64_t canary, int percent, double level);
/* How many requests without one on a side tell that its weight is 0; target is 0 or 100. */
int64_t share_least(const struct share_wish *wish);
/* All that have data must match, and one must have some. */
enum share_verdict share_judge(
    const struct share_wish *wish, const struct share_seen *seen, int count);
/* For people: "0 of 812 requests went to the canary, 10 % expected" of the reporter that says it.
 */
void share_text(
    const struct share_wish *wish, const struct share_seen *seen, int count, char *to, size_t size);

#endif
