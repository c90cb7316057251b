/* Inside of converge: how its rules answer. Each rule returns true if it has decided the step. */
#ifndef MODEL_STEP_H
#define MODEL_STEP_H

#include "model/converge.h"

#define NO_WEIGHT (-1)

bool step_act(struct step *step, enum act_kind kind, int number, const char *text);
bool step_blocked(struct step *step, const char *object, int64_t until_ms, const char *next,
    const char *format, ...) printf_like(5, 6);
void step_object(char *to, size_t size, const char *kind, const struct app *app, const char *name);
/* Blocked on the pods of a side: says how many of how many, and why. */
bool step_pods(const struct view *v, struct step *step, enum side side, int need);
/* "canary weight 25 is written", or what a Service selects. */
void step_weight(const struct view *v, int weight, char *to, size_t size);
/* Weight 0 (or 100) was taken and the longest request is over; or blocked until then. */
bool step_drained(const struct view *v, struct step *step, const char *what_next);
/* The mesh has taken the last change of the subject; or blocked until then. what: what was done. */
bool step_taken(const struct view *v, struct step *step, enum mesh_subject subject,
    const char *next, const char *what);
/* Law 4: a weight that this abort has moved comes alone; blocked until the mesh has taken it. */
bool step_alone(const struct view *v, struct step *step, const char *next);
/* Proxies do not hear of pods that come and go; what: what would happen to the stable side's. */
bool step_unheard(const struct view *v, struct step *step, const char *next, const char *what);
/* The routing we wrote is known to the mesh; or blocked until then. */
bool step_routing_known(const struct view *v, struct step *step);

/* A deletion that was given up may still take what is needed; or false. */
bool step_may_be_removed(
    const struct view *v, struct step *step, bool is_removal(enum act_kind kind));

/* The ScaledObject that an act on what scales the workload is about; NULL: that is an HPA. */
const char *step_keda(const struct view *v);
const char *wanted_image(const struct view *v);
bool stable_has_image(const struct view *v); /* in its template */
bool stable_complete(
    const struct view *v); /* and all of its pods run it, ready, none left of another */

/* converge_traffic.c */
int stable_carries_in_need(const struct view *v); /* percent */
bool rule_rescue(const struct view *v, struct step *step);
/* Blocked: the VirtualService is not there. */
bool rule_no_route(const struct view *v, struct step *step);
bool rule_weight(const struct view *v, struct step *step, int wanted);
/* converge_sides.c */
bool rule_prepare(const struct view *v, struct step *step);
bool rule_canary(const struct view *v, struct step *step, int percent);
bool rule_image(const struct view *v, struct step *step);
bool rule_clean(const struct view *v, struct step *step);
bool rule_hpa_floor_home(const struct view *v, struct step *step);
bool rule_hpa_floor(const struct view *v, struct step *step); /* it does not scale down */
/* Blocked: what was written to a ScaledObject is not in force yet. */
bool rule_keda_lags(const struct view *v, struct step *step, const char *next);
/* converge_shrink.c: each does nothing unless the App says shrinkStable. */
bool rule_grow(const struct view *v, struct step *step);
bool rule_shrink(const struct view *v, struct step *step);
bool shrink_is_safe(const struct view *v, const struct act *act);
/* converge_rolling.c: all of an app that rolls. */
bool rule_rolling(const struct view *v, struct step *step);
bool roll_is_safe(const struct view *v, const struct act *act);
/* So many pods of the release at most, for now. */
int roll_limit(const struct view *v);
/* converge_backup.c: the Job has succeeded, where there is to be one before the batches. */
bool rule_backup(const struct view *v, struct step *step);
/* converge_colours.c: each does nothing unless there are two colours. */
bool rule_hpa_follows(const struct view *v, struct step *step, enum side side);
/* The side that is judged before it gets traffic is whole. */
bool rule_idle_ready(const struct view *v, struct step *step, const struct target *target);
bool rule_preview(const struct view *v, struct step *step);
bool rule_preview_home(const struct view *v, struct step *step);
/* What will serve has a budget before it does, and the stable side has one again at home. */
bool rule_budget(const struct view *v, struct step *step);
bool rule_budget_home(const struct view *v, struct step *step);
bool rule_budget_rests(const struct view *v, struct step *step, enum side side);
bool rule_regrow(const struct view *v, struct step *step);
bool rule_rest(const struct view *v, struct step *step);
bool rule_retire(const struct view *v, struct step *step);

#endif
