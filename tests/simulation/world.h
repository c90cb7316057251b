/* The simulated world: a cluster with its controllers, a mesh that is late, Prometheus, people, and
 * airisd's engine with the real store in the middle of it, told of everything through its ports.
 * Time jumps from event to event; one seed decides all. What was written and what a request would
 * meet is looked at after every event (checks.c), never what airisd says of itself. */
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include <stdio.h>
#include "base/id.h"
#include "engine/engine.h"
#include "schedule.h"
#include "store/store.h"

#define PODS 48
#define PROXIES 2
#define ACTS 24
#define ASKS 64
#define ROLLOUTS 48
#define REPLIES 160
#define SETTLE_MS 12000
#define SEATS 16       /* ordinals of a StatefulSet, nodes of a DaemonSet */
#define JOBS 4	       /* of an app's backup that are kept */
#define OTHERS_IMAGE 7 /* what others set when they edit it */

enum { OF_STABLE, OF_CANARY, SIDES };
enum cause { CAUSE_NONE, CAUSE_AIRISD, CAUSE_IN_PLACE, CAUSE_OTHERS };
enum part {
	PART_STABLE,
	PART_CANARY,
	PART_SERVICE,
	PART_ROUTE,
	PART_RULE,
	PART_HPA,
	PART_BUDGETS,
	PART_JOBS,
	PARTS
};

struct pod { /* its place is not used again while anybody may send to it */
	bool there, ready, canary;
	int image;
	int ordinal; /* of a StatefulSet's; of a DaemonSet's its node */
	int version;
	unsigned uid;
	int64_t gone_ms;  /* told to go, and until then it answers; 0: not told */
	bool was_ready;	  /* it answers, also while it is going */
	bool down;	  /* its process is not there */
	bool returned;	  /* others took it down, and the mesh may have to hear that it is back */
	enum cause cause; /* of its end, or of its being down */
};

struct deployment {
	bool exists, ours, deleting;
	int version, image, size;
	bool size_by_others, image_by_others, mended;
	int held, surge; /* it rolls: at so many new pods, so many above its size; 0: by itself */
	/* A StatefulSet: who goes is at or above it; the template of those below; of what its
	 * status is. */
	int partition, current;
	unsigned nodes; /* a DaemonSet: a bit for each; as many as its size */
	bool by_hand;	/* OnDelete */
	struct {
		int image, partition, size;
		bool by_hand;
	} status;
	bool sized; /* airisd gave the stable side its size */
	unsigned uid;
};

struct route {
	bool exists, names_canary, names_stable;
	int version, weight;
	int followed; /* of a Service: the weight that its endpoints have */
	bool by_others;
	bool to_going; /* a Service: others made it select a colour that goes, or is told to */
};

struct rule {
	bool exists, ours, stable, canary, gone_by_others;
	int version;
};

struct service {
	bool exists, ours, gone_by_others;
	bool on_canary; /* a preview: of that side */
	int version;
};

struct job {
	char name[APP_LABEL];
	enum job_state state;
	int made; /* the larger the later; 0: there is none */
};

struct truth { /* what the API server has of one app */
	struct deployment deployments[SIDES];
	struct service service;	       /* the canary's */
	struct service stable_service; /* two colours by weights; there in every such world */
	struct route route;
	struct rule rule;
	struct hpa_seen hpa;
	int hpa_version;
	struct budgets_seen budgets; /* the user's is the first colour's alone */
	int budgets_version;
	struct job jobs[JOBS];
};

struct counts { /* what can be seen of a side's pods */
	int pods, updated, ready, going;
	unsigned char ready_of[8]; /* ready ones by image */
	bool never;		   /* they cannot get ready */
	struct seat { /* a StatefulSet's or DaemonSet's pods, by ordinal; image 0: there is none */
		int image, version;
		bool ready, going;
		unsigned uid;
	} seats[SEATS];
};

struct cached { /* what airisd's watches have told it */
	struct truth truth;
	struct counts sides[SIDES];
	bool followed, dirty[PARTS];
	int64_t fresh_ms, verified_ms;
	bool verifying, unanswered;
};

struct config { /* of one app, as a push carries it and a proxy has it */
	bool canary_cluster, names_stable, by_others;
	int weight, version;
	uint64_t ends;
};

enum resource { CLUSTERS, ENDPOINTS, ROUTES, RESOURCES };
struct proxy {
	bool stuck; /* takes nothing, and sends nothing */
	struct config has[SCHEDULE_APPS];
	int64_t warm_ms[SCHEDULE_APPS];
	struct {
		int64_t due_ms; /* 0: nothing is on its way */
		struct config configs[SCHEDULE_APPS];
	} coming[RESOURCES];
};

