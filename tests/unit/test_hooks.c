/* Webhooks out, in virtual time: the net and the outbox are played by hand. */
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "hooks/hooks.h"
#include "hooks/pace.h"
#include "http/httpc.h"
#include "virtual_loop.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define ALL ((1U << NOTICES) - 1)

static struct loop *loop;
static struct hooks *hooks;

/* --- the net ---------------------------------------------------------------------------------- */

#define CALLS 200

static struct {
	struct call {
		struct httpc_request request;
		char url[64], *body;
		int64_t at_ms;
		bool open;
	} calls[CALLS];
	int count, open;
	int status; /* what everybody answers at once; 0: nobody does by itself */
	int64_t retry_after_ms;
	const char *bad; /* a body with this in it gets bad_status */
	int bad_status;
} net;

struct httpc_pool *
httpc_pool_new(struct loop *of, int connections)
{
	(void)of, (void)connections;
	return (struct httpc_pool *)&net;
}

void
httpc_pool_free(struct httpc_pool *pool)
{
	(void)pool;
}

uint64_t
httpc_start(struct httpc_pool *pool, const struct httpc_request *request)
{
	(void)pool;
	assert_true(net.count < CALLS);
	assert_true(request->timeout_ms > 0 && request->max_body == (size_t)1 << 20);
	assert_false(request->tls.insecure);
	struct call *call = &net.calls[net.count++];
	*call = (struct call){.request = *request,
	    .body = str_format("%.*s", (int)request->body_length, request->body),
	    .at_ms = virtual_loop_now(loop),
	    .open = true};
	str_copy(call->url, sizeof(call->url), request->url);
	return (uint64_t)net.count;
}

void
httpc_cancel(struct httpc_pool *pool, uint64_t number)
{
	(void)pool;
	net.calls[number - 1].open = false;
}

static void
net_answer(int number, int status)
{
	struct call *call = &net.calls[number];
	struct httpc_answer answer = {.number = (uint64_t)number + 1,
	    .outcome = status != 0 ? HTTPC_ANSWERED : HTTPC_UNKNOWN,
	    .status = status,
	    .retry_after_ms = net.retry_after_ms,
	    .body = "",
	    .error = "the line is dead"};
	assert_true(call->open);
	call->open = false;
	call->request.on_done(call->request.ctx, &answer);
}

/* --- the outbox ------------------------------------------------------------------------------- */

#define ROWS 3000

static struct {
	struct row {
		int64_t seq, at_ms;
		char hook[16], rollout[16], event[16], id[16];
		bool there;
	} rows[ROWS];
	int count, drops, gave_up;
	int most;  /* rows of one drop */
	bool full; /* nothing can be written */
	struct {
		uint64_t number;
		bool gone;
	} told[64];
	int telling;
} outbox;

static struct journal_row
row_of(const struct row *row, char text[256])
{
	str_print(text, 256,
	    "{\"rollout\":{\"id\":\"%s\",\"app\":\"web\",\"namespace\":\"shop\",\"cluster\":"
	    "\"default\",\"release\":7,\"image\":\"web:2\",\"stage\":\"canary "
	    "25%%\",\"reason\":\"a<b & c\"},\"by\":\"\",\"waits_for\":\"\"}",
	    row->rollout);
	return (struct journal_row){.seq = row->seq,
	    .at_ms = row->at_ms,
	    .key = row->rollout,
	    .app = row->hook,
	    .name = row->event,
	    .actor = row->id,
	    .text = text};
}

static int
outbox_read(void *ctx, const char *hook, int64_t after, int limit, journal_each *each,
    void *each_ctx, struct err *e)
{
	char text[256];
	(void)ctx, (void)e;
	for (int i = 0; i < outbox.count && limit > 0; i++) {
		const struct row *row = &outbox.rows[i];
		if (!row->there || row->seq <= after || strcmp(row->hook, hook) != 0)
			continue;
		struct journal_row given = row_of(row, text);
		limit--;
		if (!each(each_ctx, &given))
			break;
	}
	return 0;
}

