/* Writes that were given up. */
#include "model/late.h"

/* Its own, else an empty one, else one that is over. */
static struct late_act *
place(struct late_acts *late, const struct past_act *act, int64_t at_ms)
{
	struct late_act *free = NULL;
	for (int i = 0; i < LATE_ACTS; i++) {
		struct late_act *old = &late->acts[i];
		if (old->until_ms != 0 && old->act.kind == act->kind &&
		    old->act.number == act->number)
			return old;
		if (old->until_ms <= at_ms && (free == NULL || old->until_ms < free->until_ms))
			free = old;
	}
	return free;
}

void
late_add(struct late_acts *late, const struct past_act *act, bool away, int64_t at_ms)
{
	struct late_act new = {.act = *act, .away = away, .until_ms = at_ms + ACT_LATE_MS};
	struct late_act *to = place(late, act, at_ms);
	if (to == NULL) {
		to = &late->acts[0];
		new.act = (struct past_act){.kind = ACT_NONE, .attempt = 0};
		new.away = true;
	}
	/* Two creations: what is seen may be of either, and the other one is still to come. */
	else if (to->until_ms > at_ms && act_creates(act->kind))
		new.act.attempt = 0;
	if (new.until_ms < to->until_ms)
		new.until_ms = to->until_ms;
	*to = new;
}

/* What was written since makes its resourceVersion an old one. A creation has none: it is over when
 * it was seen, or when somebody was before us, which was itself. */
static bool
is_over(const struct past_act *late, const struct past_act *act, enum act_outcome outcome)
{
	if (late->attempt == act->attempt)
		return true;
	if (act_creates(late->kind))
		return late->kind == act->kind && outcome == ACT_ALREADY;
	if (outcome == ACT_DONE)
		return act_object(late->kind) == act_object(act->kind);
	return late->kind == act->kind && late->number == act->number;
}

void
late_answered(struct late_acts *late, const struct past_act *act, enum act_outcome outcome)
{
	for (int i = 0; i < LATE_ACTS; i++) {
		struct past_act *old = &late->acts[i].act;
		if (old->kind != ACT_NONE && is_over(old, act, outcome))
			late->acts[i] = (struct late_act){.until_ms = 0};
		else if (old->kind == act->kind)
			old->attempt = 0; /* what is seen is the new one's */
	}
}

struct late_act *
late_find(struct late_acts *late, uint64_t attempt)
{
	for (int i = 0; i < LATE_ACTS && attempt != 0; i++)
		if (late->acts[i].until_ms != 0 && late->acts[i].act.attempt == attempt)
			return &late->acts[i];
	return NULL;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t
late_away_ms(const struct late_acts *late, int64_t now_ms)
{
	int64_t end_ms = 0;
	for (int i = 0; i < LATE_ACTS; i++)
		if (late->acts[i].away && now_ms < late->acts[i].until_ms)
			end_ms = later(end_ms, late->acts[i].until_ms);
	return end_ms;
}

int64_t
late_kind_ms(const struct late_acts *late, int64_t now_ms, bool is_kind(enum act_kind kind))
{
	int64_t end_ms = 0;
	for (int i = 0; i < LATE_ACTS; i++) {
		enum act_kind kind = late->acts[i].act.kind;
		if (now_ms < late->acts[i].until_ms && (kind == ACT_NONE || is_kind(kind)))
			end_ms = later(end_ms, late->acts[i].until_ms);
	}
	return end_ms;
}
