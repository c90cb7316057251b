/* Gates of a stage. */
#include "model/gate.h"

static uint32_t
measured_here(const struct rollout *r)
{
	const struct stage *stage = rollout_stage(r);
	if (stage == NULL || !phase_forward(r->phase))
		return 0;
	return stage->gates | stage->watch;
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A preview has no weight, nor has a batch; what is judged there is the pods. */
static bool
judges_pods(const struct rollout *r)
{
	const struct stage *stage = rollout_stage(r);
	return stage != NULL &&
	       (stage->target.batch > 0 || (stage->target.canary > 0 && stage->target.weight == 0));
}

int64_t
gate_change_ms(const struct rollout *r)
{
	return r->app->rolls ? r->sides[SIDE_CANARY].since_ms : r->seen_ms;
}

int64_t
gate_from_ms(const struct rollout *r)
{
	if (judges_pods(r))
		return rollout_taken(r, MESH_CANARY) ? r->mesh[MESH_CANARY].at_ms : 0;
	return rollout_taken(r, MESH_WEIGHT) && r->taken > 0 ? r->mesh[MESH_WEIGHT].at_ms : 0;
}

int64_t
gate_due_ms(const struct rollout *r, int i)
{
	const struct gate_spec *spec = &r->app->gates[i];
	const struct gate_state *gate = &r->gates[i];
	int64_t from_ms = gate_from_ms(r);
	if (!(measured_here(r) >> i & 1) || from_ms == 0)
		return 0;
	int64_t first = from_ms + spec->warmup_ms + least(spec->window_ms, spec->every_ms);
	int64_t next = gate->last.at_ms + spec->every_ms;
	return gate->last.at_ms != 0 && next > first ? next : first;
}

int64_t
gate_window_ms(const struct rollout *r, int i, int64_t now_ms)
{
	const struct gate_spec *spec = &r->app->gates[i];
	return least(spec->window_ms, now_ms - gate_from_ms(r) - spec->warmup_ms);
}

bool
gate_broken(const struct rollout *r, int i)
{
	return r->gates[i].failures > r->app->gates[i].failures;
}

bool
gate_is_fresh(const struct rollout *r, int i, int64_t now_ms)
{
	return r->gates[i].last.at_ms >= now_ms - 2 * r->app->gates[i].every_ms - 5000;
}

bool
gate_passes(const struct rollout *r, int i, int64_t now_ms)
{
	const struct gate_spec *spec = &r->app->gates[i];
	const struct gate_state *gate = &r->gates[i];
	return gate->last.verdict == VERDICT_PASS && gate->passes >= spec->measurements &&
	       gate_is_fresh(r, i, now_ms);
}

int
gate_waited_for(const struct rollout *r, int64_t now_ms)
{
	const struct stage *stage = rollout_stage(r);
	for (int i = 0; i < r->app->gate_count; i++)
		if ((stage->gates >> i & 1) && !gate_passes(r, i, now_ms))
			return i;
	return -1;
}

int
gate_first_broken(const struct rollout *r)
{
	uint32_t mask = measured_here(r);
	for (int i = 0; i < r->app->gate_count; i++)
		if ((mask >> i & 1) && gate_broken(r, i))
			return i;
	return -1;
}
