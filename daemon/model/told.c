/* See told.h. */
#include "model/told.h"

#include <string.h>
#include "base/str.h"

bool
told_is_bad(enum notice notice, const char *actor)
{
	if (notice == NOTICE_FAILED)
		return true;
	return (notice == NOTICE_PAUSED || notice == NOTICE_ABORTING) && actor[0] == '\0';
}

/* --- what was measured ------------------------------------------------------------------------ */

/* gates may be NULL; nothing measured: nothing is said. */
static void
add_measured(struct str *to, const struct rollout *r, const struct gate_state *gates)
{
	const char *before = "; measured: ";

	for (int i = 0; gates != NULL && i < r->app->gate_count; i++) {
		const struct gate_sample *last = &gates[i].last;

		if (gates[i].count == 0)
			continue;
		str_addf(to, "%s%s ", before, r->app->gates[i].name);
		if (last->has_value)
			str_addf(to, "%.6g ", last->value);
		str_addf(to, "(%s)", verdict_name(last->verdict));
		before = ", ";
	}
}

/* Of the stage that was left last. */
static void
add_left(struct str *to, const struct rollout *r)
{
	int i = r->stage - 1;

	while (i >= 0 && r->records[i].skipped)
		i--;
	if (i >= 0)
		add_measured(to, r, r->records[i].gates);
}

/* --- the sentence ----------------------------------------------------------------------------- */

static void
add_reason(struct str *to, const char *reason)
{
	if (reason[0] != '\0')
		str_addf(to, ": %s", reason);
}

static void
add_started(struct str *to, const struct rollout *r)
{
	str_addf(to, " (%s) is being rolled out as rollout %s", r->release.image, r->id);
	add_reason(to, r->release.why);
}

static void
add_succeeded(struct str *to, const struct rollout *r)
{
	char took[64];
	int64_t took_ms = r->ended_ms - r->created_ms;

	str_duration_text(took_ms > 1000 ? took_ms - took_ms % 1000 : 1000, took, sizeof(took));
	str_addf(to, " (%s) is rolled out, after %s", r->release.image, took);
	add_measured(to, r, r->gates);
}

static void
add_at_stage(struct str *to, const struct rollout *r, const char *what)
{
	const struct stage *stage = rollout_stage(r);

	str_addf(to, " %s %s", what, stage != NULL ? stage->name : "the start");
}

static void
add_what(struct str *to, const struct rollout *r, enum notice notice)
{
	switch (notice) {
	case NOTICE_STARTED:
		add_started(to, r);
		return;
	case NOTICE_STAGE:
		add_at_stage(to, r, "has come to stage");
		add_left(to, r);
		return;
	case NOTICE_PAUSED:
		add_at_stage(to, r, "is paused at");
		add_reason(to, r->reason);
		add_measured(to, r, r->gates);
		return;
	case NOTICE_APPROVAL:
		add_at_stage(to, r, "waits for an approval at");
		str_addf(to, ": airisctl rollout approve %s", r->id);
		add_measured(to, r, r->gates);
		return;
	case NOTICE_RESUMED:
		add_at_stage(to, r, "goes on at");
		return;
	case NOTICE_ABORTING:
		add_at_stage(to, r, "is being aborted at");
		add_reason(to, r->reason);
		add_measured(to, r, r->gates);
		return;
	case NOTICE_ABORTED:
		str_add(to, " was aborted, all is as before");
		add_reason(to, r->reason);
		return;
	case NOTICE_SUCCEEDED:
		add_succeeded(to, r);
		return;
	case NOTICE_FAILED:
		str_add(to, " has failed and needs a person");
		add_reason(to, r->reason);
		return;
	case NOTICES:
		return;
	}
}

/* What others wrote need not be UTF-8. */
static void
mend(char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length;) {
		size_t step = str_utf8_char(text + i, length - i);

		if (step == 0)
			text[i] = '?';
		i += step > 0 ? step : 1;
	}
}

void
told_text(const struct rollout *r, enum notice notice, const char *actor, char to[TOLD_TEXT])
{
	struct str text;

	str_init(&text, 0);
	str_addf(&text, "release %d", r->release.number);
	add_what(&text, r, notice);
	if (actor[0] != '\0')
		str_addf(&text, " (by %s)", actor);
	char *whole = str_take(&text);
	mend(whole);
	(void)str_print(to, TOLD_TEXT, "%s", whole);
	free(whole);
}
