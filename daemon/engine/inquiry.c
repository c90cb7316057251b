/* Before a start: what no look at the caches tells. Answers that do not come in time are warnings,
 * for a start must not hang on who is slow; an answer is believed for half a minute. */
#include <inttypes.h>
#include "base/str.h"
#include "engine/engine_room.h"
#include "engine/inquiry.h"
#include "model/trial.h"

#define PATIENCE_MS 5000
#define BELIEVED_MS 30000

struct inquiry {
	struct engine *engine;
	struct app *app;
	struct findings found;
	uint64_t review;	  /* the cluster's; 0: answered, or not asked */
	uint64_t asks[APP_GATES]; /* of each gate's data source, likewise */
	int waiting;		  /* answers */
	bool over;
	int64_t over_ms;
	struct loop_timer *timer; /* the end of patience; at once when nothing is asked */
	void (*done)(void *ctx);
	void *ctx;
};

static const struct cluster_port *
cluster_of(const struct inquiry *q)
{
	return q->engine->ports.cluster(q->engine->ports.ctx, q->app->cluster);
}

static void
finish(struct inquiry *q)
{
	q->over = true;
	q->over_ms = engine_now_ms(q->engine);
	loop_timer_clear(q->timer);
	q->done(q->ctx);
}

static void
answered(struct inquiry *q)
{
	if (--q->waiting == 0)
		finish(q);
}

static void
on_review(void *ctx, uint64_t number, const struct findings *found)
{
	struct inquiry *q = ctx;
	(void)number;
	q->review = 0;
	findings_take(&q->found.problems, &found->problems);
	findings_take(&q->found.warnings, &found->warnings);
	answered(q);
}

static void
on_sample(void *ctx, uint64_t number, const struct gate_sample *sample)
{
	struct inquiry *q = ctx;
	for (int i = 0; i < q->app->gate_count; i++) {
		if (q->asks[i] != number)
			continue;
		q->asks[i] = 0;
		trial_judge(q->app, &q->app->gates[i], sample, &q->found);
	}
	answered(q);
}

static void
withdraw(struct inquiry *q)
{
	const struct cluster_port *cluster = cluster_of(q);
	const struct gate_port *gates = &q->engine->ports.gates;
	for (int i = 0; i < q->app->gate_count; i++) {
		if (q->asks[i] != 0)
			gates->cancel(gates->ctx, q->asks[i]);
		q->asks[i] = 0;
	}
	if (q->review != 0 && cluster != NULL)
		cluster->review_cancel(cluster->ctx, q->review);
	q->review = 0;
}

static void
give_up(struct inquiry *q)
{
	char line[256];
	if (q->review != 0) {
		str_print(line, sizeof(line),
		    "the API server did not say within %d s what airisd may write in namespace %s",
		    PATIENCE_MS / 1000, q->app->namespace);
		findings_add(&q->found.warnings, line);
	}
	for (int i = 0; i < q->app->gate_count; i++)
		if (q->asks[i] != 0)
			trial_unanswered(&q->app->gates[i], PATIENCE_MS / 1000, &q->found);
	withdraw(q);
}

static void
on_timer(void *ctx)
{
	struct inquiry *q = ctx;
	give_up(q);
	finish(q);
}

static void
ask_cluster(struct inquiry *q)
{
	const struct cluster_port *cluster = cluster_of(q);
	if (cluster == NULL || cluster->review == NULL)
		return;
	q->waiting++;
	q->review = cluster->review(cluster->ctx, q->app, on_review, q);
}

/* Which side is which is known of two colours only from what is seen. */
static const char *
name_of(const struct workload_seen *side, const char *otherwise)
{
	return side->name[0] != '\0' ? side->name : otherwise;
}

static void
ask_gates(struct inquiry *q, const struct observed *seen)
{
	const struct gate_port *gates = &q->engine->ports.gates;
	const struct app *app = q->app;
	const char *stable = name_of(&seen->stable, app->workload);
	struct gate_question question = {.trial = true,
	    .app = app->name,
	    .namespace = app->namespace,
	    .stable = stable,
	    .canary = app->rolls ? stable : name_of(&seen->canary, app->canary)};
	for (int i = 0; i < app->gate_count; i++) {
		question.gate = &app->gates[i];
		question.window_ms = app->gates[i].window_ms;
		q->waiting++;
		q->asks[i] = gates->measure(gates->ctx, &question, on_sample, q);
	}
}

struct inquiry *
inquiry_new(struct engine *engine, const struct app *app, const struct observed *seen, bool gates,
    void (*done)(void *ctx), void *ctx)
{
	struct inquiry *q = mem_alloc(sizeof(*q));
	*q = (struct inquiry){.engine = engine, .app = app_share(app), .done = done, .ctx = ctx};
	q->timer = loop_timer_new(engine->loop, on_timer, q);
	ask_cluster(q);
	if (gates)
		ask_gates(q, seen);
	loop_timer_set(q->timer, q->waiting > 0 ? PATIENCE_MS : 0);
	return q;
}

void
inquiry_free(struct inquiry *q)
{
	if (q == NULL)
		return;
	withdraw(q);
	loop_timer_free(q->timer);
	findings_done(&q->found);
	app_free(q->app);
	free(q);
}

bool
inquiry_waits(const struct inquiry *q)
{
	return q != NULL && !q->over;
}

const struct findings *
inquiry_found(const struct inquiry *q)
{
	if (q == NULL || !q->over || engine_now_ms(q->engine) > q->over_ms + BELIEVED_MS)
		return NULL;
	return &q->found;
}
