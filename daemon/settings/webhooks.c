/* Who is told of what happens. */
#include <string.h>
#include "settings/file.h"
#include "settings/table.h"

#define IN_HOOK(member) .offset = offsetof(struct settings_webhook, member)
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}
#define SECOND_MS INT64_C(1000)

_Static_assert(SETTINGS_WEBHOOK_HEADERS == SETTINGS_HEADERS &&
		   sizeof(((struct settings_webhook *)0)->url) == SETTINGS_PATH,
    "the types of keys are those of the other tables");

const char *const settings_formats[] = {"generic", "slack", "alertmanager", NULL};
const char *const settings_notices[] = {"started", "stage", "paused", "approval", "resumed",
    "aborting", "aborted", "succeeded", "failed", NULL};

static int
place_of(const char *name)
{
	int i = 0;
	while (settings_notices[i] != NULL && strcmp(settings_notices[i], name) != 0)
		i++;
	return settings_notices[i] != NULL ? i : -1;
}

static void
parse_events(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	unsigned events = 0;
	if (json_array_size(value) == 0) {
		keys_wrong(at, key, value);
		return;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *name = json_string_value(json_array_get(value, i));
		int place = name == NULL ? -1 : place_of(name);
		size_t mark = keys_enter_item(at, i);
		if (place < 0)
			keys_error(at,
			    "expected: one of started, stage, paused, approval, resumed, aborting, "
			    "aborted, succeeded, failed; found: %s",
			    name != NULL ? name : "no text");
		else
			events |= 1U << place;
		keys_leave(at, mark);
	}
	*(unsigned *)slot = events;
}

const struct key_type settings_events = {
    .name = "list of started, stage, paused, approval, resumed, aborting, aborted, succeeded, "
	    "failed",
    .bare = true,
    .parse = parse_events};

json_t *
settings_events_json(const void *slot)
{
	unsigned events = *(const unsigned *)slot;
	json_t *list = json_array();
	for (int i = 0; settings_notices[i] != NULL; i++)
		if (events >> i & 1)
			json_array_append_new(list, json_string(settings_notices[i]));
	return list;
}

const struct key settings_webhook_keys[] = {
    {"name", &keys_label, NULL, "what people call it; what waits for it is kept under this name",
	IN_HOOK(name), .required = true},
    {"url", &keys_text, NULL, "where it is sent: https, or http to this host's loopback",
	IN_HOOK(url), .max = SETTINGS_PATH, .required = true},
    {"format", &keys_choice, "generic",
	"generic: all that is known, signed; slack: a sentence as {\"text\": ...}, which other "
	"chats take too; alertmanager: alerts, for a URL that ends in /api/v2/alerts, which has "
	"all events",
	IN_HOOK(format), .choices = settings_formats},
    {"secretFile", &settings_file, NULL,
	"file with the key that deliveries are signed with; needed by generic",
	IN_HOOK(secret_file), .max = SETTINGS_PATH},
    {"events", &settings_events,
	"[\"started\", \"stage\", \"paused\", \"approval\", \"resumed\", \"aborting\", "
	"\"aborted\", \"succeeded\", \"failed\"]",
	"which events it is told of", IN_HOOK(events)},
    {"namespaces", &keys_globs, "[\"*\"]", "of whose apps; * stands for any characters",
	IN_HOOK(namespaces)},
    {"apps", &keys_globs, "[\"*\"]", "of which apps there", IN_HOOK(apps)},
    {"headers", &settings_headers, NULL, "sent with every delivery", IN_HOOK(headers)},
    {"caFile", &settings_file, NULL, "PEM file to verify it by; when not given: the system's",
	IN_HOOK(ca_file), .max = SETTINGS_PATH},
    {"timeout", &keys_duration, "5s", "how long one delivery may take", IN_HOOK(timeout_ms),
	.min = 100, .max = 30 * SECOND_MS},
    END};
