/* One request and its answer. */
#include "net/client.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "net/easy.h"
#include "signals.h"

#define ANSWER_BYTES ((size_t)16 << 20)
#define ANSWER_MS 15000

struct transfer {
	struct client *client;
	struct str body;
};

static size_t
on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct transfer *transfer = ctx;

	str_add_bytes(&transfer->body, bytes, size * count);
	return transfer->body.full ? 0 : size * count;
}

static size_t
on_header(char *line, size_t size, size_t count, void *ctx)
{
	struct transfer *transfer = ctx;

	easy_note_date(transfer->client, line, size * count);
	return size * count;
}

static void
set_body(CURL *easy, const struct request *request, struct curl_slist **headers)
{
	char line[256];

	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->body != NULL) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->length);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
		str_print(line, sizeof(line), "Content-Type: %s",
		    request->type == NULL ? "application/json" : request->type);
		*headers = curl_slist_append(*headers, line);
		*headers = curl_slist_append(*headers, "Expect:");
	}
	if (request->key != NULL) {
		str_print(line, sizeof(line), "Idempotency-Key: %s", request->key);
		*headers = curl_slist_append(*headers, line);
	}
	if (request->trace != NULL) {
		str_print(line, sizeof(line), "traceparent: %s", request->trace);
		*headers = curl_slist_append(*headers, line);
	}
	*headers =
	    curl_slist_append(*headers, "Accept: application/json, application/problem+json");
}

/* True: it ended by itself, with *code. */
static bool
run(struct client *client, CURL *easy, int64_t timeout_ms, CURLcode *code)
{
	int64_t end = clock_mono_ms() + timeout_ms;
	CURLMsg *message;
	int left;

	while (!signals_interrupted()) {
		easy_turn(client, end - clock_mono_ms());
		while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
			if (message->msg == CURLMSG_DONE && message->easy_handle == easy) {
				*code = message->data.result;
				return true;
			}
		}
		if (clock_mono_ms() >= end) {
			*code = CURLE_OPERATION_TIMEDOUT;
			return true;
		}
	}
	return false;
}

static void
take_answer(CURL *easy, struct str *body, struct answer *answer)
{
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
	answer->status = (int)status;
	str_copy(answer->type, sizeof(answer->type), type == NULL ? "" : type);
	answer->length = body->length;
	answer->text = str_take(body);
	answer->json = jsonx_parse(answer->text, answer->length, ANSWER_BYTES, NULL);
}

enum call
client_call(
    struct client *client, const struct request *request, struct answer *answer, struct err *e)
{
	struct transfer transfer = {.client = client};
	struct curl_slist *headers = NULL;
	CURL *easy = easy_new(client, request->path, &headers);
	CURLcode code = CURLE_OK;
	enum call result = CALL_ANSWERED;

	*answer = (struct answer){0};
	str_init(&transfer.body, ANSWER_BYTES);
	set_body(easy, request, &headers);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
	curl_multi_add_handle(client->multi, easy);
	if (!run(client, easy, request->timeout_ms == 0 ? ANSWER_MS : request->timeout_ms, &code)) {
		result = CALL_INTERRUPTED;
		err_set(e, "interrupted while waiting for the answer");
	} else if (code == CURLE_OK)
		take_answer(easy, &transfer.body, answer);
	else if (!easy_explain(client, easy, code, e))
		result = CALL_UNREACHED;
	else
		result = code == CURLE_OPERATION_TIMEDOUT ? CALL_TIMED_OUT : CALL_LOST;
	curl_multi_remove_handle(client->multi, easy);
	easy_free(easy);
	curl_slist_free_all(headers);
	str_done(&transfer.body);
	return result;
}

void
answer_done(struct answer *answer)
{
	json_decref(answer->json);
	free(answer->text);
	*answer = (struct answer){0};
}

void
client_sleep(struct client *client, int64_t ms)
{
	int64_t end = clock_mono_ms() + ms, left;

	while ((left = end - clock_mono_ms()) > 0 && !signals_interrupted())
		easy_turn(client, left);
}

static void
add_encoded(struct str *to, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			     (c >= 'a' && c <= 'z') || strchr("-._~", c) != NULL;

		if (plain)
			str_add_bytes(to, text, 1);
		else
			str_addf(to, "%%%02X", c);
	}
}

char *
path_format(const char *format, ...)
{
	struct str path;
	va_list args;

	str_init(&path, 0);
	va_start(args, format);
	for (; *format != '\0'; format++) {
		if (*format == '%')
			add_encoded(&path, va_arg(args, const char *));
		else
			str_add_bytes(&path, format, 1);
	}
	va_end(args);
	return str_take(&path);
}
