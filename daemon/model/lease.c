/* What to do with a Lease. Always true: it is taken from another only after it stood still for the
 * other's whole duration since it was first seen so, and it counts as held only within its own
 * duration since a request that was answered was sent. */
#include <string.h>
#include "base/str.h"
#include "model/lease.h"

#define LOOKS 6	   /* at another's, in its duration */
#define RENEWALS 3 /* of ours, in its duration */
#define MARGIN 5   /* the last part of ours that is not used */

bool
lease_is_mine(const struct lease_terms *terms, const struct lease_seen *seen)
{
	return seen->exists && strcmp(seen->holder, terms->holder) == 0;
}

/* By this run or another one. */
static bool
has_our_identity(const struct lease_terms *terms, const struct lease_seen *seen)
{
	size_t length = strlen(terms->identity);
	return strncmp(seen->holder, terms->identity, length) == 0 && seen->holder[length] == '.';
}

bool
lease_is_anothers(const struct lease_terms *terms, const struct lease_state *state)
{
	const struct lease_seen *seen = &state->seen;
	if (seen->holder[0] == '\0' || strcmp(seen->holder, terms->holder) == 0)
		return false;
	return state->had || !has_our_identity(terms, seen);
}

bool
lease_changes_hands(const struct lease_terms *terms, const struct lease_seen *seen)
{
	return !has_our_identity(terms, seen);
}

int64_t
lease_until_ms(const struct lease_terms *terms, const struct lease_state *state)
{
	if (state->sent_ms == 0)
		return 0;
	return state->sent_ms + terms->duration_ms - terms->duration_ms / MARGIN;
}

static enum lease_move
rest(int64_t until_ms, int64_t *at_ms)
{
	*at_ms = until_ms;
	return LEASE_REST;
}

/* Another has it: it is looked at now and then, and taken when it stood still for long enough. The
 * same when it was taken away from under its holder, who goes on writing until its time is up. */
static enum lease_move
wait_for_other(const struct lease_seen *seen, int64_t read_ms, int64_t now_ms, int64_t *at_ms)
{
	int64_t end_ms = seen->since_ms + seen->duration_ms;
	int64_t look_ms = read_ms + seen->duration_ms / LOOKS;
	if (now_ms >= end_ms)
		return seen->exists ? LEASE_TAKE : LEASE_CREATE;
	if (now_ms >= look_ms)
		return LEASE_READ;
	return rest(look_ms < end_ms ? look_ms : end_ms, at_ms);
}

enum lease_move
lease_next(const struct lease_terms *terms, const struct lease_state *state, bool wanted,
    int64_t now_ms, int64_t *at_ms)
{
	const struct lease_seen *seen = &state->seen;
	*at_ms = 0;
	if (!wanted && !lease_is_mine(terms, seen))
		return LEASE_REST;
	if (now_ms < state->again_ms)
		return rest(state->again_ms, at_ms);
	if (!wanted)
		return LEASE_GIVE;
	if (!seen->known)
		return LEASE_READ;
	if (lease_is_anothers(terms, state))
		return wait_for_other(seen, state->read_ms, now_ms, at_ms);
	if (!seen->exists)
		return LEASE_CREATE;
	int64_t due_ms = state->sent_ms + terms->duration_ms / RENEWALS;
	if (lease_is_mine(terms, seen) && state->sent_ms != 0 && now_ms < due_ms)
		return rest(due_ms, at_ms);
	return LEASE_TAKE;
}

void
lease_saw(const struct lease_terms *terms, struct lease_state *state, const struct lease_seen *seen,
    int64_t now_ms)
{
	struct lease_seen *last = &state->seen;
	bool first = !state->met, same = strcmp(last->holder, seen->holder) == 0;
	bool still = !first && same && strcmp(last->renewed, seen->renewed) == 0;
	int64_t since_ms = still ? last->since_ms : now_ms;
	state->read_ms = now_ms;
	last->known = true;
	last->exists = seen->exists;
	if (!seen->exists)
		return;
	bool moved = !first && (!same || last->transitions != seen->transitions);
	state->met = true;
	*last = *seen;
	last->since_ms = since_ms;
	if (lease_is_anothers(terms, state))
		state->sent_ms = 0;
	state->other |= lease_is_anothers(terms, state) || (moved && !lease_is_mine(terms, seen));
}

void
lease_took(struct lease_state *state, const struct lease_seen *seen, int64_t sent_ms)
{
	state->seen = *seen;
	state->seen.known = state->seen.exists = true;
	state->sent_ms = sent_ms;
	state->met = state->had = true;
	state->other = false;
	state->again_ms = 0;
}

void
lease_let_go(struct lease_state *state)
{
	state->seen.known = false;
	state->seen.holder[0] = '\0';
	state->sent_ms = 0;
}

void
lease_gave(struct lease_state *state, const struct lease_seen *seen)
{
	state->seen = *seen;
	state->seen.known = state->seen.exists = true;
	state->met = true;
	state->sent_ms = 0;
	state->again_ms = 0;
}
