/* A data source: how it is reached, with which secrets, and how it was lately. Always true: a
 * request carries the secrets as the files have them now, and no text made here has one in it. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "base/trace.h"
#include "gates/gates_room.h"

enum { SECRET_MAX = 64 * 1024, CA_MAX = 1024 * 1024, TIMEOUT_MS = 10000, TIMEOUT_MAX_MS = 600000 };

/* --- checks ---------------------------------------------------------------------------------- */

static int
check_url(const char *url, struct err *e)
{
	const char *host = url == NULL ? NULL : strstr(url, "://");
	size_t length;

	if (host == NULL || (!str_starts(url, "http://") && !str_starts(url, "https://")))
		return err_set(
		    e, "url must begin with http:// or https://, such as http://prometheus:9090");
	host += 3;
	length = strcspn(host, "/");
	if (length == 0)
		return err_set(e, "url has no host");
	if (memchr(host, '@', length) != NULL)
		return err_set(e, "url must not hold a password; use username and passwordFile");
	for (const char *c = url; *c != '\0'; c++) {
		if ((unsigned char)*c <= 0x20 || *c == 0x7f || strchr("?#\\\"<>", *c) != NULL)
			return err_set(e, "url must be a plain address: no spaces, no ? and no # "
					  "(/api/v1/query is added to it)");
	}
	return 0;
}

static int
check_header(const char *header, struct err *e)
{
	static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789-_";
	size_t name = strspn(header, name_chars);

	if (name == 0 || header[name] != ':' || strlen(header) > 8192)
		return err_set(e, "a header is written \"Name: value\"");
	for (const char *c = header; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return err_set(
			    e, "the header %.*s has a control character", (int)name, header);
	}
	return 0;
}

