/* See backoff.h. */
#include "base/backoff.h"

int64_t
backoff_ms(const struct backoff *backoff, int failures, int64_t retry_after_ms, double random)
{
	int64_t delay_ms = backoff->first_ms;
	for (int i = 1; i < failures && delay_ms < backoff->last_ms; i++)
		delay_ms *= 2;
	if (delay_ms > backoff->last_ms)
		delay_ms = backoff->last_ms;
	delay_ms += (int64_t)((double)delay_ms / 4 * random);
	if (retry_after_ms > backoff->asked_most_ms)
		retry_after_ms = backoff->asked_most_ms;
	return retry_after_ms > delay_ms ? retry_after_ms : delay_ms;
}
