/* What a decision costs without a cluster, a disk or a network: parsing an app, one look at a
 * rollout that waits in a hold (decide, which includes converge), and a whole canary rehearsed from
 * start to end (decide, act on a made-up cluster, fold). With 1, 1,000 and 10,000 rollouts that are
 * looked at in turn, so that what the processor's caches do is seen, and the memory of each. The
 * median of several rounds is printed. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/rehearse.h"

enum { ROUNDS = 9, MOST = 10000 };

static const char spec_text[] =
    "kind: App\n"
    "name: web\n"
    "namespace: shop\n"
    "workload: {kind: Deployment, name: web}\n"
    "traffic: {istio: {virtualService: web}}\n"
    "strategy: {canary: {weights: [10, 25, 50, 100], hold: 60s}}\n"
    "gates:\n"
    "- {name: errors, prometheus: {query: 'sum(rate(errors[{{window}}]))', pass: '< 0.01'}}\n"
    "- {name: latency, prometheus: {query: 'latency{app=\"{{app}}\"}', pass: '< 100'}}\n";

static const struct release release = {.app = "web", .number = 2, .image = "web:2"};

struct waiter { /* a rollout and the cluster that it sees */
	struct rollout *rollout;
	struct observed seen;
	int64_t now_ms;
};

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static void
give_up(const char *why)
{
	fprintf(stderr, "bench_decide: %s\n", why);
	exit(1);
}

static struct app *
make_app(const json_t *spec)
{
	struct errlist errors;
	struct app *app;

	errlist_init(&errors);
	app = app_parse(spec, &errors);
	if (app == NULL)
		give_up(errors.items[0].text);
	errlist_done(&errors);
	return app;
}

static void
make_seen(struct observed *seen)
{
	*seen = (struct observed){.fresh = true, .service = true};
	seen->stable = (struct workload_seen){.exists = true,
	    .observed = true,
	    .uid = "u1",
	    .image = "web:1",
	    .replicas = 4,
	    .pods = 4,
	    .updated = 4,
	    .ready = 4};
	seen->route = (struct route_seen){.exists = true, .fits = true, .even = true};
}

static void
fold(struct waiter *w, enum event_kind kind, json_t *data)
{
	struct event event = {.kind = kind, .at_ms = w->now_ms, .actor = "", .data = data};
	struct err e;

	if (rollout_fold(w->rollout, &event, &e) < 0)
		give_up(e.text);
	json_decref(data);
}

static void
look(struct waiter *w, struct decision *decision)
{
	struct situation at = {
	    .rollout = w->rollout, .seen = &w->seen, .now_ms = w->now_ms, .settle_ms = 800};

	w->seen.verified_ms = w->now_ms;
	decide(&at, decision);
}

/* One turn as the engine has it. True while there is more to do than to wait for the hold. */
static bool
turn(struct waiter *w)
{
	struct decision decision;
	struct err e;
	bool waits;

	look(w, &decision);
	waits = decision.events.count == 0 && strcmp(decision.waiting.object, "Stage") == 0;
	for (int i = 0; i < decision.events.count; i++)
		if (rollout_fold(w->rollout, &decision.events.list[i], &e) < 0)
			give_up(e.text);
	if (decision.act.kind != ACT_NONE) {
		rehearse_act(&w->seen, w->rollout, &decision.act);
		fold(w, EVENT_ACTED,
		    json_pack("{s:I, s:s}", "attempt", (json_int_t)w->rollout->attempt.number,
			"outcome", act_outcome_name(ACT_DONE)));
	} else if (decision.events.count == 0 && !waits) {
		w->now_ms = decision.wake_ms > w->now_ms ? decision.wake_ms : w->now_ms + 1000;
	}
	events_done(&decision.events);
	return !waits;
}

static void
bring_to_hold(struct waiter *w, const struct app *app, int number)
{
	char id[ID_SIZE];

	str_print(id, sizeof(id), "r-%d", number);
	w->now_ms = 1700000000000;
	make_seen(&w->seen);
	w->rollout = rollout_new(id);
	fold(w, EVENT_CREATED,
	    json_pack("{s:O, s:o}", "app", app->spec, "release", release_json(&release)));
	rollout_share_app(w->rollout, app);
	for (int i = 0; turn(w); i++)
		if (i > 1000)
			give_up("the rollout does not come to its hold");
}

static void
bench_waiting(const struct app *app, int count)
{
	struct waiter *waiters = mem_array((size_t)count, sizeof(*waiters));
	size_t before = mallinfo2().uordblks;
	int looks = count < 1000 ? 1000 : count;
	double times[ROUNDS];

	for (int i = 0; i < count; i++)
		bring_to_hold(&waiters[i], app, i);
	size_t bytes = (mallinfo2().uordblks - before) / (size_t)count;
	for (int round = 0; round < ROUNDS; round++) {
		double begin = seconds();

		for (int i = 0; i < looks; i++) {
			struct decision decision;

			look(&waiters[i % count], &decision);
			events_done(&decision.events);
		}
		times[round] = (seconds() - begin) / looks * 1e6;
	}
	printf("%7d waiting: %7.2f us a look, %6zu bytes a rollout\n", count, median(times), bytes);
	for (int i = 0; i < count; i++)
		rollout_free(waiters[i].rollout);
	free(waiters);
}

static void
bench_canary(const struct app *app)
{
	enum { TIMES = 100 };
	double times[ROUNDS];
	int acts = 0;

	for (int round = 0; round < ROUNDS; round++) {
		double begin = seconds();

		for (int i = 0; i < TIMES; i++) {
			struct observed seen;
			struct plan plan;
			struct err e;

			make_seen(&seen);
			if (plan_make(app, &release, &seen, NULL, 1700000000000, &plan, &e) < 0)
				give_up(e.text);
			acts = plan.count;
			plan_done(&plan);
		}
		times[round] = (seconds() - begin) / TIMES * 1e6;
	}
	printf("   a whole canary: %.0f us, %d acts\n", median(times), acts);
}

static void
bench_parse(const json_t *spec)
{
	enum { TIMES = 1000 };
	double times[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		double begin = seconds();

		for (int i = 0; i < TIMES; i++)
			app_free(make_app(spec));
		times[round] = (seconds() - begin) / TIMES * 1e6;
	}
	printf("   an app checked: %.1f us\n", median(times));
}

int
main(void)
{
	json_t *spec;
	struct app *app;
	struct err e;

	if (yaml_parse(spec_text, strlen(spec_text), &spec, NULL, &e) < 0)
		give_up(e.text);
	app = make_app(spec);
	for (int count = 1; count <= MOST; count = count == 1 ? 1000 : count * 10)
		bench_waiting(app, count);
	bench_canary(app);
	bench_parse(spec);
	app_free(app);
	json_decref(spec);
	return 0;
}
