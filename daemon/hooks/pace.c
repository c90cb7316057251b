/* See pace.h. */
#include "hooks/pace.h"

#include "base/backoff.h"

#define FIRST_MS INT64_C(1000)
#define LAST_MS (INT64_C(600) * 1000)
#define ASKED_MOST_MS (INT64_C(3600) * 1000)
#define MINUTE_MS (INT64_C(60) * 1000)

int64_t
pace_delay_ms(int failures, int64_t retry_after_ms, double random)
{
	static const struct backoff backoff = {FIRST_MS, LAST_MS, ASKED_MOST_MS};
	return backoff_ms(&backoff, failures, retry_after_ms, random);
}

enum pace_verdict
pace_verdict(int status)
{
	if (status >= 200 && status < 300)
		return PACE_TAKEN;
	return status == 410 ? PACE_GONE : PACE_AGAIN;
}

bool
pace_is_choosy(int status)
{
	bool later = status == 408 || status == 425 || status == 429;
	return status >= 400 && status < 500 && !later;
}

enum pace_flap
pace_flap(int64_t said_ms, bool next, int64_t now_ms)
{
	if (next)
		return PACE_SKIP;
	return said_ms >= 0 && now_ms < said_ms + PACE_FLAP_MS ? PACE_HOLD : PACE_SEND;
}

enum pace_turn
pace_turn(struct pace_minute *minute, int64_t now_ms)
{
	if (minute->since_ms == 0 || now_ms >= minute->since_ms + MINUTE_MS) {
		bool sum = minute->full;
		*minute = (struct pace_minute){.since_ms = now_ms};
		if (sum)
			return PACE_SUM;
	}
	if (minute->count < PACE_A_MINUTE)
		return PACE_ONE;
	minute->full = true;
	return PACE_WAIT;
}
