/* Traces in virtual time: the net is played by hand, the journal is a list of events. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "base/yaml.h"
#include "http/httpc.h"
#include "model/strategy.h"
#include "traces/traces.h"
#include "virtual_loop.h"

#define SECOND INT64_C(1000)

static struct loop *loop;
static struct traces *traces;

/* --- the net ---------------------------------------------------------------------------------- */

#define CALLS 100

static struct {
	struct call {
		struct httpc_request request;
		char *body, headers[512];
		int64_t at_ms;
		bool open;
	} calls[CALLS];
	int count;
	int status; /* what everybody answers at once; 0: nobody does by itself */
	const char *text;
	int64_t retry_after_ms;
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
	assert_true(request->timeout_ms == 5000 && request->max_body == 65536);
	assert_false(request->tls.insecure);
	for (int i = 0; i < net.count; i++)
		assert_false(net.calls[i].open); /* one at a time */
	struct call *call = &net.calls[net.count++];
	*call = (struct call){.request = *request,
	    .body = str_format("%.*s", (int)request->body_length, request->body),
	    .at_ms = virtual_loop_now(loop),
	    .open = true};
	for (int i = 0; request->headers[i] != NULL; i++) {
		size_t length = strlen(call->headers);
		str_print(call->headers + length, sizeof(call->headers) - length, "%s\n",
		    request->headers[i]);
	}
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
	    .outcome = status > 0 ? HTTPC_ANSWERED : HTTPC_UNKNOWN,
	    .status = status > 0 ? status : 0,
	    .retry_after_ms = net.retry_after_ms,
	    .body = net.text,
	    .body_length = strlen(net.text),
	    .error = "the line is dead"};
	assert_true(call->open);
	call->open = false;
	call->request.on_done(call->request.ctx, &answer);
}

static json_t *
spans_of(int number)
{
	struct err e;
	json_t *json = jsonx_parse(
	    net.calls[number].body, strlen(net.calls[number].body), (size_t)16 << 20, &e);
	if (json == NULL)
		fail_msg("%s", e.text);
	json_t *spans = json_incref(jsonx_at(json, "resourceSpans.0.scopeSpans.0.spans"));
	assert_non_null(spans);
	json_decref(json);
	return spans;
}

static int
count_of(int number)
{
	json_t *spans = spans_of(number);
	int count = (int)json_array_size(spans);
	json_decref(spans);
	return count;
}

static bool
has(int number, const char *name)
{
	json_t *spans = spans_of(number);
	bool found = false;
	for (size_t i = 0; i < json_array_size(spans); i++)
		found = found || str_equal(jsonx_text(json_array_get(spans, i), "name"), name);
	json_decref(spans);
	return found;
}

/* --- the journal ------------------------------------------------------------------------------ */

#define ROWS 2000

static struct {
	struct {
		char key[16], name[16], text[128];
	} rows[ROWS];
	int count, reads;
	bool broken;
} journal;

static struct journal_row
row_of(int i)
{
	return (struct journal_row){.seq = i + 1,
	    .at_ms = 1000000 + i,
	    .key = journal.rows[i].key,
	    .name = journal.rows[i].name,
	    .text = journal.rows[i].text,
	    .actor = ""};
}

static int
read_events(void *ctx, const char *rollout, int64_t after, int limit, journal_each *each,
    void *each_ctx, struct err *e)
{
	(void)ctx;
	journal.reads++;
	if (journal.broken)
		return err_set(e, "the disk is gone");
	for (int i = (int)after; i < journal.count && limit > 0; i++) {
		struct journal_row row = row_of(i);
		if (strcmp(row.key, rollout) != 0)
			continue;
		limit--;
		if (!each(each_ctx, &row))
			break;
	}
	return 0;
}

/* --- a world ---------------------------------------------------------------------------------- */

static int64_t
wall_ms(void *ctx)
{
	(void)ctx;
	return INT64_C(1764457200000) + virtual_loop_now(loop);
}