static int
outbox_next(void *ctx, const char *hook, journal_each *each, void *each_ctx, struct err *e)
{
	const struct row *first = NULL;
	char text[256];
	(void)ctx, (void)e;
	for (int i = 0; i < outbox.count; i++) {
		const struct row *row = &outbox.rows[i];
		if (row->there && strcmp(row->hook, hook) > 0 &&
		    (first == NULL || strcmp(row->hook, first->hook) < 0))
			first = row;
	}
	if (first != NULL) {
		struct journal_row given = row_of(first, text);
		each(each_ctx, &given);
	}
	return 0;
}

static int64_t
outbox_count(void *ctx, const char *hook)
{
	int64_t count = 0;
	(void)ctx;
	for (int i = 0; i < outbox.count; i++)
		count += outbox.rows[i].there && strcmp(outbox.rows[i].hook, hook) == 0;
	return count;
}

static void
drop(void *ctx, const int64_t *seqs, int count, uint64_t number, const char *hook,
    const char *given_up)
{
	(void)ctx, (void)hook;
	outbox.drops++;
	outbox.most = count > outbox.most ? count : outbox.most;
	outbox.gave_up += given_up != NULL && !outbox.full ? count : 0;
	for (int i = 0; i < count && !outbox.full; i++) {
		assert_true(outbox.rows[seqs[i] - 1].there);
		outbox.rows[seqs[i] - 1].there = false;
	}
	assert_true(outbox.telling < 64);
	outbox.told[outbox.telling].number = number;
	outbox.told[outbox.telling++].gone = !outbox.full;
}

/* --- a world ---------------------------------------------------------------------------------- */

static int64_t wall_jump_ms;

static int64_t
wall_ms(void *ctx)
{
	(void)ctx;
	return INT64_C(1764457200000) + wall_jump_ms + virtual_loop_now(loop);
}

static int64_t
mono_ms(void *ctx)
{
	(void)ctx;
	return virtual_loop_now(loop);
}

static void
tell(const char *hook, const char *rollout, const char *event)
{
	struct notice_port port = hooks_port(hooks);
	struct row *row = &outbox.rows[outbox.count++];
	assert_true(outbox.count <= ROWS);
	*row = (struct row){.seq = outbox.count, .at_ms = wall_ms(NULL), .there = true};
	str_copy(row->hook, sizeof(row->hook), hook);
	str_copy(row->rollout, sizeof(row->rollout), rollout);
	str_copy(row->event, sizeof(row->event), event);
	str_print(row->id, sizeof(row->id), "d-%d", outbox.count);
	port.written(port.ctx, hook);
}

static void
serve(void)
{
	for (int i = 0; i < net.count && net.status != 0; i++)
		if (net.calls[i].open)
			net_answer(i, net.bad != NULL && strstr(net.calls[i].body, net.bad)
					  ? net.bad_status
					  : net.status);
}

static void
run(int64_t ms)
{
	int64_t end_ms = virtual_loop_now(loop) + ms;
	do {
		int64_t next_ms = virtual_loop_next(loop), now_ms = virtual_loop_now(loop);
		if (next_ms < 0 || next_ms > end_ms)
			next_ms = end_ms;
		if (next_ms > now_ms)
			virtual_loop_advance(loop, next_ms - now_ms);
		virtual_loop_turn(loop);
		serve();
		int count = outbox.telling;
		outbox.telling = 0;
		for (int i = 0; i < count; i++)
			hooks_dropped(hooks, outbox.told[i].number, outbox.told[i].gone);
	} while (virtual_loop_now(loop) < end_ms);
}

static struct hooks_hook
hook(const char *name, enum say_format format)
{
	struct hooks_hook made = {.name = name,
	    .url = strcmp(name, "b") == 0 ? "https://b.example" : "https://a.example",
	    .format = format,
	    .events = ALL,
	    .timeout_ms = 5000};
	globs_set(&made.namespaces, "*");
	globs_set(&made.apps, "*");
	return made;
}

