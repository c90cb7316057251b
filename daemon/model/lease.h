/* Who may write in a cluster, as a Lease says it: what was seen of it, and what to do next. Pure.
 * Times are ms of one clock that never goes back and runs on while the machine sleeps. Clocks of
 * two hosts are never compared: another's lease has expired when it was seen to stand still for its
 * own duration, and every change of it names the version that was looked at, so that of two who
 * want it one is refused. */
#ifndef MODEL_LEASE_H
#define MODEL_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#define LEASE_HOLDER 160

/* This daemon. A holder is "IDENTITY.RUN": the same identity in another run was this daemon before
 * it was started again, and is taken over at once, but only until the first own taking: from then
 * on it is a twin, such as one on a copy of the database. */
struct lease_terms {
	char identity[LEASE_HOLDER], holder[LEASE_HOLDER];
	int64_t duration_ms;
};

struct lease_seen {
	bool known;  /* what follows is how it is; not: how it was, so it is read first */
	bool exists; /* gone: the rest is what it was */
	char holder[LEASE_HOLDER]; /* "": nobody */
	char renewed[48];	   /* its renewTime: only whether it is another one matters */
	char acquired[48];	   /* its acquireTime */
	char version[64];	   /* resourceVersion */
	int64_t duration_ms;	   /* the holder's */
	int transitions;
	int64_t since_ms; /* holder and renewTime were first seen like this */
};

struct lease_state {
	struct lease_seen seen;
	bool met;	  /* it was seen, whoever had it */
	bool had;	  /* this run has held it */
	bool other;	  /* since we held it last it was in other hands, as far as was seen */
	int64_t sent_ms;  /* when what made it ours last was sent; 0: nothing did */
	int64_t read_ms;  /* when it was last looked at */
	int64_t again_ms; /* nothing before: the last request failed */
};

enum lease_move {
	LEASE_REST,   /* nothing before *at_ms; 0: nothing at all */
	LEASE_READ,   /* look at it */
	LEASE_CREATE, /* there is none: make it, ours */
	LEASE_TAKE,   /* make it ours, or renew it */
	LEASE_GIVE    /* it is ours and not wanted: nobody's */
};

bool lease_is_mine(const struct lease_terms *terms, const struct lease_seen *seen);
/* Not nobody's, not ours, and not of an earlier run of ours. */
bool lease_is_anothers(const struct lease_terms *terms, const struct lease_state *state);
/* Held until then; 0: not held. Others may take it a fifth of the duration later: the margin is for
 * clocks that run at different speeds and for writes on their way. */
int64_t lease_until_ms(const struct lease_terms *terms, const struct lease_state *state);
enum lease_move lease_next(const struct lease_terms *terms, const struct lease_state *state,
    bool wanted, int64_t now_ms, int64_t *at_ms);
/* It was looked at (exists or not); keeps since_ms while nothing has changed. */
void lease_saw(const struct lease_terms *terms, struct lease_state *state,
    const struct lease_seen *seen, int64_t now_ms);
/* A creation or taking that was sent then was answered with this. */
void lease_took(struct lease_state *state, const struct lease_seen *seen, int64_t sent_ms);
/* A give-back was answered with this. */
void lease_gave(struct lease_state *state, const struct lease_seen *seen);
/* It was to be given back, and nobody knows whether it was: it is not ours any more. */
void lease_let_go(struct lease_state *state);
/* Is the holder of the next taking a new one? (leaseTransitions and acquireTime change.) */
bool lease_changes_hands(const struct lease_terms *terms, const struct lease_seen *seen);

#endif
