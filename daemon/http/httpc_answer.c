/* From a finished transfer to an answer. The one question that matters to who writes: may the
 * request have taken effect? NOT_SENT is said only when that is sure; in doubt it is UNKNOWN. */
#include <time.h>
#include "base/clock.h"
#include "http/httpc_transfer.h"

enum { MAX_RETRY_AFTER_S = 24 * 3600 };

int64_t
httpc_retry_after(const char *value, int64_t wall_ms)
{
	int64_t seconds = 0, delay = 0;
	time_t when;

	if (value == NULL)
		return -1;
	if (str_number(value, 0, INT64_MAX / 1000, &seconds) == 0)
		return (seconds < MAX_RETRY_AFTER_S ? seconds : MAX_RETRY_AFTER_S) * 1000;
	when = curl_getdate(value, NULL);
	if (when == (time_t)-1)
		return -1;
	delay = (int64_t)when * 1000 - wall_ms;
	if (delay > (int64_t)MAX_RETRY_AFTER_S * 1000)
		delay = (int64_t)MAX_RETRY_AFTER_S * 1000;
	return delay > 0 ? delay : 0;
}

/* PRETRANSFER is set once the request's first bytes were given to the connection. Bytes counted
 * without it went to a proxy (CONNECT). */
static bool
was_sent(const struct httpc_transfer *t)
{
	curl_off_t pretransfer = 0;
	long bytes = 0;

	if (t->easy == NULL || t->state == HTTPC_WAITING)
		return false;
	curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &bytes);
	return pretransfer > 0 || (bytes > 0 && !t->proxied);
}

static enum httpc_outcome
outcome_of(const struct httpc_transfer *t, CURLcode code)
{
	if (t->cut == HTTPC_CUT_TOO_BIG)
		return HTTPC_TOO_BIG;
	if (code == CURLE_OK && t->cut == HTTPC_CUT_NONE)
		return HTTPC_ANSWERED;
	return was_sent(t) ? HTTPC_UNKNOWN : HTTPC_NOT_SENT;
}

static void
explain(const struct httpc_transfer *t, CURLcode code, struct err *to)
{
	switch (t->cut) {
	case HTTPC_CUT_NONE:
		(void)err_set(
		    to, "%s", t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(code));
		break;
	case HTTPC_CUT_STOPPED:
		(void)err_set(to, "stopped by its reader");
		break;
	case HTTPC_CUT_TOO_BIG:
		(void)err_set(to, "the answer is larger than the %zu bytes allowed for it",
		    t->collected.limit);
		break;
	case HTTPC_CUT_IDLE:
		(void)err_set(to, "no byte came for %lld ms; the connection is taken for dead",
		    (long long)t->idle_ms);
		break;
	case HTTPC_CUT_DEADLINE:
		(void)err_set(to, "no answer within %lld ms%s", (long long)t->timeout_ms,
		    was_sent(t) ? ""
				: "; the request was not sent, there was no connection for it");
		break;
	case HTTPC_CUT_BARRED:
		(void)err_set(to, "not sent: at the last moment it was not wanted any more");
		break;
	case HTTPC_CUT_REFUSED:
		*to = t->refused;
		break;
	}
}

static int64_t
retry_after_of(CURL *easy)
{
	struct curl_header *header = NULL;

	if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return -1;
	return httpc_retry_after(header->value, clock_wall_ms());
}

void
httpc_answer_fill(struct httpc_answer *answer, struct httpc_transfer *transfer, CURLcode code,
    struct err *scratch)
{
	char *content_type = NULL;
	long status = 0;

	*answer = (struct httpc_answer){.number = transfer->number,
	    .outcome = outcome_of(transfer, code),
	    .retry_after_ms = -1,
	    .body = "",
	    .took_ms = clock_mono_ms() - transfer->started_ms};
	if (transfer->easy != NULL) {
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &content_type);
		answer->retry_after_ms = retry_after_of(transfer->easy);
	}
	answer->status = (int)status;
	answer->content_type = content_type;
	if (answer->outcome == HTTPC_ANSWERED) {
		answer->body = str_text(&transfer->collected);
		answer->body_length = transfer->collected.length;
		return;
	}
	explain(transfer, code, scratch);
	answer->error = scratch->text;
}
