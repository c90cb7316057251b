/* The list of hooks, and what waits for none of them. */
#include "hooks/hooks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "hooks/hooks_room.h"
#include "http/httpc_url.h"

#define SWEEP_MS 2000

/* --- settings ----------------------------------------------------------------------------------
 */

int
hooks_check(const struct hooks_hook *hook, struct err *e)
{
	return httpc_url_guarded(hook->url, e);
}

/* --- what waits for nobody ---------------------------------------------------------------------
 */

static struct worker *
by_name(const struct hooks *hooks, const char *name)
{
	for (int i = 0; i < hooks->count; i++)
		if (strcmp(hooks->workers[i]->name, name) == 0)
			return hooks->workers[i];
	return NULL;
}

struct sweeping {
	char hook[KEYS_LABEL];
	int64_t *seqs;
	int count;
};

static bool
each_name(void *ctx, const struct journal_row *row)
{
	struct sweeping *sweeping = ctx;
	str_copy(sweeping->hook, sizeof(sweeping->hook), row->app);
	sweeping->count = 1;
	return false;
}

static bool
each_row(void *ctx, const struct journal_row *row)
{
	struct sweeping *sweeping = ctx;
	sweeping->seqs[sweeping->count++] = row->seq;
	return sweeping->count < DROP_MOST;
}

void
hooks_dropped(struct hooks *hooks, uint64_t number, bool gone)
{
	for (int i = 0; i < hooks->count; i++)
		if (hooks->workers[i]->number == number)
			worker_dropped(hooks->workers[i], gone);
	if (number != 0)
		return;
	hooks->sweeping = false;
	loop_timer_set(hooks->sweep, gone ? 0 : SWEEP_MS);
}

/* Once for all of its rows. */
static void
say_swept(struct hooks *hooks, const char *hook)
{
	const struct journal_port *journal = &hooks->ports.journal;
	if (strcmp(hooks->swept, hook) == 0)
		return;
	int64_t count = journal->outbox_count(journal->ctx, hook);
	str_copy(hooks->swept, sizeof(hooks->swept), hook);
	log_warn("hooks",
	    "%" PRId64 "%s notices are dropped: they were for %s, which is not in the settings",
	    count, count == JOURNAL_OUTBOX_COUNT ? " or more" : "", hook);
}

/* -1: they cannot be read. */
static int
sweep_hook(struct hooks *hooks, struct sweeping *sweeping, struct err *e)
{
	const struct journal_port *journal = &hooks->ports.journal;
	sweeping->count = 0;
	sweeping->seqs = mem_array(DROP_MOST, sizeof(*sweeping->seqs));
	int result =
	    journal->outbox(journal->ctx, sweeping->hook, 0, DROP_MOST, each_row, sweeping, e);
	if (result == 0 && sweeping->count > 0) {
		say_swept(hooks, sweeping->hook);
		hooks->sweeping = true;
		hooks->ports.drop(
		    hooks->ports.ctx, sweeping->seqs, sweeping->count, 0, sweeping->hook, NULL);
	}
	free(sweeping->seqs);
	return result;
}

static void
on_sweep(void *ctx)
{
	struct hooks *hooks = ctx;
	const struct journal_port *journal = &hooks->ports.journal;
	struct sweeping sweeping = {.hook = ""};
	struct err e;
	int result = 0;
	if (hooks->sweeping)
		return;
	do {
		sweeping.count = 0;
		result =
		    journal->outbox_next(journal->ctx, sweeping.hook, each_name, &sweeping, &e);
	} while (result == 0 && sweeping.count > 0 && by_name(hooks, sweeping.hook) != NULL);
	if (result == 0 && sweeping.count > 0)
		result = sweep_hook(hooks, &sweeping, &e);
	else if (result == 0)
		hooks->swept[0] = '\0';
	if (result < 0) {
		log_warn("hooks", "the outbox cannot be read: %s", e.text);
		loop_timer_set(hooks->sweep, SWEEP_MS);
	}
}

/* --- the whole ---------------------------------------------------------------------------------
 */

struct hooks *
hooks_new(struct loop *loop, const struct hooks_ports *ports)
{
	struct hooks *hooks = mem_alloc(sizeof(*hooks));
	hooks->loop = loop;
	hooks->ports = *ports;
	hooks->pool = httpc_pool_new(loop, NOTICE_HOOKS);
	hooks->sweep = loop_timer_new(loop, on_sweep, hooks);
	hooks->wall_base_ms = ports->clock.wall_ms(ports->clock.ctx);
	hooks->mono_base_ms = ports->clock.mono_ms(ports->clock.ctx);
	return hooks;
}