static int64_t
mono_ms(void *ctx)
{
	(void)ctx;
	return virtual_loop_now(loop);
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
		for (int i = 0; i < net.count && net.status != 0; i++)
			if (net.calls[i].open)
				net_answer(i, net.status);
	} while (virtual_loop_now(loop) < end_ms);
}

static void
send_to(const char *url, const char *token_file)
{
	static const char *const headers[] = {"X-Tenant: shop", NULL};
	struct traces_place place = {
	    .url = url, .token_file = token_file, .headers = headers, .timeout_ms = 5000};
	traces_set(traces, &place);
}

static struct rollout *
rollout(const char *id)
{
	const char *text = "{kind: App, name: web, namespace: shop, workload: {name: web},\n"
			   " traffic: {istio: {virtualService: web}},\n"
			   " strategy: {canary: {weights: [10, 100]}}}";
	struct release release = {.app = "web", .number = 7, .image = "web:2"};
	struct baseline baseline = {.replicas = 4, .hpa_min = -1, .image = "web:1", .uid = "u"};
	struct rollout *r = rollout_new(id);
	struct ladder ladder;
	json_t *spec;
	struct err e;
	assert_int_equal(yaml_parse(text, strlen(text), &spec, NULL, &e), 0);
	struct event created = {.kind = EVENT_CREATED,
	    .at_ms = 1000000,
	    .data = json_pack("{s:o, s:o}", "app", spec, "release", release_json(&release))};
	assert_int_equal(rollout_fold(r, &created, &e), 0);
	json_decref(created.data);
	r->app->strategy->compile(r->app, &baseline, &ladder);
	struct event compiled = {.kind = EVENT_COMPILED,
	    .at_ms = 1000001,
	    .data = json_pack("{s:o, s:o}", "baseline", baseline_json(&baseline), "ladder",
		ladder_json(&ladder))};
	assert_int_equal(rollout_fold(r, &compiled, &e), 0);
	json_decref(compiled.data);
	return r;
}

/* told: this airisd lives at that moment. */
static void
write_row(const struct rollout *r, const char *name, const char *text, bool told)
{
	struct trace_port port = traces_port(traces);
	int i = journal.count++;
	assert_true(journal.count <= ROWS);
	str_copy(journal.rows[i].key, sizeof(journal.rows[i].key), r->id);
	str_copy(journal.rows[i].name, sizeof(journal.rows[i].name), name);
	str_copy(journal.rows[i].text, sizeof(journal.rows[i].text), text);
	struct journal_row row = row_of(i);
	if (told)
		port.event(port.ctx, r, &row);
}

static void
happens(const struct rollout *r, const char *name, const char *text)
{
	write_row(r, name, text, true);
}

/* Four spans: preflight, a stage with an effect, and the whole. */
static void
release_begins(const struct rollout *r, bool told)
{
	write_row(r, "created", "{}", told);
	write_row(r, "compiled", "{}", told);
	write_row(r, "stage", "{\"index\": 1}", told);
	write_row(r, "act", "{\"attempt\": 1, \"act\": \"weight\", \"number\": 10}", told);
	write_row(r, "acted", "{\"attempt\": 1, \"outcome\": \"done\"}", told);
}

static void
release_ends(const struct rollout *r)
{
	happens(r, "phase", "{\"to\": \"succeeded\"}");
}

static void
begin(void)
{
	memset(&net, 0, sizeof(net));
	memset(&journal, 0, sizeof(journal));
	net.status = 200;
	net.text = "";
	net.retry_after_ms = -1;
	loop = loop_new();
	struct clock_port clock = {.wall_ms = wall_ms, .mono_ms = mono_ms};
	struct journal_port port = {.events = read_events};
	traces = traces_new(loop, &clock, &port);
	send_to("https://a.example/v1/traces", NULL);
}

