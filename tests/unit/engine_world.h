/* A world for the engine: a cluster with late pods and a late mesh, gates, the real store on a file
 * of its own, and time that is moved by hand. After every event the invariants are looked at (I1,
 * I2, I3, I5, I7, I9, I13); a violation fails the test and says the seed. */
#ifndef TESTS_UNIT_ENGINE_WORLD_H
#define TESTS_UNIT_ENGINE_WORLD_H

#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "engine/stats.h"
#include "store/store.h"
#include "virtual_time.h"

#define WORLD_TICK_MS 100
#define WORLD_SETTLE_MS 1000
#define WORLD_PODS 64
#define WORLD_ACTS 32
#define WORLD_ASKS 32
#define WORLD_REPLIES 256
#define WORLD_EFFECTS 400
#define WORLD_IDS 64

struct world_pod {
	bool there, ready, canary;
	char image[24];
	int64_t ready_at, gone_at; /* gone_at 0: not told to go */
	bool mesh;		   /* the mesh sends it requests */
	int64_t mesh_at;
};

struct world_answer { /* what the cluster does with an act */
	enum act_outcome outcome;
	bool effect; /* it takes effect, whatever is answered */
	int64_t effect_ms, late_ms;
	int64_t retry_after_ms; /* -1: none */
	const char *text;
};

struct world_act {
	uint64_t number;
	int engine; /* which life of the engine sent it */
	struct act act;
	struct world_answer answer;
	int64_t effect_at, answer_at; /* 0: done */
	int rv;			      /* of the route when it was decided */
};

struct world_ask {
	uint64_t number;
	int64_t answer_at;
	char gate[APP_LABEL];
	struct gate_sample sample;
	void (*done)(void *ctx, uint64_t number, const struct gate_sample *sample);
	void *ctx;
};

struct world_review {
	const char *problem, *warning; /* what is found; NULL: nothing */
	int64_t late;
	int asked;
	uint64_t number;
	int64_t answer_at;
	void (*done)(void *ctx, uint64_t number, const struct findings *found); /* NULL: none */
	void *ctx;
};

struct world_reply {
	bool given;
	enum engine_result result;
	char id[APP_LABEL], why[512];
	int64_t durable; /* the store's last event then */
};

enum world_crash {
	CRASH_NEVER,
	CRASH_BEFORE_COMMIT,
	CRASH_AFTER_COMMIT,
	CRASH_ACT_LOST,
	CRASH_ACT
};

struct world {
	unsigned seed, roll;
	struct loop *loop;
	struct store *store;
	struct engine *engine;
	int engines; /* lives so far */
	char folder[64], path[80];
	int64_t wall_offset, mono_offset;
	/* the cluster */
	int full;
	char image[24], uid[16];
	bool stable_exists;
	bool canary_exists, canary_ours, service, named_canary, route_exists;
	char canary_image[24];
	int canary_size;
	struct world_pod pods[WORLD_PODS];
	int weight, mesh_weight, route_rv;
	int accept_late, accepted_rv, looking_rv; /* the route's controller */
	int64_t accept_at;
	int64_t mesh_weight_at;
	char route_by[32], image_by[32], canary_by[32];
	struct hpa_seen hpa;
	bool followed, down; /* down: nothing is fresh */
	struct fence_seen fence;
	int64_t fresh_at, verified_ms, verify_at;
	int verifies;
	struct observed told; /* what was there when it was told of last */
	bool poke;
	/* how it behaves */
	int64_t pods_late, mesh_late;
	const struct notice_port *notices; /* the same: nobody is told */
	/* The clusters show notices; ctx is the world. */
	void (*tell)(void *ctx, const struct app *app, const struct told *told);
	const struct mesh_port *mesh; /* of the engine's next life; NULL: nobody can be asked */
	char never_ready[24], never_reason[24]; /* pods of this image */
	bool breaks_laws;			/* foreign edits: losses are not airisd's */
	struct world_answer (*fault)(struct world *w, const struct act *act);
	enum verdict (*verdict)(struct world *w, const struct gate_question *question);
	int64_t gate_late;
	struct world_review review;
	const struct gate_sample *trial; /* of every gate before a start; NULL: it passes */
	int trials;
	int64_t disk_late, flush_at;
	bool disk_full;
	int64_t full_until;
	/* crashes */
	enum world_crash crash;
	int crash_at; /* the n-th append or act */
	bool crash_due, dead;
	int appends, urgents, crashes;
	/* records */
	struct world_act acts[WORLD_ACTS];
	struct world_ask asks[WORLD_ASKS];
	uint64_t numbers;
	int sent, sent_by_kind[ACT_KINDS], asked, overlaps, lost;
	char effects[WORLD_EFFECTS][32]; /* acts that changed something */
	int effect_count;
	struct gate_question last_question;
	struct act last_act;
	int64_t last_act_at;
	struct world_reply replies[WORLD_REPLIES];
	int reply_count;
	char ids[WORLD_IDS][ID_SIZE];
	bool ended[WORLD_IDS];
	int id_count;
	int64_t audit_seq; /* journal rows looked at */
	int intents, exempt;
	char why[256];
	struct engine_look look;
};

/* more: lines of YAML for the app. NULL: the app is not put. */
struct world *world_new(unsigned seed, const char *more);
void world_free(struct world *w);
struct app *world_app(const char *name, const char *strategy, const char *more);
struct app *world_gateway_app(const char *name, const char *strategy, const char *more);
int world_put(struct world *w, struct app *app); /* number of the reply */
unsigned world_roll(struct world *w, unsigned sides);

int world_start_with(struct world *w, const struct engine_start *start); /* number of the reply */
const char *world_start(struct world *w, const char *image);		 /* id; must be taken */
int world_undo(struct world *w, int to);
int world_command(struct world *w, const char *id, enum command command, bool full);
void world_must(struct world *w, const char *id, enum command command); /* answered with OK */
struct engine_reply world_reply(struct world *w, int *number);

void world_turns(struct world *w); /* all that is due now */
void world_tick(struct world *w);
void world_run(struct world *w, int64_t ms);
void world_until_phase(struct world *w, const char *id, enum phase phase);
void world_until_stage(struct world *w, const char *id, int stage);
void world_until_act(struct world *w, enum act_kind kind);
void world_until_weight(struct world *w, int weight);
void world_until_reply(struct world *w, int number);
const struct rollout *world_rollout(struct world *w, const char *id); /* until the next look */
const struct waiting *world_waiting(struct world *w, const char *id);
enum phase world_phase(struct world *w, const char *id);

void world_all_ports(struct world *w, struct engine_ports *ports);
void world_crash(struct world *w); /* all memory is lost; it starts again */
void world_disk(struct world *w, bool full);
void world_poke(struct world *w);		     /* "changed" without a change */
void world_home(struct world *w, const char *image); /* asserts that nothing is left over (F49) */
int world_events(struct world *w, const char *id, const char *kind); /* in the journal */
/* The data of the n-th such event, from 0; fails if there is none. New reference. */
json_t *world_event(struct world *w, const char *id, const char *kind, int n);
/* Folds the journal anew and compares with what is in memory (order, completeness). */
void world_check_journal(struct world *w, const char *id);
/* Of the closed database: each act's outcome, command and start has its row, once; the chain holds.
 */
void world_check_audit(struct world *w);
int world_ready(const struct world *w, bool canary);

#define world_fail(w, ...)                                                                         \
	do {                                                                                       \
		fprintf(stderr, "seed %u: ", (w)->seed);                                           \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)

#endif