static void
open_world(const struct hooks_hook *list, int count)
{
	struct hooks_ports ports = {.clock = {.wall_ms = wall_ms, .mono_ms = mono_ms},
	    .journal = {.outbox = outbox_read,
		.outbox_next = outbox_next,
		.outbox_count = outbox_count},
	    .drop = drop};
	loop = loop_new();
	memset(&net, 0, sizeof(net));
	memset(&outbox, 0, sizeof(outbox));
	net.status = 200;
	net.retry_after_ms = -1;
	net.bad_status = 500;
	wall_jump_ms = 0;
	hooks = hooks_new(loop, &ports);
	hooks_set(hooks, list, count);
	run(10);
}

static void
close_world(void)
{
	hooks_free(hooks);
	for (int i = 0; i < net.count; i++)
		free(net.calls[i].body);
	loop_free(loop);
}

static void
open_one(enum say_format format)
{
	struct hooks_hook one = hook("a", format);
	open_world(&one, 1);
}

static struct hooks_status
status(int number)
{
	struct hooks_status list[NOTICE_HOOKS];
	assert_true(hooks_status(hooks, list) > number);
	return list[number];
}

/* --- deliveries ------------------------------------------------------------------------------- */

static void
what_fails_comes_again_and_in_order(void **state)
{
	(void)state;
	open_one(SAY_GENERIC);
	net.status = 503;
	tell("a", "r-1", "started");
	tell("a", "r-1", "stage");
	run(100 * SECOND);
	assert_true(net.count >= 6 && net.count <= 8);
	assert_int_equal(status(0).state, HOOKS_FAILING);
	assert_int_equal(status(0).waiting, 2);
	assert_string_equal(status(0).error, "it answered with status 503");
	for (int i = 0; i < net.count; i++)
		assert_non_null(strstr(net.calls[i].body, "\"id\":\"d-1\""));
	int failed = net.count;
	net.status = 200;
	run(10 * MINUTE);
	assert_int_equal(net.count, failed + 2);
	assert_non_null(strstr(net.calls[failed].body, "\"id\":\"d-1\""));
	assert_non_null(strstr(net.calls[failed + 1].body, "\"id\":\"d-2\""));
	assert_int_equal(status(0).state, HOOKS_OK);
	assert_int_equal(status(0).waiting, 0);
	assert_int_equal(outbox.gave_up, 0);
	close_world();
}

static void
a_refused_one_stops_no_other_rollout(void **state)
{
	(void)state;
	open_one(SAY_GENERIC);
	net.bad = "r-bad";
	tell("a", "r-bad", "started");
	tell("a", "r-bad", "stage");
	for (int i = 0; i < 5; i++)
		tell("a", "r-good", "stage");
	run(20 * SECOND);
	assert_int_equal(status(0).delivered, 5);
	for (int i = 0; i < net.count; i++) /* the second of r-bad waits for the first */
		assert_null(strstr(net.calls[i].body, "\"id\":\"d-2\""));
	net.bad = NULL;
	run(10 * MINUTE);
	assert_int_equal(status(0).delivered, 7);
	assert_non_null(strstr(net.calls[net.count - 1].body, "\"id\":\"d-2\""));
	close_world();
}

/* However often it was refused: the receiver is there. */
static void
a_refused_one_delays_no_other_rollout(void **state)
{
	(void)state;
	open_one(SAY_GENERIC);
	net.bad = "r-bad";
	net.bad_status = 422;
	tell("a", "r-bad", "started");
	run(2 * HOUR);
	assert_in_range(net.count, 15, 40); /* and it is tried ever less often */
	tell("a", "r-good", "failed");
	run(5 * SECOND);
	assert_int_equal(status(0).delivered, 1);
	close_world();
}