struct mesh {
	bool down, silent, open;
	int64_t down_ms, up_ms; /* since when it is or was down, and is not any more */
	int64_t churn_ms;	/* until then something else changes all the time */
	int64_t first_ms, last_ms;
	unsigned pushes;
	struct proxy proxies[PROXIES];
};

struct app_world {
	char name[16];
	struct app *spec;
	struct truth truth;
	struct pod pods[PODS];
	struct cached cached;
	int load;	     /* so many pods carry everything, half of them in need */
	int64_t sent_ms[32]; /* of the last writes */
	int sent_at;
	int64_t controller_ms; /* when its controllers look; 0: they have no reason to */
	int64_t rv_ms;
	bool broken;	/* its Deployment was deleted by others: nothing is expected any more */
	int most_ready; /* pods of the release that were ready at once */
	enum cause seats[SEATS]; /* of a StatefulSet's or DaemonSet's pod that served and does not
				  */
	int ladder_size;	 /* pods when its rollout's stages were laid out */
	bool nodes_changed;	 /* in this stage */
	int never_ready;	 /* image; 0: none */
	bool flaps;
	int64_t victims[SIDES][8]; /* pods that others took away count until then */
	/* readiness and weights as they were, for what was decided a moment ago */
	struct {
		int64_t at_ms;
		int ready[SIDES];
	} history[16];
	int history_at;
	int64_t no_weight_ms, all_weight_ms; /* since when all proxies send the canary none, all */
	/* faults of its own, until then */
	int64_t until[ITEM_KINDS];
	int arg[ITEM_KINDS];
	/* what was asked and answered */
	struct {
		int good; /* true passes in a row, of this weight */
		int64_t asked_ms;
		int64_t good_ms;   /* when the last one was asked */
		int64_t enough_ms; /* until when there were as many as are needed; 0: never */
		bool open;	   /* the last one is not written down; and good before it: */
		int before;
	} gates[2];
	int64_t weight_ms;	  /* when the weight changed */
	int own_weight;		  /* the last one that airisd chose */
	int promotions;		  /* times the stable workload got the release of this rollout */
	int64_t bad_ms;		  /* since when something stands that may not; 0: it does not */
	const char *bad_what;	  /* which */
	int64_t in_place_ms;	  /* when it last had to serve while it rolls; 0: never */
	int edits;		  /* of the image by others */
	int64_t others_weight_ms; /* when a weight of others was last in the route */
	int64_t full_ms; /* of airisd's running time, at the last promote --full; 0: none */
	int image_home;	 /* the stable image when the rollout began */
	int image_end;	 /* what the rollouts that ended have left */
	bool image_by_others;
	/* Two colours: which of them is the stable side of the last rollout, how the other one was
	 * before it, and whether it came to its end. */
	bool turned, ended_well;
	struct deployment rest;
	bool rest_service; /* by weights: the other one's Service was there */
	bool forgotten;	   /* so it was at a crash: what it left nobody knows of */
	bool unwritten;	   /* what was done last is not in the journal: an abort on a full disk */
};

struct rollout_known { /* of what is durable */
	char id[ID_SIZE];
	int app, image;
	enum phase phase;
	int stage, fails[2];
	bool begun, skips, approved;
	bool backed_up;		      /* its Job has succeeded */
	int64_t entered_ms;	      /* its stage */
	int64_t settled_ms, still_ms; /* of its stage, first and last; 0: not yet */
	int still_weight;	      /* then */
	bool outgrown;		      /* its hold goes on, if it is reached at that weight again */
	bool paused, late;	      /* in this stage; late: its settling was written late */
	bool late_first;	      /* so it was at the first time */
	bool acknowledged;	      /* its start was answered with yes */
	bool abort_acknowledged;
	int64_t breach_ms, aborting_ms;
	struct { /* the last act, and how often it was not taken in a row */
		char what[64];
		int attempt, failures;
		int64_t at_ms;
	} tried;
};

struct act_sent {
	uint64_t number;
	int app, life;
	struct act act;
	int version; /* of the object that it was made from */
	unsigned uid;
	int size, gone; /* a DaemonSet's nodes as it was sent, and those without an old pod */
	bool turned;	/* the sides were the other way round when it was sent */
	bool shrinks;	/* a canary's stable side gives up pods by it */
	enum act_outcome outcome;
	bool effect, twice, late, happened, answered;
	int64_t retry_ms;
};

