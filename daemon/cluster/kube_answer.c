/* What an answer of the API server means, and small things every part of the client needs. */
#include <string.h>
#include "base/id.h"
#include "base/jsonx.h"
#include "cluster/kube_sending.h"

static enum kube_outcome
outcome_of(enum httpc_outcome outcome)
{
	switch (outcome) {
	case HTTPC_ANSWERED:
		return KUBE_ANSWERED;
	case HTTPC_NOT_SENT:
		return KUBE_NOT_SENT;
	case HTTPC_UNKNOWN:
	case HTTPC_TOO_BIG:
		break;
	}
	return KUBE_UNKNOWN;
}

static bool
is_json(const struct httpc_answer *answer)
{
	return answer->content_type && str_starts(answer->content_type, "application/json") &&
	       answer->body_length > 0;
}

static void
take_body(const struct httpc_answer *from, struct kube_answer *to)
{
	struct err e = {""};

	if (is_json(from))
		to->body = jsonx_parse(from->body, from->body_length, KUBE_PAGE_MAX, &e);
	if (from->status / 100 == 2) {
		if (!to->body)
			str_print(to->message, sizeof to->message, "answered %d without JSON%s%s",
			    from->status, *e.text ? ": " : "", e.text);
		return;
	}
	str_copy(to->reason, sizeof to->reason, jsonx_text_or(to->body, "reason", ""));
	str_copy(to->message, sizeof to->message, jsonx_text_or(to->body, "message", ""));
	if (!*to->message)
		str_print(to->message, sizeof to->message,
		    "answered %d without a Kubernetes Status; is this the API server?",
		    from->status);
}

void
kube_answer_fill(
    const struct kube *kube, const struct httpc_answer *from, bool raw, struct kube_answer *to)
{
	*to = (struct kube_answer){
	    .outcome = outcome_of(from->outcome), .retry_after_ms = from->retry_after_ms};
	if (from->outcome == HTTPC_ANSWERED) {
		to->status = from->status;
		if (!raw)
			take_body(from, to);
		return;
	}
	if (from->outcome == HTTPC_TOO_BIG)
		str_copy(to->reason, sizeof to->reason, "AnswerTooLarge");
	str_print(to->message, sizeof to->message,
	    "the API server of cluster %s does not answer: %s", kube->name, from->error);
}

bool
kube_says_absent(const struct kube_answer *answer, const char *name)
{
	return answer->outcome == KUBE_ANSWERED && answer->status == 404 &&
	       !strcmp(answer->reason, "NotFound") &&
	       str_equal(jsonx_text(answer->body, "kind"), "Status") &&
	       str_equal(jsonx_text(answer->body, "details.name"), name);
}

bool
kube_next_version(struct kube *kube, enum kube_kind kind, int asked)
{
	int *now = &kube->versions[kind];

	if (*now > asked) /* somebody else was faster */
		return true;
	if (*now == asked && kube_kind_info(kind)->versions[asked + 1]) {
		++*now;
		return true;
	}
	*now = 0;
	return false;
}

int64_t
kube_backoff(int64_t base_ms, int64_t last_ms)
{
	int64_t most = (last_ms ? last_ms : base_ms) * 3;
	int64_t pause = base_ms + (int64_t)(id_random() * (double)(most - base_ms));

	return pause < KUBE_BACKOFF_MAX_MS ? pause : KUBE_BACKOFF_MAX_MS;
}

char *
kube_dress(struct kube *kube, const struct credentials_access *access, const char *path,
    const char *content_type, const char **headers, struct httpc_request *to)
{
	const struct kubeconfig *config = credentials_config(kube->credentials);
	char *url = str_format("%s%s", config->server, path);
	size_t count = 0;

	headers[count++] = kube->user_agent;
	headers[count++] = "Accept: application/json";
	if (content_type)
		headers[count++] = content_type;
	if (access->authorization)
		headers[count++] = access->authorization;
	for (size_t i = 0; access->impersonate && access->impersonate[i]; i++)
		if (count < KUBE_HEADERS)
			headers[count++] = access->impersonate[i];
	headers[count] = NULL;
	to->url = url;
	to->headers = headers;
	to->basic = access->basic;
	to->proxy = access->proxy;
	to->tls = access->tls;
	to->http2 = !kube->settings.no_http2;
	to->ctx = kube;
	return url;
}

void
kube_count(struct kube *kube, const char *verb, int code)
{
	struct kube_stats *stats = &kube->stats;
	struct kube_stats_cell *cell = stats->requests;

	for (size_t i = 0; i < stats->cells; i++, cell++)
		if (cell->code == code && !strcmp(cell->verb, verb)) {
			cell->count++;
			return;
		}
	if (stats->cells == KUBE_STATS_CELLS) {
		str_copy(cell[-1].verb, sizeof cell->verb, "OTHER");
		cell[-1].count++;
		return;
	}
	stats->cells++;
	str_copy(cell->verb, sizeof cell->verb, verb);
	cell->code = code;
	cell->count = 1;
}

void
kube_what(enum kube_kind kind, const char *ns, char *text, size_t size)
{
	str_print(text, size, "%s in namespace %s", kube_kind_info(kind)->plural, ns);
}

static void
add_segment(struct str *to, const char *text)
{
	str_add(to, "/");
	for (; *text; text++) {
		if ((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') ||
		    (*text >= 'A' && *text <= 'Z') || *text == '-' || *text == '.')
			str_add_bytes(to, text, 1);
		else
			str_addf(to, "%%%02X", (unsigned char)*text);
	}
}

char *
kube_path(const struct kube *kube, enum kube_kind kind, const char *ns, const char *name)
{
	const struct kube_kind_info *info = kube_kind_info(kind);
	struct str path;

	str_init(&path, 0);
	str_add(&path, *info->group ? "/apis" : "/api");
	if (*info->group)
		add_segment(&path, info->group);
	add_segment(&path, info->versions[kube->versions[kind]]);
	str_add(&path, "/namespaces");
	add_segment(&path, ns);
	add_segment(&path, info->plural);
	if (name)
		add_segment(&path, name);
	return str_take(&path);
}
