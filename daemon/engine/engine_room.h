/* Inside of the engine: what its files share. */
#ifndef ENGINE_ENGINE_ROOM_H
#define ENGINE_ENGINE_ROOM_H

#include "base/map.h"
#include "engine/audit.h"
#include "engine/commit.h"
#include "engine/effects.h"
#include "engine/engine.h"
#include "engine/inquiry.h"
#include "engine/stats.h"
#include "engine/tokens.h"

struct batch;
struct entry { /* a live rollout */
	struct engine *engine;
	struct rollout *rollout;
	struct app_entry *app;
	struct entry *next_of_app; /* older first */
	struct entry *next_dirty, *next_doomed;
	struct loop_timer *timer;
	int64_t wake_ms; /* when the timer fires; 0: not set */
	struct waiting waiting;
	bool dirty, doomed;
	bool followed;
	struct batch *open;  /* what is being collected in this turn */
	int64_t back_ms;     /* when it was read back after a long time; 0: it was not */
	bool known;	     /* its creation is durable; until then it does not exist for others */
	int unsaved;	     /* batches that are not durable yet */
	bool handed;	     /* one of them is with the journal, */
	struct batch *queue; /* the others wait for it, so that their order is kept */
	bool unwritten;	     /* the journal did not take it: it is tried again */
	int64_t unsaid_ms[APP_GATES]; /* when a measurement was dropped meanwhile; 0: never */
	struct act sending;	      /* waits for its intent to be durable */
	uint64_t act_number;	      /* at the cluster; 0: none under way */
	uint64_t act_attempt;
	int overtaken;			   /* acts under way that another one was sent past */
	uint64_t overtaken_attempt;	   /* of the last of them */
	uint64_t asks[APP_GATES];	   /* gate measurements under way; 0: none */
	uint64_t mesh_asks[MESH_SUBJECTS]; /* questions under way; 0: none */
	int64_t mesh_of_ms[MESH_SUBJECTS]; /* the changes they are about */
	int64_t mesh_next_ms;		   /* not asked again before */
	struct mesh_asking asking;
	bool asks_mesh;		 /* the last decision waits for whether it answers at all */
	int64_t verify_ms;	 /* when a direct read was last asked for */
	struct inquiry *inquiry; /* before its first act; NULL: none */
	int64_t act_sent_ms;	 /* monotonic, of the act under way */
	int64_t abort_ms; /* monotonic time of an abort command that has not reached the wire */
};

struct app_entry {
	struct app *app;      /* NULL: deleted while rollouts are live */
	int releases;	      /* the newest number; 0: not read yet */
	int leaving;	      /* deletions that are not durable yet */
	struct batch *coming; /* the last change of it that is not durable yet; NULL: none */
	struct entry *rollouts;
	char name[APP_LABEL];
};

struct ask { /* a measurement under way */
	char rollout[ID_SIZE];
	int gate, stage;
	int64_t seen_ms; /* of the weight it was about */
	int64_t asked_ms;
};

struct engine {
	struct loop *loop;
	struct engine_ports ports;
	struct engine_settings settings;
	struct map *apps;      /* name -> app_entry */
	struct map *live;      /* id -> entry */
	struct map *acts;      /* "cluster/number" -> chain_row of audit_sent */
	struct map *asks;      /* number -> ask */
	struct map *mesh_asks; /* number -> mesh_ask */
	struct map *tokens;    /* id -> struct token_entry: those that are durable */
	struct map *keys;      /* Idempotency-Keys not durable yet -> pending_key */
	struct map *batches;   /* ticket -> batch */
	struct entry *dirty, *doomed;
	struct plan_wait *plans;
	bool turn_due;
	uint64_t ticket;
	int64_t wall_base_ms, mono_base_ms;
	int64_t id_ms; /* of the newest rollout's id */
	bool degraded, degraded_said;
	char degraded_why[512];
	int64_t degraded_ms;	  /* since when */
	struct loop_timer *retry; /* of failed batches */
	struct engine_stats stats;
	struct audit *audit;
};

/* engine.c */
struct entry *engine_entry(const struct engine *engine, const char *id);
struct app_entry *engine_app_entry(struct engine *engine, const char *name); /* made if missing */
struct entry *engine_entry_new(struct engine *engine, struct rollout *rollout);
void engine_doom(struct entry *entry); /* it goes when all of it is durable */
void engine_mark(struct entry *entry); /* look at it at the end of this turn */
const struct cluster_port *engine_cluster(const struct entry *entry);

/* advance.c */
void engine_wake(struct entry *entry, int64_t at_ms); /* look again then, or earlier; 0: no wish */
void engine_advance(struct entry *entry);
void engine_observe(struct entry *entry, struct observed *seen);

/* recover.c */
must_check int recover(struct engine *engine, struct err *e);
must_check int recover_rollout(
    const struct journal_port *journal, const char *id, struct rollout **rollout, struct err *e);
must_check int recover_app(const struct journal_row *row, struct app **app, struct err *e);

/* plan.c */
void plan_poke(struct engine *engine, const char *app);
void plan_free(struct engine *engine);

/* summary.c */
char *summary_text(const struct rollout *rollout); /* owned by the caller */
bool rollout_ended(const struct rollout *rollout); /* nothing follows, not even a retry */

#endif
