/* A cluster that is asked before a start, for fuzz_rest.c: it answers in the next turn. */
#ifndef TESTS_FUZZ_FUZZ_REVIEW_H
#define TESTS_FUZZ_FUZZ_REVIEW_H

#include <stdint.h>
#include "loop/loop.h"
#include "model/app.h"
#include "model/findings.h"

static struct loop *reviews_loop;

/* By their numbers; done NULL: withdrawn. When there are too many, one is never answered. */
static struct {
	void (*done)(void *ctx, uint64_t number, const struct findings *found);
	void *ctx;
	uint64_t number;
} reviews[16];
#define REVIEWS (sizeof(reviews) / sizeof(reviews[0]))

static void
on_reviewed(void *ctx)
{
	uint64_t number = (uint64_t)(uintptr_t)ctx;
	size_t i = number % REVIEWS;
	struct findings found = {0};

	if (reviews[i].number != number || reviews[i].done == NULL)
		return;
	if (number % 3 == 0)
		findings_add(&found.warnings, "it is not known what may be written");
	reviews[i].number = 0;
	reviews[i].done(reviews[i].ctx, number, &found);
	findings_done(&found);
}

static uint64_t
fuzz_review(void *ctx, const struct app *app,
    void (*done)(void *ctx, uint64_t number, const struct findings *found), void *done_ctx)
{
	static uint64_t last;
	size_t i = ++last % REVIEWS;

	(void)ctx, (void)app;
	reviews[i].done = done;
	reviews[i].ctx = done_ctx;
	reviews[i].number = last;
	loop_defer(reviews_loop, on_reviewed, (void *)(uintptr_t)last);
	return last;
}

static void
fuzz_review_cancel(void *ctx, uint64_t number)
{
	size_t i = number % REVIEWS;

	(void)ctx;
	if (reviews[i].number == number)
		reviews[i].number = 0;
}

#endif
