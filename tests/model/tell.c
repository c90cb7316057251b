/* A counterexample: each step, what airisd did on it, and what is then the case. */
#include "tell.h"

#include <stdlib.h>
#include "base/str.h"
#include "steps.h"

static void
tell_cluster(const struct cluster *c, FILE *to)
{
	static const char *const canary[] = {"none", "there", "going"};
	fprintf(to, "stable %s: old %d/%d new %d/%d; canary %s %d/%d of %d",
	    c->image ? "web:2" : "web:1", c->old_ready, c->old_pods, c->new_ready, c->new_pods,
	    canary[c->canary], c->canary_ready, c->canary_pods, c->canary_size);
	fprintf(to, "; weight %d%s%s%s%s%s", c->weight, c->route ? "" : " (no route)",
	    c->names_canary ? " names-canary" : "", c->names_stable ? " names-stable" : "",
	    c->service ? " service" : "", c->subsets ? " subsets" : "");
	static const char *const jobs[] = {"", "; Job runs", "; Job succeeded", "; Job failed"};
	fprintf(to, "%s%s", c->by_hand ? "; OnDelete" : "", jobs[c->job]);
	if (c->hpa_min > 0)
		fprintf(to, " hpa>=%d", c->hpa_min);
}

static void
tell_mesh(const struct data_plane *m, FILE *to)
{
	fprintf(to, "; mesh: weight %d%s%s%s%s ends %d+%d%s%s%s", m->weight,
	    m->names_canary ? " names-canary" : "", m->names_stable ? " names-stable" : "",
	    m->service ? " service" : "", m->subsets ? " subsets" : "", m->old_ends + m->new_ends,
	    m->canary_ends, m->canary_dead ? " dead" : "", m->canary_busy ? " canary-busy" : "",
	    m->stable_busy ? " stable-busy" : "");
}

void
tell_state(const struct lab *lab, const struct state *s, FILE *to)
{
	static const char *const flights[] = {"", "; act written", "; act on its way"};
	fprintf(to, "        = %s, %s: ", phase_name((enum phase)s->r.phase),
	    lab->r->ladder.stages[s->r.stage].name);
	tell_cluster(&s->c, to);
	tell_mesh(&s->m, to);
	fprintf(to, "%s%s%s%s%s\n", flights[s->flight],
	    s->overtaken.act ? "; one more overtaken" : "",
	    s->adrift.act ? "; one may come late" : "", s->down ? "; airisd is down" : "",
	    s->outage ? "; outage" : "");
	if (lab->waiting.object[0] != '\0')
		fprintf(to, "        waits: %s: %s; %s\n", lab->waiting.object, lab->waiting.what,
		    lab->waiting.next);
}

static int
way_to(const struct store *store, uint32_t number, int **steps)
{
	int count = 0, step;
	for (uint32_t at = number; at != 0; at = store_parent(store, at, &step))
		count++;
	*steps = mem_array((size_t)count + 1, sizeof(**steps));
	for (int i = count; i > 0; i--) {
		number = store_parent(store, number, &step);
		(*steps)[i - 1] = step;
	}
	return count;
}

void
tell_way(struct lab *lab, const struct store *store, uint32_t number, int step, FILE *to)
{
	struct state at, next;
	char *bad = mem_strdup(lab->bad);
	int *steps, count = way_to(store, number, &steps);
	if (step >= 0)
		steps[count++] = step;
	store_get(store, 0, &at);
	fprintf(to, "  VIOLATION: %s\n  %d steps from the beginning:\n", bad, count);
	tell_state(lab, &at, to);
	for (int i = 0; i < count; i++) {
		struct str tell;
		enum rest rest;
		str_init(&tell, 0);
		lab->tell = &tell;
		bool taken = steps_take(lab, &at, steps[i], &next, &rest);
		fprintf(to, "  %3d. %s%s\n%s", i + 1, steps_kind(steps[i])->text,
		    taken ? "" : " (?)", str_text(&tell));
		str_done(&tell);
		at = next;
		tell_state(lab, &at, to);
	}
	lab->tell = NULL;
	fprintf(to, "  VIOLATION: %s\n", bad);
	free(bad);
	free(steps);
}
