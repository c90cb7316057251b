/* What the parts of the simulated world ask of each other. */
#ifndef TESTS_SIMULATION_ROOMS_H
#define TESTS_SIMULATION_ROOMS_H

#include "world.h"

#define DAY_MS 86400000
#define HEARD_MS 12000 /* the mesh has heard of a change by then */

/* pods.c: pods and the controllers that make and end them */
void pods_begin(struct world *w, int app);
void pods_sync(struct world *w, int app); /* the controllers will look */
void pods_count(const struct app_world *a, int side, struct counts *counts);
bool pod_serves(const struct pod *pod);	 /* is a ready endpoint */
bool pod_answers(const struct pod *pod); /* a request to it would be answered */
uint64_t pods_ends(const struct app_world *a, int side);
void pods_hurt(struct world *w, int app, int side, int count, int64_t for_ms);
/* A pod that others took away counts as there for so long. */
void pods_victim(struct world *w, int app, int side, int64_t for_ms);
void pods_may_get_ready(struct world *w, int app);
int pods_ready(const struct app_world *a, int side);
bool pods_make(struct world *w, int app, int side, int image, int ordinal); /* false: not now */
void pods_tell_to_go(struct world *w, int app, struct pod *pod, enum cause cause);

/* ordinals.c: a StatefulSet's controller, and what is seen of its pods */
struct pod *ordinals_pod(struct app_world *a, int ordinal); /* NULL: none */
bool ordinals_is_synced(const struct deployment *d);	    /* its status is of what it is now */
bool ordinals_step(struct world *w, int app, enum cause rolled, enum cause resized);
void ordinals_status(struct world *w, int app); /* it has looked */
void ordinals_count(const struct pod *pod, struct counts *counts);
void ordinals_serves(struct app_world *a, const struct pod *pod);
void ordinals_lost(struct app_world *a, const struct pod *pod, enum cause cause);
int ordinals_missing(const struct app_world *a); /* because airisd replaces them */
/* The pod that its controller waits for without end; -1: none */
int ordinals_stuck(const struct deployment *d, const struct counts *counts);
void ordinals_see(const struct app_world *a, int image, struct workload_seen *seen);
int ordinals_named(const struct act *act); /* whose pod it deletes */
enum act_outcome ordinals_delete(struct world *w, struct act_sent *x);
bool ordinals_is_held(const struct deployment *d, int number);
/* Its laws: in each state, for what is sent, and where an abort ends. */
void ordinals_check(struct world *w, int app);
void ordinals_check_send(struct world *w, int app, const struct act *act);
void ordinals_check_stage(struct world *w, const struct rollout_known *r);
void ordinals_check_home(struct world *w, int app);
/* Pods that stand, of that image or of all others; those of it that serve. */
int ordinals_pods_of(const struct app_world *a, int image, bool others);
int ordinals_ready_of(const struct app_world *a, int image);

/* nodes.c: a DaemonSet's controller, its nodes, and what is seen of its pods. What both kinds have,
 * pods that each are one of their own, is in ordinals.c. */
void nodes_begin(struct deployment *d);
bool nodes_step(struct world *w, int app, enum cause rolled);
void nodes_come_or_go(struct world *w, const struct item *item);
void nodes_pod_deleted(struct world *w, const struct item *item);
void nodes_see(const struct app_world *a, struct workload_seen *seen);
const struct seat *nodes_named(const struct cached *cached, const struct act *act); /* NULL: none */
enum act_outcome nodes_replace(struct world *w, struct act_sent *x);
void nodes_check_send(struct world *w, int app, const struct act *act);
void nodes_note(const struct world *w, struct act_sent *x); /* what it was decided on */
void nodes_check_effect(struct world *w, const struct act_sent *x);
void nodes_check(struct world *w, int app);
int nodes_limit(const struct world *w, int app, int size);

/* backup.c: the Job before the first batch */
enum act_outcome backup_make(struct world *w, const struct act_sent *x);
void backup_deleted(struct world *w, int app); /* by others */
bool backup_is_made(const struct truth *seen, const struct act *act);
void backup_see(const struct app_world *a, struct backup_seen seen[BACKUPS_SEEN]);
void backup_check(struct world *w, int app);
void backup_check_send(struct world *w, int app, const struct act *act);
const char *backup_stands(const struct world *w, int app, const struct rollout_known *r);

/* watch.c: what airisd sees of it: the cluster port but its writes */
void watch_changed(struct world *w, int app, enum part part);
void watch_take(struct world *w, int app, enum part part); /* read: the cache has it now */
void watch_tell(struct world *w, int app);		   /* something about freshness changed */
void watch_relist(struct world *w, int app);
void watch_slept(struct world *w, int app);
void watch_take_all(struct world *w, int app);
void watch_drop(struct world *w); /* the process ended */
const struct cluster_port *watch_port(void *ctx, const char *name);
bool watch_fresh(const struct world *w, int app);

