/* Schedules as text: a line for the whole, one for each app and one for each item, all of words
 * with numbers after them, so that what fails can be kept and changed by hand. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "schedule.h"

static const char *const names[ITEM_KINDS] = {
    [FAULT_REFUSED] = "refused",
    [FAULT_CONFLICT] = "conflict",
    [FAULT_THROTTLED] = "throttled",
    [FAULT_SERVER_ERROR] = "server-error",
    [FAULT_UNREACHABLE] = "unreachable",
    [FAULT_ANSWER_LOST] = "answer-lost",
    [FAULT_REQUEST_LOST] = "request-lost",
    [FAULT_LATE_EFFECT] = "late-effect",
    [FAULT_TWICE] = "answered-twice",
    [FAULT_OVERTAKEN] = "answer-overtaken",
    [FAULT_OUTAGE] = "api-outage",
    [FAULT_WEBHOOK] = "webhook-down",
    [FAULT_TOLD_LATE] = "told-late",
    [FAULT_NOT_TOLD] = "not-told",
    [FAULT_NOT_FRESH] = "not-fresh",
    [FAULT_DELETED] = "object-deleted",
    [FAULT_WEIGHT_EDITED] = "weight-edited",
    [FAULT_IMAGE_EDITED] = "image-edited",
    [FAULT_SIZE_EDITED] = "size-edited",
    [FAULT_SCALED] = "hpa-scales",
    [FAULT_NODE] = "node-comes-or-goes",
    [FAULT_POD_DELETED] = "pod-deleted",
    [FAULT_BACKUP_FAILS] = "backup-fails",
    [FAULT_BACKUP_HANGS] = "backup-hangs",
    [FAULT_CRASHED] = "pods-crash",
    [FAULT_NEVER_READY] = "pods-never-ready",
    [FAULT_FLAPS] = "pods-flap",
    [FAULT_CHURN] = "mesh-late",
    [FAULT_MESH_SILENT] = "mesh-silent",
    [FAULT_MESH_DOWN] = "mesh-down",
    [FAULT_PROXY_STUCK] = "proxy-stuck",
    [FAULT_GATE_FAILS] = "gate-fails",
    [FAULT_NO_DATA] = "gate-no-data",
    [FAULT_GATE_ERROR] = "gate-error",
    [FAULT_TOO_FEW] = "gate-too-few",
    [FAULT_NAN] = "gate-nan",
    [FAULT_STALE] = "gate-stale",
    [FAULT_GATE_LATE] = "gate-late",
    [FAULT_GATE_SILENT] = "gate-silent",
    [FAULT_PROMETHEUS_DOWN] = "prometheus-down",
    [FAULT_DISK_FULL] = "disk-full",
    [FAULT_DISK_WRITES] = "disk-writes-fail",
    [FAULT_DISK_SYNCS] = "disk-syncs-fail",
    [FAULT_DISK_SLOW] = "disk-slow",
    [FAULT_CLOCK_JUMPS] = "clock-jumps",
    [FAULT_SUSPENDED] = "suspended",
    [CRASH_NOW] = "crash",
    [CRASH_BEFORE_COMMIT] = "crash-before-commit",
    [CRASH_IN_COMMIT] = "crash-in-commit",
    [CRASH_AFTER_COMMIT] = "crash-after-commit",
    [CRASH_ACT_SENT] = "crash-act-sent",
    [CRASH_ACT_APPLIED] = "crash-act-applied",
    [CRASH_ACT_ANSWERED] = "crash-act-answered",
    [DO_START] = "start",
    [DO_START_AGAIN] = "start-again",
    [DO_UNDO] = "undo",
    [DO_PROMOTE] = "promote",
    [DO_PROMOTE_FULL] = "promote-full",
    [DO_ABORT] = "abort",
    [DO_PAUSE] = "pause",
    [DO_RESUME] = "resume",
    [DO_RETRY] = "retry",
    [DO_APPROVE] = "approve",
};

const char *
item_name(enum item_kind kind)
{
	return names[kind];
}

enum type { FLAG, INT, TIME, NUMBER };
struct word {
	const char *name;
	enum type type;
	size_t at;
};

#define WHOLE(name, type)                                                                          \
	{                                                                                          \
#name, type, offsetof(struct schedule, name)                                       \
	}
#define OF_APP(name, type)                                                                         \
	{                                                                                          \
#name, type, offsetof(struct app_plan, name)                                       \
	}
#define OF_ITEM(name, type)                                                                        \
	{                                                                                          \
#name, type, offsetof(struct item, name)                                           \
	}
static const struct word whole_words[] = {WHOLE(seed, NUMBER), WHOLE(end_ms, TIME),
    WHOLE(pods_late_ms, TIME), WHOLE(mesh_late_ms, TIME), WHOLE(asks, FLAG), {NULL, FLAG, 0}};
static const struct word app_words[] = {OF_APP(colours, FLAG), OF_APP(rolls, FLAG),
    OF_APP(ordinals, FLAG), OF_APP(parallel, FLAG), OF_APP(nodes, FLAG), OF_APP(unavailable, INT),
    OF_APP(backup_ms, TIME), OF_APP(weighs, FLAG), OF_APP(given, FLAG), OF_APP(judged, FLAG),
    OF_APP(keep, FLAG), OF_APP(subset, FLAG), OF_APP(own_rule, FLAG), OF_APP(dark, FLAG),
    OF_APP(larger, FLAG), OF_APP(shrinks, FLAG), OF_APP(tight, FLAG), OF_APP(hpa, FLAG),
    OF_APP(approve, FLAG), OF_APP(replicas, INT), OF_APP(hpa_min, INT), OF_APP(hpa_max, INT),
    OF_APP(weights, INT), OF_APP(hold_ms, TIME), OF_APP(deadline_ms, TIME), OF_APP(drain_ms, TIME),
    OF_APP(on_edit, INT), OF_APP(on_start, INT), OF_APP(gates, INT), OF_APP(failures, INT),
    OF_APP(measurements, INT), OF_APP(on_deadline, INT), OF_APP(every_ms, TIME),
    OF_APP(gate_deadline_ms, TIME), {NULL, FLAG, 0}};
static const struct word item_words[] = {OF_ITEM(at_ms, TIME), OF_ITEM(app, INT),
    OF_ITEM(for_ms, TIME), OF_ITEM(arg, INT), {NULL, FLAG, 0}};

static void
write_words(FILE *to, const char *what, const struct word *words, const void *record)
{
	fputs(what, to);
	for (; words->name != NULL; words++) {
		const char *at = (const char *)record + words->at;
		long long value = words->type == FLAG	? *(const bool *)at
				  : words->type == INT	? *(const int *)at
				  : words->type == TIME ? *(const int64_t *)at
							: (long long)*(const uint64_t *)at;
		fprintf(to, " %s %lld", words->name, value);
	}
	fputc('\n', to);
}

void
schedule_write(const struct schedule *s, FILE *to)
{
	write_words(to, "schedule", whole_words, s);
	for (int i = 0; i < s->app_count; i++)
		write_words(to, "app", app_words, &s->apps[i]);
	for (int i = 0; i < s->count; i++)
		write_words(to, names[s->items[i].kind], item_words, &s->items[i]);
}

static void
set_word(const struct word *word, void *record, int64_t value)
{
	char *at = (char *)record + word->at;
	if (word->type == FLAG)
		*(bool *)at = value != 0;
	else if (word->type == INT)
		*(int *)at = (int)value;
	else if (word->type == TIME)
		*(int64_t *)at = value;
	else
		*(uint64_t *)at = (uint64_t)value;
}

/* rest: what strtok_r is to go on with. */
static int
read_words(char **rest, const struct word *words, void *record, struct err *e)
{
	char *name, *value;
	while ((name = strtok_r(NULL, " \n", rest)) != NULL) {
		const struct word *word = words;
		int64_t number;
		while (word->name != NULL && strcmp(word->name, name) != 0)
			word++;
		value = strtok_r(NULL, " \n", rest);
		if (word->name == NULL || str_number(value, INT64_MIN, INT64_MAX, &number) < 0)
			return err_set(
			    e, "not a word of this line, or no number after it: %s", name);
		set_word(word, record, number);
	}
	return 0;
}

