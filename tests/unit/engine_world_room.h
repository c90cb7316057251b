/* What the world's own files share. */
#ifndef TESTS_UNIT_ENGINE_WORLD_ROOM_H
#define TESTS_UNIT_ENGINE_WORLD_ROOM_H

#include "engine_world.h"

void world_run_cluster(struct world *w);
/* The route's controller looks at each change some time after it; true: it has accepted the last.
 */
bool world_accepts(struct world *w, int64_t now);
void world_run_acts(struct world *w);
void world_run_gates(struct world *w);
uint64_t world_review(void *ctx, const struct app *app,
    void (*done)(void *done_ctx, uint64_t number, const struct findings *found), void *done_ctx);
uint64_t world_trial(struct world *w, const struct gate_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct gate_sample *sample),
    void *done_ctx);
void world_gate_cancel(void *ctx, uint64_t number);
void world_review_cancel(void *ctx, uint64_t number);
void world_run_review(struct world *w);
void world_tell_changes(struct world *w);
void world_ports(struct world *w, struct engine_ports *ports); /* all but journal and event */

#endif
