/* The bench of decide's tests: a rollout, what is seen, the hour, and the last decision. */
#ifndef TESTS_UNIT_DECIDE_BENCH_H
#define TESTS_UNIT_DECIDE_BENCH_H

#include "unit.h"

#include <string.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/decide.h"
#include "model/strategy.h"

struct bench {
	struct rollout *r;
	struct observed seen;
	struct situation at;
	struct decision out;
};

static inline void
fold(struct bench *b, enum event_kind kind, json_t *data)
{
	struct event event = {.kind = kind, .at_ms = b->at.now_ms, .actor = "", .data = data};
	struct err e;
	if (rollout_fold(b->r, &event, &e) < 0)
		fail_msg("%s", e.text);
	json_decref(data);
}

static inline void
see_home(struct observed *seen)
{
	*seen = (struct observed){.fresh = true, .service = true, .verified_ms = 1000000};
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

static inline void
begin_in(struct bench *b, const char *mode, const char *more)
{
	char *text = str_format("{kind: App, name: web, namespace: shop, workload: {name: web},\n"
				" traffic: {istio: {virtualService: web, mode: %s}},\n"
				" strategy: {canary: {weights: [50, 100], hold: 3s, drain: 1s, "
				"deadline: 1m}}%s}",
	    mode, more);
	struct release release = {.app = "web", .number = 2, .image = "web:2"};
	json_t *spec;
	struct err e;
	assert_int_equal(yaml_parse(text, strlen(text), &spec, NULL, &e), 0);
	free(text);
	*b = (struct bench){.r = rollout_new("r-test")};
	see_home(&b->seen);
	b->at = (struct situation){
	    .rollout = b->r, .seen = &b->seen, .now_ms = 1000000, .settle_ms = 1000};
	fold(b, EVENT_CREATED,
	    json_pack("{s:o, s:o}", "app", spec, "release", release_json(&release)));
}

static inline void
begin(struct bench *b, const char *more)
{
	begin_in(b, "host", more);
}

static inline void
end(struct bench *b)
{
	events_done(&b->out.events);
	rollout_free(b->r);
}

static inline void
move_once(struct bench *b)
{
	events_done(&b->out.events);
	decide(&b->at, &b->out);
}

/* Until it has nothing more to say, or wants to act. */
static inline void
move(struct bench *b)
{
	for (int i = 0; i < 20; i++) {
		move_once(b);
		for (int k = 0; k < b->out.events.count; k++)
			fold(
			    b, b->out.events.list[k].kind, json_incref(b->out.events.list[k].data));
		if (b->out.events.count == 0 || b->out.act.kind != ACT_NONE)
			return;
	}
	fail_msg("F59: it does not come to rest");
}

static inline bool
says(const struct bench *b, enum event_kind kind)
{
	for (int i = 0; i < b->out.events.count; i++)
		if (b->out.events.list[i].kind == kind)
			return true;
	return false;
}

/* With a canary of two ready pods that the mesh has had for long. */
static inline void
be_ready_for_fifty(struct bench *b)
{
	move(b);
	fold(b, EVENT_ACTED, json_pack("{s:i, s:s}", "attempt", 1, "outcome", "done"));
	b->seen.canary_service = b->seen.canary_service_ours = true;
	b->at.now_ms += 5000;
	move(b);
	assert_int_equal(b->out.act.kind, ACT_CREATE_CANARY);
	fold(b, EVENT_ACTED, json_pack("{s:i, s:s}", "attempt", 2, "outcome", "done"));
	b->seen.canary = (struct workload_seen){.exists = true,
	    .ours = true,
	    .observed = true,
	    .image = "web:2",
	    .replicas = 2,
	    .pods = 2,
	    .updated = 2,
	    .ready = 2,
	    .ready_new = 2};
	move(b);
	b->at.now_ms += 5000;
}

#endif
