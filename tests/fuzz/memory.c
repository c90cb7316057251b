#include "memory.h"
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

struct row {
	enum journal_kind kind;
	char *key, *app, *cluster, *name, *text, *actor;
	int64_t seq, number, at_ms;
	bool final, dead; /* dead: another has taken its place */
};

struct done {
	void (*done)(void *ctx, uint64_t ticket, bool ok, const char *why);
	void *ctx;
	uint64_t ticket;
};

struct memory {
	struct loop *loop;
	struct done *waiting; /* in order */
	size_t told, asked;
	struct row *rows;
	size_t count;
	int64_t last_seq;
};

struct memory *
memory_new(struct loop *loop)
{
	struct memory *memory = mem_alloc(sizeof(*memory));

	memory->loop = loop;
	return memory;
}

void
memory_free(struct memory *memory)
{
	for (size_t i = 0; i < memory->count; i++) {
		struct row *row = &memory->rows[i];

		free(row->key);
		free(row->app);
		free(row->cluster);
		free(row->name);
		free(row->text);
		free(row->actor);
	}
	free(memory->rows);
	free(memory->waiting);
	free(memory);
}

static void
tell(void *ctx)
{
	struct memory *memory = ctx;
	struct done done = memory->waiting[memory->told++];

	done.done(done.ctx, done.ticket, true, "");
}

/* Rows of rollouts and apps are written anew; the others stay. */
static void
replace(struct memory *memory, const struct journal_write *write)
{
	if (write->kind != JOURNAL_ROLLOUT && write->kind != JOURNAL_APP)
		return;
	for (size_t i = 0; i < memory->count; i++)
		if (memory->rows[i].kind == write->kind &&
		    str_equal(memory->rows[i].key, write->key))
			memory->rows[i].dead = true;
}

static void
add(struct memory *memory, struct journal_write *write)
{
	struct row *row;

	replace(memory, write);
	if (write->kind == JOURNAL_EVENT)
		write->number = ++memory->last_seq;
	if (write->text == NULL)
		return;
	memory->rows = mem_grow(memory->rows, memory->count + 1, sizeof(memory->rows[0]));
	row = &memory->rows[memory->count++];
	*row = (struct row){.kind = write->kind,
	    .key = mem_strdup(write->key),
	    .app = mem_strdup(write->app),
	    .cluster = mem_strdup(write->cluster),
	    .name = mem_strdup(write->name),
	    .text = mem_strdup(write->text),
	    .actor = mem_strdup(write->actor),
	    .seq = write->kind == JOURNAL_EVENT ? write->number : 0,
	    .number = write->number,
	    .at_ms = write->at_ms,
	    .final = write->final};
}

