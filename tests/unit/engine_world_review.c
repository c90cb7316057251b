/* The world is asked before a start: what it says is what the test says. */
#include "engine_world_room.h"

uint64_t
world_review(void *ctx, const struct app *app,
    void (*done)(void *done_ctx, uint64_t number, const struct findings *found), void *done_ctx)
{
	struct world *w = ctx;
	struct world_review *review = &w->review;
	if (review->done != NULL)
		world_fail(w, "%s is asked about twice at once", app->name);
	review->asked++;
	review->number = ++w->numbers;
	review->answer_at = virtual_loop_now(w->loop) + 1 + review->late;
	review->done = done;
	review->ctx = done_ctx;
	return review->number;
}

void
world_review_cancel(void *ctx, uint64_t number)
{
	struct world *w = ctx;
	if (w->review.number == number)
		w->review.done = NULL;
}

void
world_run_review(struct world *w)
{
	struct world_review asked = w->review;
	struct findings found = {0};
	if (asked.done == NULL || virtual_loop_now(w->loop) < asked.answer_at)
		return;
	w->review.done = NULL;
	if (asked.problem != NULL)
		errlist_add(&found.problems, "", "%s", asked.problem);
	if (asked.warning != NULL)
		errlist_add(&found.warnings, "", "%s", asked.warning);
	asked.done(asked.ctx, asked.number, &found);
	findings_done(&found);
}

uint64_t
world_trial(struct world *w, const struct gate_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct gate_sample *sample), void *done_ctx)
{
	static const struct gate_sample passes = {.verdict = VERDICT_PASS, .samples = -1};
	struct world_ask *ask = w->asks;
	while (ask->done != NULL && ask < w->asks + WORLD_ASKS - 1)
		ask++;
	w->trials++;
	*ask = (struct world_ask){.number = ++w->numbers,
	    .answer_at = virtual_loop_now(w->loop) + 1,
	    .sample = w->trial != NULL ? *w->trial : passes,
	    .done = done,
	    .ctx = done_ctx};
	str_copy(ask->gate, APP_LABEL, question->gate->name);
	return ask->number;
}

void
world_gate_cancel(void *ctx, uint64_t number)
{
	struct world *w = ctx;
	for (int i = 0; i < WORLD_ASKS; i++)
		if (w->asks[i].number == number)
			w->asks[i] = (struct world_ask){0};
}