void
hooks_free(struct hooks *hooks)
{
	if (hooks == NULL)
		return;
	for (int i = 0; i < hooks->count; i++)
		worker_free(hooks->workers[i]);
	loop_timer_free(hooks->sweep);
	httpc_pool_free(hooks->pool);
	free(hooks);
}

/* Those that stay keep what they know. */
void
hooks_set(struct hooks *hooks, const struct hooks_hook *list, int count)
{
	struct worker *next[NOTICE_HOOKS] = {0};
	int made = 0;
	for (int i = 0; i < count && made < NOTICE_HOOKS; i++) {
		struct worker *worker = by_name(hooks, list[i].name);
		if (worker != NULL)
			worker_set(worker, &list[i]);
		next[made++] = worker != NULL ? worker : worker_new(hooks, &list[i]);
	}
	for (int i = 0; i < hooks->count; i++) {
		int at = 0;
		while (at < made && next[at] != hooks->workers[i])
			at++;
		if (at == made)
			worker_free(hooks->workers[i]);
	}
	memcpy(hooks->workers, next, (size_t)made * sizeof(next[0]));
	hooks->count = made;
	loop_timer_set(hooks->sweep, 0);
}

static int
wanted(void *ctx, const struct app *app, enum notice notice, const char *names[NOTICE_HOOKS])
{
	const struct hooks *hooks = ctx;
	int count = 0;
	for (int i = 0; i < hooks->count; i++) {
		const struct worker *worker = hooks->workers[i];
		if (!worker->gone && (worker->events >> notice & 1) &&
		    globs_match(&worker->namespaces, app->namespace) &&
		    globs_match(&worker->apps, app->name))
			names[count++] = worker->name;
	}
	return count;
}

static void
written(void *ctx, const char *hook)
{
	struct hooks *hooks = ctx;
	struct worker *worker = by_name(hooks, hook);
	if (worker != NULL)
		worker_poke(worker);
	else
		loop_timer_set(hooks->sweep, 0);
}

struct notice_port
hooks_port(struct hooks *hooks)
{
	return (struct notice_port){.ctx = hooks, .hooks = wanted, .written = written};
}

/* --- for people --------------------------------------------------------------------------------
 */

int
hooks_status(const struct hooks *hooks, struct hooks_status list[NOTICE_HOOKS])
{
	const struct journal_port *journal = &hooks->ports.journal;
	for (int i = 0; i < hooks->count; i++) {
		const struct worker *worker = hooks->workers[i];
		list[i] = (struct hooks_status){.name = worker->name,
		    .url = worker->url,
		    .error = worker->error,
		    .format = worker->format,
		    .state = worker->gone	       ? HOOKS_GONE
			     : worker->failing_ms != 0 ? HOOKS_FAILING
						       : HOOKS_OK,
		    .waiting = journal->outbox_count(journal->ctx, worker->name),
		    .last_ok_ms = worker->last_ok_ms,
		    .failing_ms = worker->failing_ms,
		    .delivered = worker->delivered,
		    .failed = worker->failed,
		    .given_up = worker->given_up};
	}
	return hooks->count;
}

/* Of a URL only where it goes: what is behind the host may be a secret. */
static json_t *
host_json(const char *url)
{
	const char *host = strstr(url, "://");
	size_t length = host == NULL ? 0 : (size_t)(host - url) + 3;
	length += strcspn(url + length, "/?#");
	return json_stringn(url, length);
}

json_t *
hooks_json(const struct hooks *hooks)
{
	static const char *const states[] = {"ok", "failing", "gone"};
	static const char *const formats[] = {"generic", "slack", "alertmanager"};
	struct hooks_status status[NOTICE_HOOKS];
	json_t *list = json_array();
	int count = hooks_status(hooks, status);
	for (int i = 0; i < count; i++)
		json_array_append_new(list,
		    json_pack("{s:s, s:o, s:s, s:s, s:I, s:o, s:o, s:s, s:I, s:I, s:I}", "name",
			status[i].name, "url", host_json(status[i].url), "format",
			formats[status[i].format], "state", states[status[i].state], "waiting",
			(json_int_t)status[i].waiting, "last_success",
			jsonx_time(status[i].last_ok_ms), "failing_since",
			jsonx_time(status[i].failing_ms), "error", status[i].error, "delivered",
			(json_int_t)status[i].delivered, "failed", (json_int_t)status[i].failed,
			"given_up", (json_int_t)status[i].given_up));
	return json_pack("{s:o}", "webhooks", list);
}
