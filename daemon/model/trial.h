/* Trial: a gate that is asked once before a start, when there is nothing to judge yet. Does its
 * data source take the query, and does it answer at all? */
#ifndef MODEL_TRIAL_H
#define MODEL_TRIAL_H

#include "model/app.h"
#include "model/findings.h"
#include "model/verdict.h"

/* Adds what this says of the gate, if anything. Only a query that the source will never take
 * forbids a start: all else may be better when the gate is asked in earnest, and until then holds
 * the stages that wait for it. */
void trial_judge(const struct app *app, const struct gate_spec *gate,
    const struct gate_sample *sample, struct findings *found);
/* The source did not answer the gate within so many seconds. */
void trial_unanswered(const struct gate_spec *gate, int seconds, struct findings *found);

#endif
