/* Writing a workload's pace (model/pace.h): how far its controller may replace its pods. Pure. */
#ifndef CLUSTER_ACT_PACE_H
#define CLUSTER_ACT_PACE_H

#include <jansson.h>
#include "model/app.h"
#include "model/pace.h"

/* Does its controller replace pods by itself? (Not: Recreate, OnDelete.) */
bool act_pace_can(const struct app *app, const json_t *workload);
/* Held at number pods of the new template, of the size that the workload has. */
struct pace act_pace_held(const struct app *app, const json_t *workload, int number);
/* Adds what differs. In one write with the image: alone, the old pods' ReplicaSet would take it. */
void act_pace_set(json_t *patch, const json_t *workload, const struct pace *pace);

#endif
