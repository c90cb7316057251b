/* Levels. A mesh that has the weight fits it in 999 of 1000 looks, and is looked at again. What the
 * old weight makes is taken for the new one in one of 100,000 looks: there is one look a second,
 * so that it stays below one in a thousand for a change. A side at 0 is followed by its teardown,
 * so there it is not enough that all of the traffic would have shown the old weight: some proxies
 * may be late, and some requests come by routes without a weight. A tenth would have shown it. */
#include "model/share.h"

#include <inttypes.h>
#include <math.h>
#include "base/str.h"

#define LEVEL 0.001
#define OLD_LEVEL 0.00001
#define STRAGGLERS 0.1
#define UNKNOWN_PERCENT 10 /* nothing is known of an old weight: as if it was so far away */
#define LEAST 100	   /* requests, then */

/* P(at most k of n), or enough as soon as it is that much. Terms fall from k on, so that few are
 * added up. */
static double
lower_tail(double n, double k, double p, double enough)
{
	if (k >= n * p)
		return enough;
	double odds = (1 - p) / p, sum = 0;
	double term = exp(
	    lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p));
	while (k >= 0 && sum < enough && term > sum * 1e-12) {
		sum += term;
		term *= k / (n - k + 1) * odds;
		k--;
	}
	return sum < enough ? sum : enough;
}

bool
share_fits(int64_t requests, int64_t canary, int percent, double level)
{
	double n = (double)requests, k = (double)canary, p = percent / 100.0, half = level / 2;
	if (canary < 0 || canary > requests)
		return false;
	if (percent <= 0 || percent >= 100)
		return canary == (percent <= 0 ? 0 : requests);
	return lower_tail(n, k, p, half) >= half && lower_tail(n, n - k, 1 - p, half) >= half;
}

int64_t
share_least(const struct share_wish *wish)
{
	int near = UNKNOWN_PERCENT;
	if (wish->target == 0 && wish->above > 0)
		near = wish->above;
	else if (wish->target == 100 && wish->below >= 0)
		near = 100 - wish->below;
	return (int64_t)ceil(log(LEVEL) / log1p(-near / 100.0 * STRAGGLERS));
}

/* One side must get nothing at all. */
static enum share_verdict
judge_empty(const struct share_wish *wish, const struct share_seen *seen)
{
	int64_t there = wish->target == 0 ? seen->canary : seen->requests - seen->canary;
	if (there > 0)
		return SHARE_DIFFERS;
	/* Counters that are gone, or were never there, do not stand still. */
	if (!seen->both)
		return SHARE_TOO_FEW;
	return seen->proven >= share_least(wish) ? SHARE_MATCHES : SHARE_TOO_FEW;
}

static bool
could_be(const struct share_seen *seen, int percent)
{
	return percent >= 0 && share_fits(seen->requests, seen->canary, percent, OLD_LEVEL);
}

static enum share_verdict
judge_one(const struct share_wish *wish, const struct share_seen *seen)
{
	bool others = wish->below >= 0 || wish->above >= 0;
	if (wish->target <= 0 || wish->target >= 100)
		return judge_empty(wish, seen);
	if (!share_fits(seen->requests, seen->canary, wish->target, LEVEL))
		return SHARE_DIFFERS;
	if (could_be(seen, wish->below) || could_be(seen, wish->above))
		return SHARE_TOO_FEW;
	return others || seen->requests >= LEAST ? SHARE_MATCHES : SHARE_TOO_FEW;
}

enum share_verdict
share_judge(const struct share_wish *wish, const struct share_seen *seen, int count)
{
	int with_data = 0, matches = 0;
	for (int i = 0; i < count; i++) {
		if (seen[i].requests == 0)
			continue;
		enum share_verdict one = judge_one(wish, &seen[i]);
		if (one == SHARE_DIFFERS)
			return SHARE_DIFFERS;
		with_data++;
		matches += one == SHARE_MATCHES;
	}
	return with_data > 0 && matches == with_data ? SHARE_MATCHES : SHARE_TOO_FEW;
}

/* The one that stands in the way; else the first with data. */
static const struct share_seen *
telling(const struct share_wish *wish, const struct share_seen *seen, int count)
{
	const struct share_seen *found = NULL;
	enum share_verdict worst = SHARE_TOO_FEW;
	for (int i = 0; i < count; i++) {
		enum share_verdict one = judge_one(wish, &seen[i]);
		if (seen[i].requests == 0)
			continue;
		bool worse = one == SHARE_DIFFERS ? worst != SHARE_DIFFERS
						  : one == SHARE_TOO_FEW && worst == SHARE_MATCHES;
		if (found == NULL || worse) {
			found = &seen[i];
			worst = one;
		}
	}
	return found;
}

void
share_text(
    const struct share_wish *wish, const struct share_seen *seen, int count, char *to, size_t size)
{
	const struct share_seen *one = telling(wish, seen, count);
	if (one == NULL) {
		str_copy(to, size, "no requests were counted");
		return;
	}
	str_print(to, size,
	    "%" PRId64 " of %" PRId64 " requests went to the canary, %d %% "
	    "expected%s%s%s",
	    one->canary, one->requests, wish->target, count > 1 ? " (reporter " : "",
	    count > 1 ? one->reporter : "", count > 1 ? ")" : "");
}
