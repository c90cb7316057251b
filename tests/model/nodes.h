/* The small world's DaemonSet, a pod on each of its nodes, and the Job of a backup;
 * tests/simulation/nodes.c and backup.c have larger ones. */
#ifndef TESTS_MODEL_NODES_H
#define TESTS_MODEL_NODES_H

#include "lab.h"
#include "model/observed.h"

#define BACKUP_JOB "b-r-model" /* of the CronJob b, for the rollout of the model */

/* One step of the controller; false: it rests. */
bool nodes_step(struct state *s);
void nodes_see(const struct cluster *c, struct workload_seen *seen);
enum act_outcome nodes_replace(struct state *s, const struct act *act);
enum act_outcome backup_make(struct cluster *c);
void backup_see(const struct cluster *c, struct observed *seen);

/* Steps: it ends in that state, is deleted by others, or its deadline is over. */
bool backup_ends(struct lab *lab, struct state *s, int job_state);
bool backup_is_deleted(struct lab *lab, struct state *s, int argument);
bool backup_is_late(struct lab *lab, struct state *s, int argument);

/* Laws: for what is chosen, true if no other law is about it; and in each state. */
bool nodes_check(struct lab *lab, const struct state *s, const struct act *act, int most);
bool backup_check(struct lab *lab, const struct state *s, const struct act *act);
void nodes_check_state(struct lab *lab, const struct state *s, int most);

#endif