/* colours.c: two colours, whose sides change places from rollout to rollout */
bool colours_of(const struct app_world *a);
bool switches_of(const struct app_world *a); /* behind a Service; others are weighed in the mesh */
const char *colours_name(const struct app_world *a, int side, char *to, size_t size);
/* For that app, as airisd has it, the sides are the other way round. */
bool colours_turned(const struct app_world *a, const struct app *spec);
void colours_take_sides(struct world *w, int app, const char *stable);
void colours_followed(struct world *w, int app); /* endpoints follow the selector, a little later */
bool colours_rolling(struct world *w, int app);	 /* a rollout of it has begun */
/* That side is being deleted, or a deletion of it is under way. */
bool colours_goes(const struct world *w, int app, int side);
/* Requests go where there is nothing any more because others sent them there, and not since what
 * airisd wrote: its endpoints do not follow that yet. */
bool colours_given_in_vain(const struct route *route);
void colours_turn_budgets(struct budgets_seen *budgets);
int colours_serving(const struct app_world *a); /* the side that has the requests */

/* acts.c: the writes; apply.c: what they do */
uint64_t acts_port(
    void *ctx, const struct app *app, const struct baseline *baseline, const struct act *act);
enum act_outcome apply_act(struct world *w, struct act_sent *sent);
enum part apply_part(enum act_kind kind, bool turned);
void apply_floor(struct world *w, int app); /* the HPA will see to its floor */
int apply_version(const struct truth *truth, enum part part);
int image_of(const char *text); /* "web:3" -> 3 */
void image_text(int image, char *to, size_t size);
void truth_weight(struct world *w, int app, int weight, bool by_others);

/* istiod.c, asks.c: the mesh, and all questions under way */
void mesh_begin(struct world *w);
void mesh_news(struct world *w); /* something changed that it pushes */
void mesh_arrivals(struct world *w);
void mesh_config(const struct world *w, int app, struct config *config);
void mesh_note_weights(struct world *w, int app);
bool mesh_keeps(const struct world *w, int app, int pod);
void mesh_send(struct world *w, struct proxy *proxy);
void mesh_answers(struct world *w); /* asks that can be answered now */
void mesh_drop(struct world *w);
struct mesh_port mesh_port_of(struct world *w);

struct ask *asks_find(struct world *w, uint64_t number); /* NULL: it is withdrawn */
struct ask *asks_place(struct world *w);		 /* for a new one; NULL: too many */
void asks_cancel(void *ctx, uint64_t number);

/* review.c: what is asked before a start */
uint64_t review_port(void *ctx, const struct app *app,
    void (*done)(void *done_ctx, uint64_t number, const struct findings *found), void *done_ctx);

/* prometheus.c */
struct gate_port gate_port_of(struct world *w);
void gates_drop(struct world *w); /* the process ended: what was not written down was not heard */

struct clock_port clock_port_of(struct world *w); /* world.c */

/* airisd.c: the engine's life; journal.c: its journal, and what is durable */
void airisd_begin(struct world *w);
void airisd_crash(struct world *w);
void airisd_end(struct world *w);
void airisd_turns(struct world *w); /* all that is due */
bool airisd_next(const struct world *w, int64_t *at_ms);
struct journal_port journal_port_of(struct world *w);
void journal_flush(struct world *w);
void journal_durable(void *ctx, const struct journal_row *row);
/* Until less than so many ms ago: what is told now may be of long ago. */
bool journal_was_ill(const struct world *w, int64_t ms);
bool journal_kept(void *ctx, const struct journal_row *row);
void journal_check_intent(struct world *w, int app, const struct act *act);
struct rollout_known *rollout_find(struct world *w, const char *id);
struct rollout_known *rollout_active(struct world *w, int app); /* NULL: none */

/* people.c */
void people_do(struct world *w, const struct item *item);
void people_check_after_crash(struct world *w);
int people_abort(struct world *w, const char *id); /* number of the reply */

/* checks.c, laws.c */
void check_world(struct world *w);
void check_history(struct world *w, int app);
void check_send(struct world *w, int app, const struct act *act);
/* Asked before it takes effect. */
bool laws_shrinks(const struct app_world *a, const struct act *act);
void check_effect(struct world *w, const struct act_sent *x);
/* said_ms: when airisd says that it was decided (wall clock). */
void check_stage(struct world *w, struct rollout_known *r, int from, int to, int64_t said_ms);
void check_home(struct world *w);
int batch_limit(struct world *w, int app); /* of pods of the release, by the stage; PODS: none */

#endif
