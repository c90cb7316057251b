/* The engine: keeps the live rollouts, asks model/ what to do, writes it down, then does it. It
 * decides nothing itself and asks no strategy by name. One door each: commit.c alone appends to the
 * journal, recover.c alone reads it back, effects.c alone touches the outside, the fold alone
 * changes a rollout. Journal first, effect second, answer last. Loop thread only. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "loop/loop.h"
#include "model/actor.h"
#include "model/app_tag.h"
#include "model/command.h"
#include "model/rehearse.h"
#include "ports/clock.h"
#include "ports/cluster.h"
#include "ports/gate.h"
#include "ports/journal.h"
#include "ports/mesh.h"
#include "ports/notices.h"
#include "ports/traces.h"

struct engine;
struct engine_ports {
	struct journal_port journal;
	struct gate_port gates;
	struct notice_port notices;
	struct trace_port traces;
	struct mesh_port mesh; /* way NULL: no mesh can be asked */
	struct clock_port clock;
	void *ctx;
	/* NULL: no cluster of that name is configured. */
	const struct cluster_port *(*cluster)(void *ctx, const char *name);
	/* An event became durable. at the loop's end of turn; borrowed. */
	void (*event)(void *ctx, const struct journal_row *row);
};

struct engine_settings {
	int64_t settle_ms; /* mesh.settle */
};

/* Reads the journal back; NULL if it cannot be trusted. Ports are copied. */
struct engine *engine_new(struct loop *loop, const struct engine_ports *ports,
    const struct engine_settings *settings, struct err *e);
void engine_free(struct engine *engine);
void engine_settle_set(struct engine *engine, int64_t settle_ms);
/* From the hands. */
void engine_changed(struct engine *engine, const char *app);
void engine_acted(struct engine *engine, const char *cluster, uint64_t number,
    enum act_outcome outcome, const char *text, int64_t retry_after_ms);

/* Answers come after the commit, in a later turn, once. id: the rollout or app it was about. */
enum engine_result {
	ENGINE_OK,
	ENGINE_CREATED,
	ENGINE_NOT_FOUND,
	ENGINE_REFUSED,	   /* the state does not allow it */
	ENGINE_KEY_REUSED, /* the same Idempotency-Key with another request */
	ENGINE_CHANGED,	   /* the app is not what the condition says */
	ENGINE_DEGRADED	   /* cannot be written down now */
};
struct engine_reply {
	void (*done)(void *ctx, uint64_t request, enum engine_result result, const char *id,
	    const char *why);
	void *ctx;
	uint64_t request; /* the caller's number, given back */
};

struct engine_start {
	const char *app, *image, *why, *commit;
	struct actor actor;
	const char *key, *traceparent; /* Idempotency-Key; a bad traceparent is none; NULL: none */
	bool undo, known_good;	       /* image is not given: the one before, or release `to` */
	int to;			       /* 0: the one before */
};
void engine_start(
    struct engine *engine, const struct engine_start *start, const struct engine_reply *reply);
void engine_command(struct engine *engine, const char *id, enum command command, bool full,
    const char *reason, const struct actor *actor, const struct engine_reply *reply);
/* Takes the app. The why of OK is "unchanged" if it was the same. condition: NULL for none. */
void engine_app_put(struct engine *engine, struct app *app, const struct app_condition *condition,
    const struct actor *actor, const struct engine_reply *reply);
void engine_app_delete(struct engine *engine, const char *name,
    const struct app_condition *condition, const struct actor *actor,
    const struct engine_reply *reply);

/* Looking; what is returned is valid until the loop's turn ends. */
const struct app *engine_app(const struct engine *engine, const char *name); /* NULL: none */
/* As it is when all that is being written of it is durable. */
const struct app *engine_app_coming(const struct engine *engine, const char *name);
/* In order of names, after `after` (NULL: from the first). NULL: no more. */
const struct app *engine_app_next(const struct engine *engine, const char *after);
const char *engine_app_active(const struct engine *engine, const char *name); /* id or NULL */
struct engine_look {
	const struct rollout *rollout;
	enum phase phase;	/* to be shown: an end only when it is durable */
	struct waiting waiting; /* as of now; object "": it moves */
	struct observed seen;	/* zero if it has ended */
	bool live;
};
/* A live one from memory, an ended one from the journal. engine_look_done frees what was read. */
must_check int engine_look(
    struct engine *engine, const char *id, struct engine_look *look, struct err *e);
void engine_look_done(struct engine_look *look);
/* Durable rows as in ports/journal.h: events (id NULL: of all), summaries of rollouts, releases. */
must_check int engine_events(struct engine *engine, const char *id, int64_t after_seq, int limit,
    journal_each *each, void *ctx, struct err *e);
must_check int engine_rollouts(struct engine *engine, const struct journal_filter *filter,
    journal_each *each, void *ctx, struct err *e);
must_check int engine_releases(struct engine *engine, const char *app, int before, int limit,
    journal_each *each, void *ctx, struct err *e);

/* Of a release that is not started (image "": preflight alone); done once, in 15 seconds. */
void engine_plan(struct engine *engine, const char *app, const char *image,
    void (*done)(void *ctx, uint64_t request, const struct app *app, const struct plan *plan,
	const char *why),
    void *ctx, uint64_t request);

int64_t engine_now_ms(const struct engine *engine); /* wall clock that never goes back */
bool engine_degraded(const struct engine *engine, const char **why);

#endif
