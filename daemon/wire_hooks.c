/* See wire_hooks.h. */
#include "wire_hooks.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "engine/note.h"

#define ALL_EVENTS ((1U << NOTICES) - 1)

_Static_assert(SETTINGS_WEBHOOKS <= NOTICE_HOOKS, "there is room for all of the settings");

struct wire_hooks {
	struct hooks *hooks;
	struct engine *engine; /* NULL: not yet */
};

static void
on_dropped(void *ctx, uint64_t request, enum engine_result result, const char *id, const char *why)
{
	struct wire_hooks *wire = ctx;
	(void)id;
	(void)why; /* the engine has said it */
	hooks_dropped(wire->hooks, request, result == ENGINE_OK);
}

static void
drop(void *ctx, const int64_t *seqs, int count, uint64_t number, const char *hook,
    const char *given_up)
{
	struct wire_hooks *wire = ctx;
	struct engine_reply reply = {.done = on_dropped, .ctx = wire, .request = number};
	char detail[160];
	str_print(detail, sizeof(detail), "%d notices for webhook %s", count, hook);
	struct engine_note note = {
	    .what = "webhook give up", .detail = detail, .outcome = given_up};
	if (wire->engine != NULL)
		engine_outbox_drop(
		    wire->engine, seqs, count, given_up != NULL ? &note : NULL, &reply);
}

static const char *
given(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static struct hooks_hook
hook_of(const struct settings_webhook *from)
{
	bool alerts = from->format == SAY_ALERTMANAGER; /* what begins must end */
	return (struct hooks_hook){.name = from->name,
	    .url = from->url,
	    .secret_file = given(from->secret_file),
	    .ca_file = given(from->ca_file),
	    .headers = (const char *const *)from->headers,
	    .format = (enum say_format)from->format,
	    .events = alerts ? ALL_EVENTS : from->events,
	    .namespaces = from->namespaces,
	    .apps = from->apps,
	    .timeout_ms = from->timeout_ms};
}

struct wire_hooks *
wire_hooks_new(struct loop *loop, struct engine_ports *ports)
{
	struct wire_hooks *wire = mem_alloc(sizeof(*wire));
	struct hooks_ports hooks = {
	    .ctx = wire, .clock = ports->clock, .journal = ports->journal, .drop = drop};
	wire->hooks = hooks_new(loop, &hooks);
	ports->notices = hooks_port(wire->hooks);
	return wire;
}

void
wire_hooks_begin(struct wire_hooks *wire, struct engine *engine, const struct settings *settings)
{
	wire->engine = engine;
	wire_hooks_set(wire, settings);
}

void
wire_hooks_set(struct wire_hooks *wire, const struct settings *settings)
{
	struct hooks_hook list[SETTINGS_WEBHOOKS];
	for (int i = 0; i < settings->webhook_count; i++)
		list[i] = hook_of(&settings->webhooks[i]);
	hooks_set(wire->hooks, list, settings->webhook_count);
}

void
wire_hooks_free(struct wire_hooks *wire)
{
	if (wire == NULL)
		return;
	hooks_free(wire->hooks);
	free(wire);
}

struct hooks *
wire_hooks(struct wire_hooks *wire)
{
	return wire->hooks;
}

/* --- the settings ------------------------------------------------------------------------------
 */

static void
check_hook(const struct settings *settings, int index, struct errlist *errors)
{
	const struct settings_webhook *from = &settings->webhooks[index];
	struct hooks_hook hook = hook_of(from);
	char path[64];
	struct err e;
	str_print(path, sizeof(path), "webhooks[%d].url", index);
	if (hooks_check(&hook, &e) < 0)
		errlist_add(errors, path, "%s", e.text);
	str_print(path, sizeof(path), "webhooks[%d].secretFile", index);
	if (hook.format == SAY_GENERIC && hook.secret_file == NULL)
		errlist_add(errors, path,
		    "is missing: deliveries of format generic are signed; name a file with a "
		    "random key (openssl rand -hex 32)");
	str_print(path, sizeof(path), "webhooks[%d].name", index);
	for (int i = 0; i < index; i++)
		if (strcmp(settings->webhooks[i].name, from->name) == 0)
			errlist_add(errors, path,
			    "\"%s\" stands there twice; every webhook has its own name",
			    from->name);
}

void
wire_hooks_check(const struct settings *settings, struct errlist *errors)
{
	for (int i = 0; i < settings->webhook_count; i++)
		check_hook(settings, i, errors);
	for (int i = 0; i < NOTICES; i++)
		if (strcmp(settings_notices[i], notice_name((enum notice)i)) != 0)
			errlist_add(errors, "webhooks", "the events are not those of this airisd");
}

static void
check_file(const char *file, const char *key, int index, struct errlist *errors)
{
	char path[64];
	str_print(path, sizeof(path), "webhooks[%d].%s", index, key);
	if (file[0] != '\0' && access(file, R_OK) < 0)
		errlist_add(errors, path, "%s: %s", file, strerror(errno));
}

void
wire_hooks_check_run(const struct settings *settings, struct errlist *errors)
{
	for (int i = 0; i < settings->webhook_count; i++) {
		check_file(settings->webhooks[i].secret_file, "secretFile", i, errors);
		check_file(settings->webhooks[i].ca_file, "caFile", i, errors);
	}
}