static void
end(void)
{
	traces_free(traces);
	loop_free(loop);
	for (int i = 0; i < net.count; i++)
		free(net.calls[i].body);
}

static struct traces_status
status(void)
{
	struct traces_status status;
	traces_status(traces, &status);
	return status;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void
what_ends_together_goes_together(void **state)
{
	struct rollout *r = rollout("r-1");
	(void)state;
	begin();
	release_begins(r, true);
	run(100);
	assert_int_equal(net.count, 0);
	release_ends(r);
	run(SECOND);
	assert_int_equal(net.count, 1);
	assert_int_equal(count_of(0), 4);
	assert_non_null(strstr(net.calls[0].headers, "Content-Type: application/json\n"));
	assert_non_null(strstr(net.calls[0].headers, "X-Tenant: shop\n"));
	assert_null(strstr(net.calls[0].headers, "Authorization"));
	assert_non_null(strstr(net.calls[0].body, "\"service.name\""));
	assert_int_equal(status().exported, 4);
	assert_int_equal(status().waiting, 0);
	assert_int_equal(journal.reads, 0); /* it was there from the start */
	run(60 * SECOND);
	assert_int_equal(net.count, 1);
	end();
	rollout_free(r);
}

/* What is said to be again is sent again, and waited for as long as is asked. */
static void
it_is_sent_until_it_is_taken(void **state)
{
	static const int again[] = {-1, 429, 502, 503, 504};
	struct rollout *r = rollout("r-1");
	(void)state;
	begin();
	net.status = 0;
	release_begins(r, true);
	release_ends(r);
	for (int i = 0; i < 5; i++) {
		int64_t wait_ms = (int64_t)1000 << i;
		run(i == 0 ? SECOND : wait_ms);
		assert_int_equal(net.count, i + 1);
		net_answer(i, again[i]);
		run(wait_ms - 1);
		assert_int_equal(net.count, i + 1); /* not earlier */
	}
	run(20 * SECOND);
	assert_int_equal(net.count, 6);
	net.retry_after_ms = 300 * SECOND;
	net_answer(5, 429);
	run(299 * SECOND);
	assert_int_equal(net.count, 6);
	run(2 * SECOND);
	assert_int_equal(net.count, 7);
	assert_string_equal(net.calls[0].body, net.calls[6].body);
	assert_int_equal(status().waiting, 4);
	net_answer(6, 200);
	assert_int_equal(status().exported, 4);
	assert_int_equal(status().waiting, 0);
	end();
	rollout_free(r);
}

static void
what_is_refused_is_gone(void **state)
{
	struct rollout *r = rollout("r-1");
	(void)state;
	begin();
	net.status = 400;
	release_begins(r, true);
	run(SECOND);
	assert_int_equal(net.count, 1);
	assert_int_equal(status().dropped[TRACES_REFUSED], 1);
	net.status = 200;
	net.text = "{\"partialSuccess\": {\"rejectedSpans\": \"2\"}}";
	release_ends(r);
	run(5 * SECOND);
	assert_int_equal(net.count, 2);
	assert_int_equal(count_of(1), 3);
	assert_int_equal(status().dropped[TRACES_REFUSED], 3);
	assert_int_equal(status().exported, 1);
	end();
	rollout_free(r);
}

/* Bounds: of the queue, in which the oldest make room, and of a request. */
static void
nothing_grows_without_end(void **state)
{
	struct rollout *r = rollout("r-1");
	char text[96];
	(void)state;
	begin();
	net.status = -1;
	for (int i = 0; i < 12000; i++) {
		journal.count = 0; /* nobody reads it */
		happens(r, "created", "{}");
		str_print(text, sizeof(text), "{\"attempt\": %d, \"act\": \"weight\"}", i);
		happens(r, "act", text);
		str_print(text, sizeof(text), "{\"attempt\": %d, \"outcome\": \"done\"}", i);
		happens(r, "acted", text);
	}
	happens(r, "phase", "{\"to\": \"succeeded\"}");
	assert_int_equal(status().waiting, 8192);
	assert_int_equal(status().dropped[TRACES_FULL], 12001 - 8192);
	run(5 * SECOND);
	assert_true(net.count > 1);
	assert_int_equal(count_of(0), 512);
	net.status = 200;
	run(60 * SECOND);
	assert_int_equal(status().waiting, 0);
	assert_int_equal(status().exported, 8192);
	assert_true(has(net.count - 1, "rollout web"));
	end();
	rollout_free(r);
}

/* What this airisd has not seen is in the journal; what had ended before was sent by the one
 * before. */
static void
it_goes_on_after_a_restart(void **state)
{
	struct rollout *r = rollout("r-1"), *other = rollout("r-2");
	(void)state;
	begin();
	release_begins(r, false);
	for (int i = 0; i < 700; i++) /* more than are read at once */
		write_row(i % 100 ? r : other, "ready", "{}", false);
	journal.broken = true;
	happens(r, "ready", "{}"); /* changes no span */
	assert_int_equal(journal.reads, 0);
	happens(r, "act", "{\"attempt\": 2, \"act\": \"weight\", \"number\": 20}");
	assert_int_equal(journal.reads, 1);
	journal.broken = false;
	happens(r, "acted", "{\"attempt\": 2, \"outcome\": \"done\"}");
	release_ends(r);
	assert_int_equal(journal.reads, 3);
	run(SECOND);
	assert_int_equal(net.count, 1);
	assert_int_equal(count_of(0), 4);
	assert_true(has(0, "canary 10%") && has(0, "rollout web") && !has(0, "preflight"));
	end();
	rollout_free(r);
	rollout_free(other);
}

static void
who_wants_none_gets_none(void **state)
{
	struct trace_port port;
	struct rollout *r = rollout("r-1");
	(void)state;
	begin();
	port = traces_port(traces);
	r->trace.sampled = false;
	release_begins(r, true);
	release_ends(r);
	run(SECOND);
	assert_int_equal(net.count, 0);
	r->trace.sampled = true;
	assert_true(port.exports(port.ctx));
	net.status = 0;
	release_begins(r, true);
	run(SECOND);
	assert_int_equal(net.count, 1);
	send_to(NULL, NULL);
	assert_false(net.calls[0].open || port.exports(port.ctx));
	assert_int_equal(status().dropped[TRACES_OFF], 1);
	release_ends(r);
	run(SECOND);
	assert_int_equal(net.count, 1);
	assert_int_equal(status().waiting, 0);
	end();
	rollout_free(r);
}

static void
the_token_is_read_when_it_is_used(void **state)
{
	char path[] = "/tmp/airis-traces-XXXXXX";
	struct rollout *r = rollout("r-1");
	int fd = mkstemp(path);
	(void)state;
	assert_true(fd >= 0);
	begin();
	send_to("https://a.example/v1/traces", path);
	release_begins(r, true);
	run(SECOND);
	assert_int_equal(net.count, 0); /* not without it */
	assert_int_equal(write(fd, "two words\n", 10), 10);
	run(3 * SECOND);
	assert_int_equal(net.count, 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "secret-1\n", 9, 0), 9);
	run(10 * SECOND);
	assert_int_equal(net.count, 1);
	assert_non_null(strstr(net.calls[0].headers, "Authorization: Bearer secret-1\n"));
	close(fd);
	unlink(path);
	end();
	rollout_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_ends_together_goes_together),
	    cmocka_unit_test(it_is_sent_until_it_is_taken),
	    cmocka_unit_test(what_is_refused_is_gone),
	    cmocka_unit_test(nothing_grows_without_end),
	    cmocka_unit_test(it_goes_on_after_a_restart),
	    cmocka_unit_test(who_wants_none_gets_none),
	    cmocka_unit_test(the_token_is_read_when_it_is_used),
	};
	mem_json_hook();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
