/* Late: writes that were given up and may still take effect. Nothing at the API can tell whether a
 * request that got no answer is still to come; the API server ends it by itself (ACT_SERVER_MS).
 * What is built on its absence waits until then. Plain data; only the fold writes it. */
#ifndef MODEL_LATE_H
#define MODEL_LATE_H

#include "model/act.h"

#define LATE_ACTS 2 /* more at a time are kept as one of which nothing is known */

struct past_act {	    /* one that another came after */
	enum act_kind kind; /* ACT_NONE: not known which */
	int number;
	bool urgent;
	uint64_t attempt; /* 0: there is none; of a late one: its effect cannot be told */
	int64_t sent_ms;
};

struct late_act {
	struct past_act act;
	bool away;	  /* from home: an abort is not over before it cannot come any more */
	int64_t until_ms; /* it may come until then; after that it stays, as it may have; 0: none */
};

struct late_acts {
	struct late_act acts[LATE_ACTS];
};

/* Given up at at_ms. */
void late_add(struct late_acts *late, const struct past_act *act, bool away, int64_t at_ms);
/* An act has its effect: what has come by that, or what it wrote over, does not come any more. */
void late_answered(struct late_acts *late, const struct past_act *act, enum act_outcome outcome);
/* The late one with that attempt's number; NULL: none. */
struct late_act *late_find(struct late_acts *late, uint64_t attempt);
/* Until when one that leads away from home may come; 0: none may. */
int64_t late_away_ms(const struct late_acts *late, int64_t now_ms);
/* Until when one of these kinds, or one not known, may come; 0: none may. */
int64_t late_kind_ms(
    const struct late_acts *late, int64_t now_ms, bool is_kind(enum act_kind kind));

#endif
