/* plan: the big lock and the one worker that runs what is due. Nothing polls: the worker
 * sleeps until the earliest due time. The lock is fair towards requests: the worker gives it
 * up after every millisecond of work if a request waits. */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "store.h"

typedef void task_fn(struct obj *o);
typedef void call_fn(void *arg);

void big_lock(void);
/* Also sends on whatever the work under the lock made ready (plan_after_unlock). */
void big_unlock(void);
/* fn runs each time just before the lock is given up. */
void plan_before_unlock(void (*fn)(void));

/* Which function runs a task of a kind. */
void plan_register(enum kind_id kind, enum task task, task_fn *fn);
/* Runs the task in delay ms, or earlier if it is already planned earlier. A task of an object
 * that is gone is forgotten. */
void plan_task(struct obj *o, enum task task, uint64_t delay);
/* Calls fn(arg) once in delay ms. */
void plan_call(uint64_t delay, call_fn *fn, void *arg);

void plan_start(void);
/* Ends the worker; what is still planned is dropped. */
void plan_stop(void);

#endif
