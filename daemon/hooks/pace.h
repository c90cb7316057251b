/* When, and whether at all: pure. Times are of one monotonic clock, in ms. */
#ifndef HOOKS_PACE_H
#define HOOKS_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_GIVE_UP_MS (INT64_C(24) * 3600 * 1000)
#define PACE_FLAP_MS (INT64_C(60) * 1000)
#define PACE_A_MINUTE 20 /* messages to people */

/* After so many failures in a row (1 and more): 1 s, 2 s, … 10 min, and up to a quarter of it
 * more, by random in [0, 1). Later if the receiver says so (-1: it does not), by an hour at most.
 */
int64_t pace_delay_ms(int failures, int64_t retry_after_ms, double random);

enum pace_verdict {
	PACE_TAKEN,
	PACE_AGAIN,
	PACE_GONE /* it wants no more, ever */
};
enum pace_verdict pace_verdict(int status); /* 0: no answer */
/* It is there and takes no offence at the others: what was sent is what it does not take. */
bool pace_is_choosy(int status);

/* Of a rollout that is paused and resumed: */
enum pace_flap {
	PACE_SEND,
	PACE_SKIP, /* what follows says it better */
	PACE_HOLD  /* until PACE_FLAP_MS after said_ms */
};
/* said_ms: when such a thing was told last; -1: never. next: another one follows already. */
enum pace_flap pace_flap(int64_t said_ms, bool next, int64_t now_ms);

struct pace_minute {
	int64_t since_ms;
	int count;
	bool full;
};
enum pace_turn {
	PACE_ONE,  /* a message may go */
	PACE_WAIT, /* until since_ms + 60 s */
	PACE_SUM   /* the minute before was too short for all: those that wait go as one */
};
/* Starts a new minute when the last is over; counts nothing. */
enum pace_turn pace_turn(struct pace_minute *minute, int64_t now_ms);

#endif
