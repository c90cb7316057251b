/* Which events of a rollout are notices. */
#include "model/notice.h"

#include <string.h>

static const char *const names[NOTICES] = {
    [NOTICE_STARTED] = "started",
    [NOTICE_STAGE] = "stage",
    [NOTICE_PAUSED] = "paused",
    [NOTICE_APPROVAL] = "approval",
    [NOTICE_RESUMED] = "resumed",
    [NOTICE_ABORTING] = "aborting",
    [NOTICE_ABORTED] = "aborted",
    [NOTICE_SUCCEEDED] = "succeeded",
    [NOTICE_FAILED] = "failed",
};

const char *
notice_name(enum notice notice)
{
	return names[notice];
}

enum notice
notice_of_name(const char *name)
{
	int i = 0;
	while (i < NOTICES && strcmp(names[i], name) != 0)
		i++;
	return (enum notice)i;
}

struct notice_mark
notice_mark(const struct rollout *r)
{
	return (struct notice_mark){
	    .phase = r->phase, .approval = strcmp(r->waiting.object, "Approval") == 0};
}

static enum notice
of_phase(enum phase from, enum phase to)
{
	if (from == to)
		return NOTICES;
	switch (to) {
	case PHASE_QUEUED:
		return NOTICES;
	case PHASE_PROGRESSING:
		return from == PHASE_PAUSED ? NOTICE_RESUMED : NOTICES;
	case PHASE_PAUSED:
		return NOTICE_PAUSED;
	case PHASE_SUCCEEDED:
		return NOTICE_SUCCEEDED;
	case PHASE_ABORTING:
		return NOTICE_ABORTING;
	case PHASE_ABORTED:
		return NOTICE_ABORTED;
	case PHASE_FAILED:
		return NOTICE_FAILED;
	}
	return NOTICES;
}

enum notice
notice_of(const struct rollout *r, enum event_kind kind, const struct notice_mark *before)
{
	if (kind == EVENT_CREATED)
		return NOTICE_STARTED;
	if (kind == EVENT_STAGE)
		return NOTICE_STAGE;
	if (kind == EVENT_PHASE)
		return of_phase(before->phase, r->phase);
	if (kind == EVENT_WAITS && !before->approval && notice_mark(r).approval)
		return NOTICE_APPROVAL;
	return NOTICES;
}
