/* A small world for decide and converge: pods that are late, Deployments that roll, and a mesh that
 * is late in one of two ways: each weight counts some random time after its write; or as istiod
 * does it (toy_istiod), debounced pushes that carry everything, to proxies, with warming. All of it
 * comes from a seed. Requests are not counted one by one: whenever what a proxy believes cannot be
 * served, that is a loss. */
#ifndef TESTS_UNIT_TOY_WORLD_H
#define TESTS_UNIT_TOY_WORLD_H

#include "unit.h"
#include "model/command.h"
#include "model/decide.h"

#define TOY_TICK_MS 100
#define TOY_SETTLE_MS 2000
#define TOY_PODS 64
#define TOY_PROXIES 2
#define TOY_JOURNAL 4000

struct pod {
	bool there, ready, new, canary;
	int64_t ready_at, gone_at; /* gone_at 0: not told to go */
	bool mesh;		   /* the mesh may send it requests */
	int64_t mesh_at;	   /* late mesh: when it learns otherwise; 0: it is right */
};

enum toy_resource { TOY_CLUSTERS, TOY_ENDPOINTS, TOY_ROUTES, TOY_RESOURCES };

struct toy_config { /* what a push carries, and what a proxy has */
	bool service, named;
	int weight;
	bool ends[TOY_PODS];
};

struct toy_proxy {
	bool stopped,
	    scoped; /* never acknowledges; is never sent anything: both send no requests */
	struct toy_config has;
	int64_t warm_ms; /* since when the canary's cluster serves */
	struct {
		int64_t due; /* 0: nothing is on its way */
		struct toy_config config;
	} coming[TOY_RESOURCES];
};

struct toy_istiod {
	bool on, down;
	int64_t churn_ms; /* another Service changes so often; 0: never */
	int64_t late_ms;  /* each resource reaches a proxy after at most this */
	struct toy_config known;
	bool open; /* the debounce runs */
	unsigned resources;
	int64_t first_ms, last_ms, look_ms, churned_ms;
	int pushes;
	struct toy_proxy proxies[TOY_PROXIES];
	/* asking it */
	bool asks, silent; /* silent: it pushes, but answers nobody */
	struct mesh_asking asking;
	int64_t asked_ms[MESH_SUBJECTS], of_ms[MESH_SUBJECTS], known_ms[MESH_SUBJECTS];
};

struct toy {
	unsigned seed, first_seed;
	int64_t now, settle_ms;
	int full;
	bool canary_exists, stable_new, service, named_canary, never_ready, stable_never;
	bool fatal; /* what the canary suffers from will not pass by itself */
	int canary_size;
	struct pod pods[TOY_PODS];
	int weight, mesh_weight;
	int64_t mesh_weight_at;
	int64_t pods_late, mesh_late;
	int64_t accept_late; /* an HTTPRoute's controllers take it up after at most this; 0: none */
	int64_t accepted_at;
	struct toy_istiod istiod;
	int lost;
	char why[200];
	struct rollout *r;
	struct observed seen;
	struct waiting waiting; /* of the last look */
	int acts;
	struct act last;
	bool alone; /* an abort's weight is not taken yet: nothing else is written */
	struct event journal[TOY_JOURNAL]; /* data as text and back, as on disk */
	int written;
	bool crashes;  /* at every look */
	bool careless; /* the laws are not checked: what is lost is what counts */
};

unsigned toy_roll(struct toy *w, unsigned sides);
/* A rollout of web:2 begins; more: further keys of the app. The mesh is the late one. */
void toy_begin(struct toy *w, unsigned seed, const char *more);
/* The same with an HTTPRoute, whose controllers are later than anybody would wait for. */
void toy_begin_gateway(struct toy *w, unsigned seed);
/* The mesh is istiod's instead, with churn or without, known by asking or by time. */
void toy_use_istiod(struct toy *w, int64_t churn_ms, bool asks);
void toy_end(struct toy *w);
/* So many pods, all ready and known; at the start. */
void toy_set_full(struct toy *w, int full);
/* Looks and acts until nothing more is to be done now. */
void toy_think(struct toy *w);
/* One tick of everything; false when it is over. */
bool toy_tick(struct toy *w);
void toy_command(struct toy *w, enum command what);
void toy_fold(struct toy *w, enum event_kind kind, json_t *data); /* takes data */
void toy_run_to_end(struct toy *w, enum phase wanted);
void toy_expect_home(const struct toy *w);
bool toy_serves(const struct pod *pod);

/* Inside: toy_late.c, toy_istiod.c. */
void toy_late_run(struct toy *w);
/* 10 ms of it. True if something became known: look now. */
bool toy_istiod_run(struct toy *w);
/* The most and the least weight that any proxy has that sends requests. */
int toy_most_weight(const struct toy *w);
int toy_least_weight(const struct toy *w);
/* The canary's endpoints that all of these have, in the other mesh that it believes in. */
int toy_known_canary(const struct toy *w);
void toy_lost(struct toy *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
