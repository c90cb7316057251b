/* What an answer means. Decided on status and reason; the one text that is looked at is that of a
 * webhook which could not be asked, for which the API server has no reason of its own. */
#include "cluster/act_plan.h"

#include <string.h>
#include "base/str.h"

const char *
act_verb_method(enum act_verb verb)
{
	switch (verb) {
	case ACT_POST:
		return "POST";
	case ACT_PATCH:
		return "PATCH";
	case ACT_DELETE:
		return "DELETE";
	}
	return "";
}

const char *
act_verb_content_type(enum act_verb verb)
{
	return verb == ACT_PATCH ? "application/json-patch+json" : "application/json";
}

static void
say(struct act_judgement *j, const struct act_plan *plan, const struct act_answer *answer)
{
	str_print(j->text, sizeof(j->text), "%s %s %s: HTTP %d %s: %s", act_verb_method(plan->verb),
	    kube_kind_info(plan->kind)->name, plan->name, answer->status, answer->reason,
	    answer->message);
}

static bool
is(const struct act_answer *answer, const char *reason)
{
	return strcmp(answer->reason, reason) == 0;
}

static void
judge_refusal(const struct act_plan *plan, const struct act_answer *answer, struct act_judgement *j)
{
	if (answer->status == 404 && plan->verb == ACT_DELETE) {
		j->outcome = ACT_DONE;
		j->gone = true;
		j->text[0] = '\0';
	} else if (answer->status == 404 && plan->verb == ACT_PATCH && is(answer, "NotFound")) {
		j->outcome = ACT_CONFLICT;
		j->read = true;
	} else if (answer->status == 409 && plan->verb == ACT_POST && is(answer, "AlreadyExists")) {
		j->outcome = ACT_REFUSED;
		j->read = j->exists = true;
	} else if (answer->status == 409) {
		j->outcome = ACT_CONFLICT;
		j->read = true;
	} else if (answer->status == 429) {
		j->outcome = ACT_UNREACHED;
	} else {
		j->outcome = ACT_REFUSED;
	}
}

/* The API server itself says that it takes nothing now (503 with a reason). Any other failure, an
 * etcd that did not answer in time, a proxy in front that lost it, may have left the write on its
 * way. */
static void
judge_failure(const struct act_answer *answer, struct act_judgement *j)
{
	if (strstr(answer->message, "failed calling webhook") != NULL) {
		j->outcome = ACT_REFUSED;
	} else if (answer->status == 503 && answer->reason[0] != '\0') {
		j->outcome = ACT_UNREACHED;
	} else {
		j->outcome = ACT_UNKNOWN;
		j->read = true;
	}
}

void
act_judge(
    const struct act_plan *plan, const struct act_answer *answer, struct act_judgement *judgement)
{
	memset(judgement, 0, sizeof(*judgement));
	if (answer->sent == ACT_SENT_NOT || answer->sent == ACT_SENT_UNKNOWN) {
		judgement->read = answer->sent == ACT_SENT_UNKNOWN;
		judgement->outcome = judgement->read ? ACT_UNKNOWN : ACT_UNREACHED;
		str_copy(judgement->text, sizeof(judgement->text), answer->message);
		return;
	}
	if (answer->status >= 200 && answer->status < 300) {
		judgement->outcome = ACT_DONE;
		return;
	}
	say(judgement, plan, answer);
	if (answer->status < 500)
		judge_refusal(plan, answer, judgement);
	else
		judge_failure(answer, judgement);
}
