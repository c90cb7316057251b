/* The bench that the gates' tests work on: a loop, a source of cardboard, the gates on it, and
 * what was answered so far. */
#ifndef TESTS_UNIT_GATES_BENCH_H
#define TESTS_UNIT_GATES_BENCH_H

#include "fake_prom.h"
#include "gates/gates.h"

enum { GUARD_MS = 20000, SHORT_MS = 400 };

struct bench {
	struct loop *loop;
	struct loop_timer *guard;
	struct fake fake;
	struct gates *gates;
	struct gate_port port;
	struct gate_spec gate;
	char url[64], folder[32];
	struct gates_source source;
	int answers, no_turn, wanted, hung_wanted;
	bool inside; /* measure() is running */
	struct gate_sample sample;
	uint64_t number, cancel_inside;
};

static struct bench *hooked; /* the turn hook's */

static inline void
on_guard(void *ctx)
{
	(void)ctx;
	fail_msg("no answer within %d ms", GUARD_MS);
}

static inline void
on_turn(void *ctx)
{
	struct bench *b = ctx;

	if (b != hooked)
		return;
	if (b->answers >= b->wanted && fake_hung(&b->fake) >= b->hung_wanted)
		loop_stop(b->loop);
}

static inline void
on_sample(void *ctx, uint64_t number, const struct gate_sample *sample)
{
	struct bench *b = ctx;

	assert_false(b->inside);
	b->answers++;
	b->no_turn += strstr(sample->text, "no turn in time") != NULL;
	b->number = number;
	b->sample = *sample;
	if (b->cancel_inside != 0)
		b->port.cancel(b->port.ctx, b->cancel_inside);
	/* Its own number means nothing any more. */
	b->port.cancel(b->port.ctx, number);
}

static inline void
open_bench(struct bench *b)
{
	*b = (struct bench){.loop = loop_new()};
	hooked = b;
	fake_start(&b->fake, b->loop);
	loop_each_turn(b->loop, on_turn, b);
	b->guard = loop_timer_new(b->loop, on_guard, b);
	loop_timer_set(b->guard, GUARD_MS);
	str_copy(b->folder, sizeof(b->folder), "/tmp/airis-gates-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	str_print(b->url, sizeof(b->url), "http://127.0.0.1:%d/prom/", b->fake.port);
	b->source = (struct gates_source){.name = "main", .url = b->url, .timeout_ms = 5000};
	b->gate = (struct gate_spec){.source = "main",
	    .query = (char *)"sum(x{w=\"{{canary}}\"}[{{window}}])",
	    .compare = COMPARE_GE,
	    .limit = 1};
}

static inline void
open_gates(struct bench *b)
{
	struct err e;

	if (gates_source_check(&b->source, &e) != 0)
		fail_msg("%s", e.text);
	b->gates = gates_new(b->loop, &b->source, 1);
	gates_port(b->gates, &b->port);
}

static inline void
close_bench(struct bench *b)
{
	gates_free(b->gates);
	loop_timer_free(b->guard);
	fake_stop(&b->fake);
	hooked = NULL;
	loop_free(b->loop);
	assert_int_equal(rmdir(b->folder), 0);
}

static inline uint64_t
ask(struct bench *b)
{
	const struct gate_question question = {.gate = &b->gate,
	    .app = "web",
	    .namespace = "shop",
	    .stable = "web",
	    .canary = "web-canary",
	    .window_ms = 30000,
	    .since_weight_ms = 60000};
	uint64_t number;

	b->inside = true;
	number = b->port.measure(b->port.ctx, &question, on_sample, b);
	b->inside = false;
	assert_true(number != 0);
	return number;
}

static inline void
wait_answers(struct bench *b, int count)
{
	b->wanted = count;
	loop_run(b->loop);
	assert_int_equal(b->answers, count);
}

/* Asks once, waits, and expects. */
static inline void
expect(struct bench *b, enum verdict verdict, const char *says)
{
	uint64_t number = ask(b);

	wait_answers(b, b->answers + 1);
	assert_true(b->number == number);
	if (b->sample.verdict != verdict || strstr(b->sample.text, says) == NULL)
		fail_msg("%s: %s", verdict_name(b->sample.verdict), b->sample.text);
}

static inline struct gates_health
health(struct bench *b)
{
	struct gates_health one;

	assert_int_equal(gates_health(b->gates, &one, 1), 1);
	return one;
}

#endif
