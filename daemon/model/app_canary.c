/* How large the two sides of a canary are at a weight. Always true: a stage's size carries its
 * weight, sizes never fall from stage to stage, and what the stable side keeps carries its own
 * share and, in need, everything. */
#include "base/jsonx.h"
#include "base/str.h"
#include "model/app_draft.h"

static int
at_most_all(int percent)
{
	return percent > 100 ? 100 : percent;
}

/* Less than abortCapacity would break what an abort promises: to move everything in one write. */
int
app_keeps(const struct app *app, int weight)
{
	int share = at_most_all(100 - weight + app->plan.headroom);

	if (!app->plan.shrink)
		return 100;
	return share > app->abort_capacity ? share : app->abort_capacity;
}

/* Where the stable side gives something up, the canary has head room, too. */
static int
least_size(const struct app *app, int weight)
{
	return at_most_all(app_keeps(app, weight) < 100 ? weight + app->plan.headroom : weight);
}

static void
check_size(const struct app *app, const struct stage_spec *stage, int before, struct keys_at *at)
{
	int least = least_size(app, stage->weight);

	if (stage->size < stage->weight)
		keys_error(at,
		    "a canary of %d percent cannot carry weight %d; give at least %d, or leave it "
		    "out",
		    stage->size, stage->weight, least);
	else if (stage->size < least)
		keys_error(at,
		    "with shrinkStable a canary of %d percent has no headroom at weight %d; give "
		    "at "
		    "least %d, or leave it out",
		    stage->size, stage->weight, least);
	else if (stage->size < before)
		keys_error(at,
		    "sizes must not fall, but %d comes after %d; a canary keeps its pods until it "
		    "is over",
		    stage->size, before);
}

static void
finish_size(const struct app *app, int i, struct stage_spec *stage, int before, struct keys_at *at)
{
	bool given = stage->size != DRAFT_UNSET;

	if (stage->weight == DRAFT_UNSET) /* which is told already */
		return;
	str_print(at->path, sizeof(at->path), "strategy.canary.stages[%d].%s", i,
	    given ? "size" : "weight");
	if (given)
		check_size(app, stage, before, at);
	else if (stage->weight == 0)
		keys_error(at, "a canary without traffic has the size that you say: give size too, "
			       "or a weight from 1");
	else
		stage->size = least_size(app, stage->weight);
	if (stage->size < before)
		stage->size = before;
	at->path[0] = '\0';
}

/* A key that does nothing is a mistake somewhere else. */
static void
check_shrink(const json_t *spec, const struct draft *draft, struct keys_at *at)
{
	const struct app *app = &draft->app;
	bool headroom = jsonx_at(spec, "strategy.canary.headroom") != NULL;
	int most = 0;

	for (int i = 0; i < draft->stage_count; i++)
		if (draft->stages[i].spec.weight > most)
			most = draft->stages[i].spec.weight;
	str_print(at->path, sizeof(at->path), "strategy.canary.%s",
	    app->plan.shrink ? "shrinkStable" : "headroom");
	if (headroom && !app->plan.shrink)
		keys_error(
		    at, "is for shrinkStable: true; without it the stable side keeps its size");
	else if (app->plan.shrink && most > 0 && app_keeps(app, most) == 100)
		keys_error(at,
		    "gives nothing up: at weight %d the stable side keeps 100 percent, of %d for "
		    "its share, %d of headroom, and at least %d of abortCapacity",
		    most, 100 - most, app->plan.headroom, app->abort_capacity);
	at->path[0] = '\0';
}

void
app_finish_sizes(const json_t *spec, struct draft *draft, struct keys_at *at)
{
	int before = 0;

	if (draft->app.rolls || draft->app.colours)
		return;
	check_shrink(spec, draft, at);
	for (int i = 0; i < draft->stage_count; i++) {
		struct stage_spec *stage = &draft->stages[i].spec;

		finish_size(&draft->app, i, stage, before, at);
		if (stage->size > before)
			before = stage->size;
	}
}