struct ask {
	uint64_t number;
	int app, gate;
	int64_t asked_ms, wall_ms;
	enum mesh_subject subject;
	int64_t known_ms;
	bool trial; /* before a start: a verdict on nothing */
	void (*sample)(void *ctx, uint64_t number, const struct gate_sample *sample);
	void (*taken)(void *ctx, uint64_t number, const struct mesh_answer *answer);
	void (*found)(void *ctx, uint64_t number, const struct findings *found);
	void *ctx;
};

struct reply {
	bool given;
	enum item_kind kind;
	int app, image, life;
	char key[24], id[ID_SIZE];
	enum engine_result result;
};

struct violation {
	char law[24];
	char text[400];
};

enum strategy_kind { /* what is counted apart */
	CANARY_HOST,
	CANARY_SUBSET,
	COLOURS_SWITCHED,
	COLOURS_WEIGHED,
	ROLLS_DEPLOYMENT,
	ROLLS_STATEFULSET,
	ROLLS_DAEMONSET,
	ROLLS_BACKED_UP, /* one of these three, after a backup */
	STRATEGY_KINDS
};

struct counters { /* of many worlds */
	uint64_t seeds, events, decisions, commits, acts;
	uint64_t crashes;
	uint64_t schedules[STRATEGY_KINDS], apps[STRATEGY_KINDS];
	uint64_t unstuck, replaced;
	uint64_t backups[2];	   /* that succeeded, that failed */
	uint64_t hits[ITEM_KINDS]; /* how often each kind did what it does */
	uint64_t phases[PHASE_FAILED + 1];
	uint64_t simulated_ms;
};

struct timed; /* events.c */
struct world {
	const struct schedule *plan;
	struct counters *counters;
	FILE *trace; /* NULL: none */
	uint64_t hash, chance, order;
	struct violation violation;
	int64_t now_ms, wall_offset_ms, lag_ms; /* lag: the process did not run for so long */
	int64_t suspended_ms, trouble_ms;	/* until when; when something went wrong last */
	int64_t fault_ms;			/* the same, but for crashes */
	int64_t barred_ms; /* until when something may keep airisd from seeing or writing */
	bool jumped;	   /* the wall clock */
	struct timed *heap;
	int heap_count;
	struct app_world apps[SCHEDULE_APPS];
	struct mesh mesh;
	struct act_sent acts[ACTS];
	struct ask asks[ASKS];
	int64_t until[ITEM_KINDS]; /* faults of everything */
	unsigned uids;
	uint64_t numbers;
	/* airisd */
	struct loop *loop;
	struct store *store;
	struct engine *engine;
	int life;
	bool dead, crash_due, crash_power;
	enum item_kind crash; /* armed: DO_START if none is */
	int crash_count;
	int64_t flush_ms;
	int64_t checked_seq, told_seq;
	uint64_t told_sum, kept_sum; /* of events that were told to be durable */
	int acts_sent, acts_written, acts_exempt;
	struct rollout_known rollouts[ROLLOUTS];
	int rollout_count;
	struct reply replies[REPLIES];
	int reply_count, starts;
};

/* world.c: a whole life of it. The violation's law is "" if all was well. */
void world_run(const struct schedule *plan, FILE *trace, struct counters *counters,
    struct violation *violation, uint64_t *hash);
void world_violated(struct world *w, const char *law, const char *format, ...) printf_like(3, 4);
void world_trace(struct world *w, const char *format, ...) printf_like(2, 3);
unsigned world_roll(struct world *w, unsigned sides);
int64_t world_between(struct world *w, int64_t from, int64_t to);
void world_troubled(struct world *w, int64_t until_ms); /* something is wrong until then */
bool world_bars(enum item_kind kind); /* airisd may not see or write because of it */
void world_hit(struct world *w, enum item_kind kind);
/* A fault of this kind is on for the app; one that comes by chance comes in two of three cases. */
bool world_fault(const struct world *w, int app, enum item_kind kind);
bool world_fault_now(struct world *w, int app, enum item_kind kind);
void world_item(struct world *w, const struct item *item); /* world_item.c */
void world_give_pods(struct world *w, int app); /* a person makes the stable side whole again */
void world_fault_ends(struct world *w, int app, int kind);

/* events.c: later, run(w, a, b). to_airisd: not while its process does not run. */
typedef void event_run(struct world *w, int a, int b);
void event_at(struct world *w, int64_t at_ms, event_run *run, int a, int b, bool to_airisd);
bool event_next(const struct world *w, int64_t *at_ms);
void event_fire(struct world *w);

#endif