static void
many_refused_ones_stop_no_other_rollout(void **state)
{
	char rollout[16];
	(void)state;
	open_one(SAY_GENERIC);
	net.bad = "r-bad";
	net.bad_status = 400;
	for (int i = 0; i < 40; i++) {
		str_print(rollout, sizeof(rollout), "r-bad-%d", i);
		tell("a", rollout, "started");
	}
	tell("a", "r-good", "failed");
	run(2 * MINUTE);
	assert_int_equal(status(0).delivered, 1);
	close_world();
}

static void
a_day_is_enough(void **state)
{
	(void)state;
	open_one(SAY_GENERIC);
	net.status = 500;
	tell("a", "r-1", "started");
	run(23 * HOUR);
	tell("a", "r-2", "started");
	assert_int_equal(outbox.gave_up, 0);
	run(HOUR + 15 * MINUTE);
	assert_int_equal(outbox.gave_up, 1);
	assert_int_equal(status(0).given_up, 1);
	assert_int_equal(status(0).waiting, 1);
	close_world();
}

/* However much there is, and however long the receiver wants to be left alone. */
static void
all_that_is_too_old_goes_at_once(void **state)
{
	(void)state;
	open_one(SAY_GENERIC);
	net.status = 500;
	net.retry_after_ms = HOUR;
	for (int i = 0; i < 2500; i++)
		tell("a", "r-1", "started");
	run(23 * HOUR);
	tell("a", "r-2", "started");
	assert_int_equal(outbox.gave_up, 0);
	run(2 * HOUR + 10 * MINUTE);
	assert_int_equal(outbox.gave_up, 2500);
	assert_int_equal(status(0).waiting, 1);
	assert_true(outbox.most <= 250); /* the journal has other work */
	close_world();
}

/* Rows have the times of an engine that does not look at the clock of the wall again. */
static void
a_clock_that_is_set_makes_nothing_old(void **state)
{
	(void)state;
	open_one(SAY_GENERIC);
	net.status = 500;
	tell("a", "r-1", "started");
	wall_jump_ms = 48 * HOUR;
	run(MINUTE);
	assert_true(status(0).failed > 0);
	assert_int_equal(outbox.gave_up, 0);
	close_world();
}

static void
gone_is_gone_until_it_is_set_again(void **state)
{
	struct app app = {.name = "web", .namespace = "shop"};
	const char *names[NOTICE_HOOKS];
	(void)state;
	open_one(SAY_GENERIC);
	struct notice_port port = hooks_port(hooks);
	net.status = 410;
	tell("a", "r-1", "started");
	tell("a", "r-1", "stage");
	run(SECOND);
	assert_int_equal(net.count, 1);
	assert_int_equal(status(0).state, HOOKS_GONE);
	assert_int_equal(outbox.gave_up, 2);
	assert_int_equal(port.hooks(port.ctx, &app, NOTICE_STAGE, names), 0);
	struct hooks_hook one = hook("a", SAY_GENERIC);
	hooks_set(hooks, &one, 1);
	assert_int_equal(port.hooks(port.ctx, &app, NOTICE_STAGE, names), 1);
	net.status = 200;
	tell("a", "r-1", "paused");
	run(SECOND);
	assert_int_equal(status(0).delivered, 1);
	close_world();
}

/* It was taken, and cannot be crossed out: nothing else goes meanwhile, and it does not go twice.
 */
static void
a_full_disk_sends_nothing_twice(void **state)
{
	(void)state;
	open_one(SAY_GENERIC);
	outbox.full = true;
	tell("a", "r-1", "started");
	tell("a", "r-1", "stage");
	run(MINUTE);
	assert_int_equal(net.count, 1);
	assert_true(outbox.drops > 10);
	outbox.full = false;
	run(MINUTE);
	assert_int_equal(net.count, 2);
	assert_int_equal(status(0).waiting, 0);
	close_world();
}

