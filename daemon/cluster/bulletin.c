/* See bulletin.h. */
#include "cluster/bulletin.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"

#define CONTROLLER "airis.io/airisd"

/* What kubectl shows as REASON; people filter by it (docs/events.md): none changes its meaning. */
static const char *const reasons[NOTICES] = {
    [NOTICE_STARTED] = "RolloutStarted",
    [NOTICE_STAGE] = "StageEntered",
    [NOTICE_PAUSED] = "RolloutPaused",
    [NOTICE_APPROVAL] = "ApprovalNeeded",
    [NOTICE_RESUMED] = "RolloutResumed",
    [NOTICE_ABORTING] = "RolloutAborting",
    [NOTICE_ABORTED] = "RolloutAborted",
    [NOTICE_SUCCEEDED] = "RolloutSucceeded",
    [NOTICE_FAILED] = "RolloutFailed",
};

void
bulletin_make(const struct app *app, const struct told *told, struct bulletin *bulletin)
{
	*bulletin = (struct bulletin){.kind = app_workload_kind(app),
	    .notice = told->notice,
	    .bad = told->bad,
	    .seq = told->seq,
	    .at_ms = told->at_ms};
	str_copy(bulletin->namespace, sizeof(bulletin->namespace), app->namespace);
	str_copy(bulletin->workload, sizeof(bulletin->workload), app->workload);
	str_copy(bulletin->rollout, sizeof(bulletin->rollout), told->rollout);
	str_copy(bulletin->text, sizeof(bulletin->text), told->text);
}

/* The workload's name is for people and is cut if there is no room; rollout and sequence tell one
 * from the other. With leading zeros they sort by age, which is how kubectl shows those of the same
 * second. */
void
bulletin_name(const struct bulletin *bulletin, char to[BULLETIN_NAME])
{
	char tail[64];

	str_print(tail, sizeof(tail), ".%s-%010" PRId64, bulletin->rollout, bulletin->seq);
	str_copy(to, BULLETIN_NAME - strlen(tail), bulletin->workload);
	size_t length = strlen(to);
	while (length > 0 && !isalnum((unsigned char)to[length - 1]))
		length--;
	str_copy(to + length, BULLETIN_NAME - length, tail);
}

static json_t *
micro_json(int64_t at_ms)
{
	char text[40];

	str_micro_text(at_ms, text, sizeof(text));
	return json_string(text);
}

/* Whole seconds, as a Time of Kubernetes is. */
static json_t *
second_json(int64_t at_ms)
{
	char text[40], out[40];

	str_time_text(at_ms, text, sizeof(text)); /* "2026-01-31T12:00:00.123Z" */
	str_print(out, sizeof(out), "%.*sZ", (int)strcspn(text, "."), text);
	return json_string(out);
}

json_t *
bulletin_json(const struct bulletin *bulletin, const char *uid, const char *instance)
{
	char name[BULLETIN_NAME];

	bulletin_name(bulletin, name);
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s}, s:s, s:s, s:s, s:s,"
			 " s:{s:s}, s:s, s:s, s:o, s:o, s:o, s:i}",
	    "apiVersion", "v1", "kind", "Event", "metadata", "name", name, "namespace",
	    bulletin->namespace, "involvedObject", "apiVersion", "apps/v1", "kind", bulletin->kind,
	    "namespace", bulletin->namespace, "name", bulletin->workload, "uid", uid, "type",
	    bulletin->bad ? "Warning" : "Normal", "reason", reasons[bulletin->notice], "action",
	    "Rollout", "message", bulletin->text, "source", "component", "airisd",
	    "reportingComponent", CONTROLLER, "reportingInstance", instance, "eventTime",
	    micro_json(bulletin->at_ms), "firstTimestamp", second_json(bulletin->at_ms),
	    "lastTimestamp", second_json(bulletin->at_ms), "count", 1);
}

enum bulletin_verdict
bulletin_judge(const struct kube_answer *answer)
{
	int status = answer->outcome == KUBE_ANSWERED ? answer->status : 0;

	if (status / 100 == 2 || (status == 409 && strcmp(answer->reason, "AlreadyExists") == 0))
		return BULLETIN_DONE;
	if (status == 403)
		return BULLETIN_FORBIDDEN;
	/* A token that ran out, a server that has too much to do: that passes. */
	if (status == 401 || status == 408 || status == 409 || status == 429)
		return BULLETIN_AGAIN;
	return status >= 400 && status < 500 ? BULLETIN_REFUSED : BULLETIN_AGAIN;
}
