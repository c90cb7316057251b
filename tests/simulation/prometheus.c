/* Prometheus behind the gates' socket: it answers as the real one does, in JSON, and what that
 * means is judged by the daemon's own code. */
#include <string.h>
#include "base/str.h"
#include "rooms.h"

#define MAX_AGE_MS 60000 /* as gates/ has it */

static const enum item_kind bad[] = {FAULT_PROMETHEUS_DOWN, FAULT_GATE_ERROR, FAULT_NO_DATA,
    FAULT_NAN, FAULT_STALE, FAULT_TOO_FEW, FAULT_GATE_FAILS};
#define BADS ((int)(sizeof(bad) / sizeof(bad[0])))

/* What is wrong with this answer; DO_START: nothing. */
static enum item_kind
trouble_of(struct world *w, int app)
{
	for (int i = 0; i < BADS; i++)
		if (world_fault_now(w, app, bad[i]))
			return bad[i];
	return DO_START;
}

static const char *
errors(struct world *w, int *status)
{
	static const char *const bodies[] = {
	    "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error\"}",
	    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":"
	    "{\"a\":\"1\"},\"value\":[1,\"1\"]},{\"metric\":{\"a\":\"2\"},\"value\":[1,\"1\"]}]}}",
	    "{\"status\":\"success\",\"warnings\":[\"partial\"],\"data\":{\"resultType\":"
	    "\"vector\",\"result\":[{\"metric\":{},\"value\":[9999999999,\"1\"]}]}}",
	    "{\"status\":\"success\",\"data\":{\"resultTy",
	};
	unsigned i = world_roll(w, 4);
	*status = i == 0 ? 422 : 200;
	return bodies[i];
}

static void
value_body(char *to, size_t size, const struct ask *ask, enum item_kind trouble, bool inf)
{
	int64_t at_ms = ask->wall_ms - (trouble == FAULT_STALE ? 2 * MAX_AGE_MS : 0);
	const char *value = trouble == FAULT_NAN	  ? inf ? "+Inf" : "NaN"
			    : trouble == FAULT_GATE_FAILS ? "0.5"
							  : "0.999";
	if (trouble == FAULT_NO_DATA)
		str_copy(to, size,
		    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}");
	else
		str_print(to, size,
		    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
		    "\"metric\":{},\"value\":[%lld.%03lld,\"%s\"]}]}}",
		    (long long)at_ms / 1000, (long long)at_ms % 1000, value);
}

static void
read_value(struct world *w, const struct ask *ask, enum item_kind trouble, struct reading *reading)
{
	char body[400];
	int status = trouble == FAULT_PROMETHEUS_DOWN ? 503 : 200;
	const char *text = body;
	value_body(body, sizeof(body), ask, trouble, world_roll(w, 3) == 0);
	if (trouble == FAULT_GATE_ERROR)
		text = errors(w, &status);
	reading_decode(text, strlen(text), status, REDUCE_NONE, ask->wall_ms, MAX_AGE_MS, reading);
}

static void
keep_truth(struct world *w, const struct ask *ask, enum item_kind trouble)
{
	struct app_world *a = &w->apps[ask->app];
	if (ask->asked_ms < a->weight_ms)
		return;
	a->gates[ask->gate].open = true;
	a->gates[ask->gate].before = a->gates[ask->gate].good;
	if (trouble == DO_START) {
		a->gates[ask->gate].good++;
		a->gates[ask->gate].good_ms = ask->asked_ms;
		return;
	}
	if (a->gates[ask->gate].good >= w->plan->apps[ask->app].measurements)
		a->gates[ask->gate].enough_ms = w->now_ms;
	a->gates[ask->gate].good = 0;
}

static void
answer(struct world *w, int number, int silent)
{
	struct reading value, samples;
	struct gate_sample sample = {.verdict = VERDICT_ERROR, .samples = -1};
	struct ask *asked = w->dead ? NULL : asks_find(w, (uint64_t)number);
	if (asked == NULL)
		return;
	struct ask ask = *asked;
	const struct gate_spec *gate = &w->apps[ask.app].spec->gates[ask.gate];
	enum item_kind trouble = silent ? FAULT_GATE_SILENT : trouble_of(w, ask.app);
	if (trouble == FAULT_TOO_FEW && gate->samples_query == NULL)
		trouble = DO_START;
	*asked = (struct ask){.number = 0};
	if (silent)
		str_copy(sample.text, sizeof(sample.text), "no answer within 10s: a fault");
	else {
		read_value(w, &ask, trouble, &value);
		samples = value;
		samples.value = trouble == FAULT_TOO_FEW ? 3 : 1000;
		sample_judge(gate, &value, gate->samples_query ? &samples : NULL, &sample);
	}
	sample.at_ms = ask.wall_ms;
	if (!ask.trial)
		keep_truth(w, &ask, trouble);
	world_trace(w, "gate app%d %s: %s (%s)", ask.app, gate->name, verdict_name(sample.verdict),
	    trouble == DO_START ? "good" : item_name(trouble));
	ask.sample(ask.ctx, ask.number, &sample);
}

static uint64_t
measure(void *ctx, const struct gate_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct gate_sample *sample), void *done_ctx)
{
	struct world *w = ctx;
	int app = question->app[3] - '0';
	uint64_t number = ++w->numbers;
	int64_t late_ms = question->trial ? 5 : world_between(w, 3, 60);
	struct ask *place = w->dead ? NULL : asks_place(w);
	if (place == NULL)
		return number;
	if (question->window_ms <= 0)
		world_violated(w, "F12", "a window of %lld ms", (long long)question->window_ms);
	*place = (struct ask){.number = number,
	    .app = app,
	    .gate = question->gate->name[1] - '0',
	    .asked_ms = w->now_ms,
	    .wall_ms = w->now_ms + w->wall_offset_ms,
	    .trial = question->trial,
	    .sample = done,
	    .ctx = done_ctx};
	if (!question->trial)
		w->apps[app].gates[place->gate].asked_ms = w->now_ms;
	bool silent = world_fault_now(w, app, FAULT_GATE_SILENT);
	if (silent)
		late_ms = 10000;
	else if (world_fault_now(w, app, FAULT_GATE_LATE))
		late_ms = world_between(w, 1000, 9900);
	event_at(w, w->now_ms + late_ms, answer, (int)number, silent, true);
	return number;
}

static bool
has_source(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "default") == 0;
}

void
gates_drop(struct world *w)
{
	for (int app = 0; app < w->plan->app_count; app++)
		for (int i = 0; i < 2; i++)
			if (w->apps[app].gates[i].open) {
				w->apps[app].gates[i].open = false;
				w->apps[app].gates[i].good = w->apps[app].gates[i].before;
			}
}

struct gate_port
gate_port_of(struct world *w)
{
	return (struct gate_port){
	    .ctx = w, .measure = measure, .cancel = asks_cancel, .has_source = has_source};
}
