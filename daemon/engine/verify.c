/* Reads all of a journal and throws it away again. */
#include "engine/verify.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/engine_room.h"

struct verifying {
	const struct journal_port *journal;
	void (*finding)(void *ctx, const char *text);
	void *ctx;
	int count;
	int64_t rollouts;
};

static void find(struct verifying *v, const char *format, ...) printf_like(2, 3);

static void
find(struct verifying *v, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = str_vformat(format, args);
	va_end(args);
	v->finding(v->ctx, text);
	v->count++;
	free(text);
}

static bool
verify_app(void *ctx, const struct journal_row *row)
{
	struct app *app;
	struct err e;
	if (recover_app(row, &app, &e) < 0)
		find(ctx, "%s", e.text);
	else
		app_free(app);
	return true;
}

static void
differs(struct verifying *v, const char *id, const char *field, const char *row, const char *fold)
{
	find(v, "rollout %s: its row says %s %s, its events say %s", id, field, row, fold);
}

/* What this version adds to a line of the list is not in a row that an older one wrote. */
static void
compare_summary(struct verifying *v, const struct journal_row *row, const char *folded)
{
	struct err e;
	json_t *said = jsonx_parse(row->text, strlen(row->text), 1 << 20, &e);
	json_t *is = jsonx_parse(folded, strlen(folded), 1 << 20, NULL), *value;
	const char *name;
	if (!json_is_object(said))
		find(v, "rollout %s: its row in the list is damaged: %s", row->key,
		    said == NULL ? e.text : "no object");
	json_object_foreach(said, name, value)
	{
		json_t *other = json_object_get(is, name);
		if (other == NULL || json_equal(value, other))
			continue;
		char *a = jsonx_dump(value), *b = jsonx_dump(other);
		differs(v, row->key, name, a, b);
		free(a);
		free(b);
	}
	json_decref(said);
	json_decref(is);
}

/* The columns by which it is found. */
static void
compare_columns(struct verifying *v, const struct journal_row *row, const struct rollout *r)
{
	char said[24], is[24];
	if (!str_equal(row->name, phase_name(r->phase)))
		differs(v, row->key, "phase", row->name, phase_name(r->phase));
	if (!str_equal(row->app, r->app->name))
		differs(v, row->key, "app", row->app, r->app->name);
	if (!str_equal(row->cluster, r->app->cluster))
		differs(
		    v, row->key, "cluster", row->cluster ? row->cluster : "none", r->app->cluster);
	str_print(said, sizeof(said), "%lld", (long long)row->number);
	str_print(is, sizeof(is), "%d", r->release.number);
	if (strcmp(said, is) != 0)
		differs(v, row->key, "release", said, is);
	if (row->final != rollout_ended(r))
		differs(v, row->key, "that it", row->final ? "has ended" : "is live",
		    phase_name(r->phase));
}

static bool
verify_rollout(void *ctx, const struct journal_row *row)
{
	struct verifying *v = ctx;
	struct rollout *rollout;
	struct err e;
	v->rollouts++;
	if (recover_rollout(v->journal, row->key, &rollout, &e) < 0) {
		find(v, "rollout %s: %s", row->key, e.text);
		return true;
	}
	char *summary = summary_text(rollout);
	compare_columns(v, row, rollout);
	compare_summary(v, row, summary);
	free(summary);
	rollout_free(rollout);
	return true;
}

int
engine_verify(const struct journal_port *journal, void (*finding)(void *ctx, const char *text),
    void *ctx, int64_t *rollouts)
{
	struct verifying v = {.journal = journal, .finding = finding, .ctx = ctx};
	struct journal_filter all = {0};
	struct err e;
	if (journal->apps(journal->ctx, verify_app, &v, &e) < 0)
		find(&v, "apps: %s", e.text);
	if (journal->rollouts(journal->ctx, &all, verify_rollout, &v, &e) < 0)
		find(&v, "rollouts: %s", e.text);
	*rollouts = v.rollouts;
	return v.count;
}
