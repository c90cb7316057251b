/* Answers of the API server to reads and writes, and of what else listens at its address. The first
 * three bytes choose the status, the request and the content type, the rest is the body. Only a 2xx
 * is a success (or the 404 of what was to be deleted); what is said about it can be shown. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/str.h"
#include "cluster/act_plan.h"
#include "cluster/kube_sending.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int statuses[] = {
    200, 201, 400, 401, 403, 404, 409, 410, 415, 422, 429, 500, 503, 504};
static const char *const types[] = {
    "application/json", "application/json;charset=utf-8", "text/html", NULL};

static void
judge(const struct kube_answer *answer, enum act_verb verb)
{
	const struct act_plan plan = {
	    .send = true, .kind = KUBE_VIRTUALSERVICES, .name = "web", .verb = verb};
	const struct act_answer given = {.sent = ACT_SENT_ANSWERED,
	    .status = answer->status,
	    .reason = answer->reason,
	    .message = answer->message};
	struct act_judgement j;
	bool good = answer->status / 100 == 2;

	act_judge(&plan, &given, &j);
	assert((j.outcome == ACT_DONE) == (good || (verb == ACT_DELETE && answer->status == 404)));
	assert(j.outcome != ACT_ALREADY && (j.text[0] != '\0') == (j.outcome != ACT_DONE));
	assert(str_utf8_ok(j.text, strlen(j.text)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube kube = {.name = "fuzz"};
	struct kube_answer answer;
	struct httpc_answer from = {.outcome = HTTPC_ANSWERED, .retry_after_ms = -1};

	if (size < 3)
		return 0;
	from.status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
	from.content_type = types[data[2] % (sizeof(types) / sizeof(types[0]))];
	from.body = (const char *)data + 3;
	from.body_length = size - 3;
	kube_answer_fill(&kube, &from, data[1] % 8 == 7, &answer);
	assert(answer.outcome == KUBE_ANSWERED && answer.status == from.status);
	assert(str_utf8_ok(answer.reason, strlen(answer.reason)));
	assert(str_utf8_ok(answer.message, strlen(answer.message)));
	assert(!kube_says_absent(&answer, "web") || answer.status == 404);
	judge(&answer, (enum act_verb)(data[1] % 3));
	json_decref(answer.body);
	return 0;
}