static int
read_item(const char *name, char **rest, struct schedule *s, struct err *e)
{
	int kind = 0;
	while (kind < ITEM_KINDS && strcmp(names[kind], name) != 0)
		kind++;
	if (kind == ITEM_KINDS || s->count == SCHEDULE_ITEMS)
		return err_set(e, "no kind of item, or one too many: %s", name);
	struct item *item = &s->items[s->count++];
	item->kind = (enum item_kind)kind;
	if (read_words(rest, item_words, item, e) < 0)
		return -1;
	if (item->app < 0 || item->app >= s->app_count)
		return err_set(e, "%s: no such app", name);
	return 0;
}

static int
read_line(char *line, struct schedule *s, struct err *e)
{
	char *rest, *name = strtok_r(line, " \n", &rest);
	if (name == NULL || name[0] == '#')
		return 0;
	if (strcmp(name, "schedule") == 0)
		return read_words(&rest, whole_words, s, e);
	if (strcmp(name, "app") != 0)
		return read_item(name, &rest, s, e);
	if (s->app_count == SCHEDULE_APPS)
		return err_set(e, "at most %d apps", SCHEDULE_APPS);
	return read_words(&rest, app_words, &s->apps[s->app_count++], e);
}

int
schedule_read(FILE *from, struct schedule *s, struct err *e)
{
	char line[1024];
	memset(s, 0, sizeof(*s));
	while (fgets(line, sizeof(line), from) != NULL)
		if (read_line(line, s, e) < 0)
			return -1;
	return s->app_count > 0 ? 0 : err_set(e, "it has no apps");
}