int
gates_source_check(const struct gates_source *source, struct err *e)
{
	size_t headers = 0;

	if (!str_is_dns_label(source->name))
		return err_set(e, "name must be at most 63 characters a-z, 0-9 and -");
	if (check_url(source->url, e) != 0)
		return -1;
	if ((source->username == NULL) != (source->password_file == NULL))
		return err_set(e, "username and passwordFile go together");
	if (source->username != NULL && strchr(source->username, ':') != NULL)
		return err_set(e, "username must not have a colon");
	if (source->username != NULL && source->token_file != NULL)
		return err_set(e, "give either username and passwordFile or tokenFile, not both");
	if (source->timeout_ms < 0 || source->timeout_ms > TIMEOUT_MAX_MS)
		return err_set(e, "timeout must be at most 10m");
	for (; source->headers != NULL && source->headers[headers] != NULL; headers++) {
		if (headers == GATES_HEADERS)
			return err_set(e, "at most %d headers", GATES_HEADERS);
		if (check_header(source->headers[headers], e) != 0)
			return -1;
	}
	return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

static void
forget_settings(struct gates_origin *origin)
{
	free(origin->url);
	free(origin->username);
	for (int i = 0; i < GATES_HEADERS; i++)
		free(origin->headers[i]);
	memset(origin->headers, 0, sizeof(origin->headers));
	gates_file_done(&origin->ca);
	gates_file_done(&origin->password);
	gates_file_done(&origin->token);
}

void
gates_origin_set(struct gates_origin *origin, const struct gates_source *source)
{
	size_t length = strlen(source->url);

	forget_settings(origin);
	while (length > 0 && source->url[length - 1] == '/')
		length--;
	origin->url = str_format("%.*s/api/v1/query", (int)length, source->url);
	origin->username = mem_strdup(source->username);
	for (int i = 0; source->headers != NULL && source->headers[i] != NULL; i++)
		origin->headers[i] = mem_strdup(source->headers[i]);
	gates_file_set(&origin->ca, source->ca_file);
	gates_file_set(&origin->password, source->password_file);
	gates_file_set(&origin->token, source->token_file);
	origin->timeout_ms = source->timeout_ms > 0 ? source->timeout_ms : TIMEOUT_MS;
}

struct gates_origin *
gates_origin_new(struct gates *gates, const struct gates_source *source)
{
	struct gates_origin *origin = mem_alloc(sizeof(*origin));

	origin->gates = gates;
	str_copy(origin->name, sizeof(origin->name), source->name);
	str_copy(origin->health.name, sizeof(origin->health.name), source->name);
	str_copy(origin->health.text, sizeof(origin->health.text), "not asked yet");
	gates_origin_set(origin, source);
	return origin;
}

void
gates_origin_free(struct gates_origin *origin)
{
	gates_probe_stop(origin);
	forget_settings(origin);
	free(origin);
}

/* --- asking ---------------------------------------------------------------------------------- */

static void
add_encoded(struct str *to, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.~";

	for (; *text != '\0'; text++) {
		if (strchr(plain, *text) != NULL)
			str_add_bytes(to, text, 1);
		else
			str_addf(to, "%%%02X", (unsigned char)*text);
	}
}

static char *
form_body(const char *query, int64_t time_ms, int64_t timeout_ms)
{
	struct str body;

	str_init(&body, 0);
	str_add(&body, "query=");
	add_encoded(&body, query);
	if (time_ms > 0)
		str_addf(
		    &body, "&time=%lld.%03d", (long long)(time_ms / 1000), (int)(time_ms % 1000));
	/* A little less than ours, so that the source can still say itself that it was too slow. */
	str_addf(&body, "&timeout=%lldms", (long long)(timeout_ms - timeout_ms / 10));
	return str_take(&body);
}

static int
read_files(struct gates_origin *origin, struct err *e)
{
	if (gates_file_read(&origin->ca, CA_MAX, false, e) != 0 ||
	    gates_file_read(&origin->password, SECRET_MAX, true, e) != 0 ||
	    gates_file_read(&origin->token, SECRET_MAX, true, e) != 0)
		return -1;
	return 0;
}

static void
free_secret(char *text)
{
	if (text != NULL)
		mem_wipe(text, strlen(text));
	free(text);
}

int
gates_origin_ask(struct gates_origin *origin, const char *query, const char *traceparent,
    int64_t time_ms, int64_t timeout_ms,
    void (*on_done)(void *ctx, const struct httpc_answer *answer), uint64_t *number, struct err *e)
{
	const char *headers[GATES_HEADERS + 5];
	char *bearer = NULL, *basic = NULL, *body, trace[TRACE_PARENT + 16];
	int count = 0;

	if (read_files(origin, e) != 0)
		return -1;
	if (origin->token.text != NULL)
		bearer = str_format("Authorization: Bearer %s", origin->token.text);
	if (origin->username != NULL)
		basic = str_format("%s:%s", origin->username, origin->password.text);
	body = form_body(query, time_ms, timeout_ms);
	headers[count++] = "Content-Type: application/x-www-form-urlencoded";
	headers[count++] = "Accept: application/json";
	for (int i = 0; origin->headers[i] != NULL; i++)
		headers[count++] = origin->headers[i];
	if (bearer != NULL)
		headers[count++] = bearer;
	if (traceparent[0] != '\0') {
		str_print(trace, sizeof(trace), "traceparent: %s", traceparent);
		headers[count++] = trace;
	}
	headers[count] = NULL;
	*number = httpc_start(origin->gates->pool, &(struct httpc_request){
						       .method = "POST",
						       .url = origin->url,
						       .headers = headers,
						       .body = body,
						       .body_length = strlen(body),
						       .basic = basic,
						       .tls = {.ca_pem = origin->ca.text},
						       .timeout_ms = timeout_ms,
						       .max_body = GATES_BODY,
						       .on_done = on_done,
						       .ctx = origin->gates,
						   });
	free(body);
	free_secret(bearer);
	free_secret(basic);
	return 0;
}

/* --- how it was lately ----------------------------------------------------------------------- */

void
gates_origin_note(struct gates_origin *origin, bool ok, const char *text)
{
	struct gates_health *health = &origin->health;

	health->known = true;
	health->ok = ok;
	health->asked++;
	health->failed += !ok;
	*(ok ? &health->success_ms : &health->failure_ms) = clock_wall_ms();
	str_copy(health->text, sizeof(health->text), ok ? "" : text);
}

void
gates_answer_text(const struct httpc_answer *answer, char *text, size_t size)
{
	if (answer->outcome == HTTPC_TOO_BIG)
		str_print(text, size, "the answer has over %d bytes; let the query return less",
		    GATES_BODY);
	else if (answer->outcome == HTTPC_ANSWERED)
		str_print(text, size, "HTTP %d", answer->status);
	else
		str_copy(text, size, answer->error == NULL ? "no answer" : answer->error);
}

/* 400 and 422 are about the query; anything else but an answer is about the source. */
static bool
is_alive(const struct httpc_answer *answer)
{
	if (answer->outcome == HTTPC_TOO_BIG)
		return true;
	return answer->outcome == HTTPC_ANSWERED &&
	       ((answer->status >= 200 && answer->status < 300) || answer->status == 400 ||
		   answer->status == 422);
}

bool
gates_origin_heard(
    struct gates_origin *origin, const struct httpc_answer *answer, char *text, size_t size)
{
	bool alive = is_alive(answer);

	gates_answer_text(answer, text, size);
	gates_origin_note(origin, alive, text);
	histogram_add_ms(&origin->health.took, &histogram_request, answer->took_ms);
	return alive;
}