static void
one_that_hangs_delays_no_other(void **state)
{
	struct hooks_hook two[] = {hook("a", SAY_GENERIC), hook("b", SAY_GENERIC)};
	(void)state;
	open_world(two, 2);
	net.status = 0;
	tell("a", "r-1", "started");
	run(SECOND);
	for (int i = 0; i < 3; i++) {
		tell("b", "r-1", "stage");
		run(SECOND);
		net_answer(net.count - 1, 200);
		run(SECOND);
	}
	assert_int_equal(status(1).delivered, 3);
	assert_int_equal(net.count, 4);
	assert_int_equal(net.calls[0].open, true);
	/* One that is no longer in the settings: nothing of it stays. */
	tell("a", "r-1", "stage");
	hooks_set(hooks, &two[1], 1);
	run(5 * SECOND);
	assert_int_equal(net.calls[0].open, false);
	assert_int_equal(outbox_count(NULL, "a"), 0);
	close_world();
}

static void
people_are_told_of_to_and_fro_once(void **state)
{
	(void)state;
	open_one(SAY_SLACK);
	tell("a", "r-1", "paused");
	run(SECOND);
	assert_int_equal(net.count, 1);
	assert_string_equal(net.calls[0].body,
	    "{\"text\":\"shop/web release 7 (web:2) on default is paused at canary 25%: a&lt;b "
	    "&amp; c\"}");
	for (int i = 0; i < 5; i++) {
		tell("a", "r-1", "resumed");
		tell("a", "r-1", "paused");
		run(SECOND);
	}
	tell("a", "r-1", "resumed");
	tell("a", "r-2", "paused"); /* another one waits for nobody */
	run(SECOND);
	assert_int_equal(net.count, 2);
	run(MINUTE);
	assert_int_equal(net.count, 3);
	assert_non_null(strstr(net.calls[2].body, "goes on at"));
	assert_int_equal(status(0).waiting, 0);
	/* What follows makes an end of the waiting. */
	tell("a", "r-1", "paused");
	run(SECOND);
	assert_int_equal(net.count, 3);
	tell("a", "r-1", "failed");
	run(SECOND);
	assert_int_equal(net.count, 5);
	assert_non_null(strstr(net.calls[4].body, "FAILED"));
	close_world();
}

static void
a_burst_becomes_a_sum(void **state)
{
	char rollout[16];
	(void)state;
	open_one(SAY_SLACK);
	for (int i = 0; i < 1000; i++) {
		str_print(rollout, sizeof(rollout), "r-%d", i);
		tell("a", rollout, i % 2 ? "failed" : "aborting");
	}
	run(50 * SECOND);
	assert_int_equal(net.count, PACE_A_MINUTE);
	run(MINUTE);
	assert_int_equal(net.count, PACE_A_MINUTE + 1);
	assert_true(outbox.most <= 250);
	assert_string_equal(net.calls[PACE_A_MINUTE].body,
	    "{\"text\":\"980 notices of rollouts in a burst: 490 aborting, 490 failed, see "
	    "airisctl rollout list\"}");
	assert_int_equal(status(0).waiting, 0);
	close_world();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_fails_comes_again_and_in_order),
	    cmocka_unit_test(a_refused_one_stops_no_other_rollout),
	    cmocka_unit_test(a_refused_one_delays_no_other_rollout),
	    cmocka_unit_test(many_refused_ones_stop_no_other_rollout),
	    cmocka_unit_test(a_day_is_enough),
	    cmocka_unit_test(all_that_is_too_old_goes_at_once),
	    cmocka_unit_test(a_clock_that_is_set_makes_nothing_old),
	    cmocka_unit_test(gone_is_gone_until_it_is_set_again),
	    cmocka_unit_test(a_full_disk_sends_nothing_twice),
	    cmocka_unit_test(one_that_hangs_delays_no_other),
	    cmocka_unit_test(people_are_told_of_to_and_fro_once),
	    cmocka_unit_test(a_burst_becomes_a_sum),
	};
	return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