static void
append(void *ctx, struct journal_write *writes, int count,
    void (*done)(void *ctx, uint64_t ticket, bool ok, const char *why), void *done_ctx,
    uint64_t ticket)
{
	struct memory *memory = ctx;

	for (int i = 0; i < count; i++)
		add(memory, &writes[i]);
	memory->waiting = mem_grow(memory->waiting, memory->asked + 1, sizeof(memory->waiting[0]));
	memory->waiting[memory->asked++] = (struct done){done, done_ctx, ticket};
	loop_defer(memory->loop, tell, memory);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct walk {
	struct memory *memory;
	enum journal_kind kind;
	bool backwards;
	int limit; /* 0: none */
	bool (*wanted)(const void *asked, const struct row *row);
	const void *asked;
	journal_each *each;
	void *each_ctx;
};

/* Each may append, so nothing points into the rows. */
static int
go(const struct walk *walk)
{
	size_t count = walk->memory->count;
	int given = 0;

	for (size_t i = 0; i < count; i++) {
		size_t at = walk->backwards ? count - 1 - i : i;
		struct row row = walk->memory->rows[at];
		struct journal_row out = {row.seq, row.at_ms, row.number, row.key, row.app,
		    row.cluster, row.name, row.text, row.actor, row.final};

		if (row.kind != walk->kind || row.dead || !walk->wanted(walk->asked, &row))
			continue;
		if (!walk->each(walk->each_ctx, &out) || ++given == walk->limit)
			break;
	}
	return 0;
}

struct asked {
	const char *key;
	int64_t number;
};

static bool
is_event(const void *ctx, const struct row *row)
{
	const struct asked *asked = ctx;

	return (asked->key == NULL || strcmp(asked->key, row->key) == 0) &&
	       row->seq > asked->number;
}

static int
events(void *ctx, const char *rollout, int64_t after_seq, int limit, journal_each *each,
    void *each_ctx, struct err *e)
{
	struct asked asked = {rollout, after_seq};

	(void)e;
	return go(
	    &(struct walk){ctx, JOURNAL_EVENT, false, limit, is_event, &asked, each, each_ctx});
}

static bool
is_or_any(const char *asked, const char *is)
{
	return asked == NULL || str_equal(asked, is);
}

static bool
is_rollout(const void *ctx, const struct row *row)
{
	const struct journal_filter *filter = ctx;

	return is_or_any(filter->app, row->app) && is_or_any(filter->phase, row->name) &&
	       is_or_any(filter->cluster, row->cluster) && !(filter->live && row->final) &&
	       (filter->before == NULL || strcmp(row->key, filter->before) < 0);
}

static int
rollouts(void *ctx, const struct journal_filter *filter, journal_each *each, void *each_ctx,
    struct err *e)
{
	(void)e;
	return go(&(struct walk){ctx, JOURNAL_ROLLOUT, !filter->live, filter->limit, is_rollout,
	    filter, each, each_ctx});
}

static bool
is_any(const void *ctx, const struct row *row)
{
	(void)ctx;
	(void)row;
	return true;
}

static int
apps(void *ctx, journal_each *each, void *each_ctx, struct err *e)
{
	(void)e;
	return go(&(struct walk){ctx, JOURNAL_APP, false, 0, is_any, NULL, each, each_ctx});
}

static bool
is_release(const void *ctx, const struct row *row)
{
	const struct asked *asked = ctx;

	return strcmp(asked->key, row->key) == 0 &&
	       (asked->number == 0 || row->number < asked->number);
}

static int
releases(void *ctx, const char *app, int before, int limit, journal_each *each, void *each_ctx,
    struct err *e)
{
	struct asked asked = {app, before};

	(void)e;
	return go(
	    &(struct walk){ctx, JOURNAL_RELEASE, true, limit, is_release, &asked, each, each_ctx});
}

static bool
is_key(const void *ctx, const struct row *row)
{
	return strcmp(((const struct asked *)ctx)->key, row->key) == 0;
}

static int
key(void *ctx, const char *name, journal_each *each, void *each_ctx, struct err *e)
{
	struct asked asked = {name, 0};

	(void)e;
	return go(&(struct walk){ctx, JOURNAL_KEY, false, 1, is_key, &asked, each, each_ctx});
}

static int64_t
last_seq(void *ctx)
{
	return ((struct memory *)ctx)->last_seq;
}

static int
audit(void *ctx, const struct journal_audit_filter *filter, journal_audit_each *each,
    void *each_ctx, struct err *e)
{
	(void)ctx, (void)filter, (void)each, (void)each_ctx, (void)e;
	return 0;
}

static int
audit_head(void *ctx, struct journal_head *head, struct err *e)
{
	(void)ctx, (void)e;
	*head = (struct journal_head){.seq = 0};
	return 0;
}

struct journal_port
memory_port(struct memory *memory)
{
	return (struct journal_port){.ctx = memory,
	    .append = append,
	    .events = events,
	    .rollouts = rollouts,
	    .apps = apps,
	    .releases = releases,
	    .key = key,
	    .last_seq = last_seq,
	    .audit = audit,
	    .audit_head = audit_head};
}
