/* See sender.h. */
#include "traces/sender.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/backoff.h"
#include "base/id.h"
#include "base/log.h"
#include "base/secret_file.h"
#include "base/str.h"
#include "base/version.h"
#include "http/httpc.h"
#include "http/httpc_ca.h"
#include "traces/otlp.h"

#define QUEUE_SPANS 8192
#define QUEUE_BYTES ((size_t)8 << 20)
#define BATCH_SPANS 512
#define BATCH_BYTES ((size_t)1 << 20)
#define LINGER_MS 500 /* so that what ends together goes together */
#define ANSWER_MAX ((size_t)64 * 1024)
#define TOKEN_MAX 4096
#define HEADERS 16

struct item {
	struct item *next;
	size_t length;
	char text[];
};

struct sender {
	struct clock_port clock;
	struct httpc_pool *pool;
	struct loop_timer *timer;
	char *head; /* of a request's body */

	char *url, *token_file, *ca_pem; /* url NULL: nowhere */
	char *headers[HEADERS];
	int header_count;
	int64_t timeout_ms;

	struct item *first, *last;
	int count; /* in the queue and in the batch, */
	size_t bytes;
	struct item *batch; /* under way, oldest first */
	int batch_count;
	uint64_t request; /* 0: none */
	bool armed;	  /* the timer is set */
	int failures;	  /* in a row */
	int64_t not_before_ms;
	uint64_t exported, dropped[TRACES_LOSSES];
};

static int64_t
now_ms(const struct sender *sender)
{
	return sender->clock.mono_ms(sender->clock.ctx);
}

/* --- the queue ---------------------------------------------------------------------------------
 */

static void
forget(struct sender *sender, struct item *item)
{
	sender->count--;
	sender->bytes -= item->length;
	free(item);
}

static struct item *
take_first(struct sender *sender)
{
	struct item *item = sender->first;
	sender->first = item->next;
	if (sender->first == NULL)
		sender->last = NULL;
	item->next = NULL;
	return item;
}

/* Not what is under way: that may have arrived. */
static void
keep_bounds(struct sender *sender)
{
	while (
	    (sender->count > QUEUE_SPANS || sender->bytes > QUEUE_BYTES) && sender->first != NULL) {
		forget(sender, take_first(sender));
		sender->dropped[TRACES_FULL]++;
	}
}

static void
arm(struct sender *sender, int64_t delay_ms)
{
	sender->armed = true;
	loop_timer_set(sender->timer, delay_ms);
}

void
sender_add(struct sender *sender, const char *span)
{
	size_t length = strlen(span);
	if (sender->url == NULL)
		return;
	struct item *item = mem_alloc(sizeof(*item) + length + 1);
	memcpy(item->text, span, length + 1);
	item->length = length;
	if (sender->last != NULL)
		sender->last->next = item;
	else
		sender->first = item;
	sender->last = item;
	sender->count++;
	sender->bytes += length;
	keep_bounds(sender);
	if (!sender->armed && sender->request == 0)
		arm(sender, LINGER_MS);
}

static void
fill_batch(struct sender *sender)
{
	struct item **end = &sender->batch;
	size_t bytes = 0;
	while (sender->first != NULL && sender->batch_count < BATCH_SPANS &&
	       (bytes == 0 || bytes + sender->first->length <= BATCH_BYTES)) {
		*end = take_first(sender);
		bytes += (*end)->length;
		end = &(*end)->next;
		sender->batch_count++;
	}
}

/* To where it was; there is room for it, unless more has come. */
static void
put_back(struct sender *sender)
{
	struct item *last = sender->batch;
	while (last->next != NULL)
		last = last->next;
	last->next = sender->first;
	if (sender->first == NULL)
		sender->last = last;
	sender->first = sender->batch;
	sender->batch = NULL;
	sender->batch_count = 0;
	keep_bounds(sender);
}

static int
drop_batch(struct sender *sender)
{
	int count = sender->batch_count;
	while (sender->batch != NULL) {
		struct item *item = sender->batch;
		sender->batch = item->next;
		forget(sender, item);
	}
	sender->batch_count = 0;
	return count;
}

/* --- what came of it ---------------------------------------------------------------------------
 */

static void
taken(struct sender *sender, const struct httpc_answer *answer)
{
	char why[256];
	int count = drop_batch(sender);
	int64_t refused = otlp_rejected(answer->body, answer->body_length, why, sizeof(why));
	if (refused > count)
		refused = count;
	if (sender->failures > 0)
		log_info("traces", "spans are taken again");
	if (refused > 0)
		log_warn(
		    "traces", "%" PRId64 " of %d spans are not taken: %s", refused, count, why);
	sender->failures = 0;
	sender->not_before_ms = 0;
	sender->exported += (uint64_t)(count - refused);
	sender->dropped[TRACES_REFUSED] += (uint64_t)refused;
	if (sender->first != NULL)
		arm(sender, 0);
}

/* again: they stay in the queue. */
static void
failed(struct sender *sender, bool again, int64_t retry_after_ms, const char *why)
{
	static const struct backoff backoff = {
	    .first_ms = 1000, .last_ms = 60000, .asked_most_ms = 600000};
	int count = sender->batch_count;
	int64_t delay_ms = backoff_ms(&backoff, ++sender->failures, retry_after_ms, id_random());
	log_line(sender->failures == 1 ? LOG_WARN : LOG_DEBUG, "traces", NULL, NULL,
	    "%d spans are not exported: %s; %s in %" PRId64 " ms", count, why,
	    again ? "again" : "they are dropped, others go", delay_ms);
	if (again)
		put_back(sender);
	else
		sender->dropped[TRACES_REFUSED] += (uint64_t)drop_batch(sender);
	sender->not_before_ms = now_ms(sender) + delay_ms;
	arm(sender, delay_ms);
}

/* These alone may be sent again: OTLP says so. 0: no answer. */
static bool
may_again(int status)
{
	return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

static void
on_answer(void *ctx, const struct httpc_answer *answer)
{
	struct sender *sender = ctx;
	bool whole = answer->outcome == HTTPC_ANSWERED || answer->outcome == HTTPC_TOO_BIG;
	int status = whole ? answer->status : 0;
	char why[256];
	sender->request = 0;
	str_print(why, sizeof(why), "it answered with status %d", status);
	if (!whole)
		str_copy(why, sizeof(why), answer->error);
	if (status >= 200 && status < 300)
		taken(sender, answer);
	else
		failed(sender, may_again(status), whole ? answer->retry_after_ms : -1, why);
}

/* --- sending -----------------------------------------------------------------------------------
 */

static char *
body_of(const struct sender *sender)
{
	struct str body;
	str_init(&body, 0);
	str_add(&body, sender->head);
	for (const struct item *item = sender->batch; item != NULL; item = item->next) {
		str_add_bytes(&body, item->text, item->length);
		if (item->next != NULL)
			str_add(&body, ",");
	}
	str_add(&body, otlp_end);
	return str_take(&body);
}

/* "" : none is wanted; NULL: there should be one. Wiped by who asks. */
static char *
bearer_of(const struct sender *sender)
{
	char token[TOKEN_MAX];
	if (sender->token_file == NULL)
		return str_format("%s", "");
	ssize_t length = secret_file_read(sender->token_file, token, sizeof(token));
	bool good = length > 0 && length < TOKEN_MAX;
	for (ssize_t i = 0; good && i < length; i++)
		good = token[i] > ' ' && token[i] <= '~';
	char *bearer = good ? str_format("Authorization: Bearer %.*s", (int)length, token) : NULL;
	mem_wipe(token, sizeof(token));
	return bearer;
}

static void
start(struct sender *sender, const char *bearer)
{
	const char *headers[HEADERS + 4];
	char agent[96], *body = body_of(sender);
	int count = 0;
	str_print(agent, sizeof(agent), "User-Agent: airisd/%s", version_text());
	headers[count++] = "Content-Type: application/json";
	headers[count++] = agent;
	for (int i = 0; i < sender->header_count; i++)
		headers[count++] = sender->headers[i];
	if (bearer[0] != '\0')
		headers[count++] = bearer;
	headers[count] = NULL;
	struct httpc_request request = {.method = "POST",
	    .url = sender->url,
	    .headers = headers,
	    .body = body,
	    .body_length = strlen(body),
	    .tls = {.ca_pem = sender->ca_pem},
	    .timeout_ms = sender->timeout_ms,
	    .max_body = ANSWER_MAX,
	    .on_done = on_answer,
	    .ctx = sender};
	sender->request = httpc_start(sender->pool, &request);
	free(body);
}

static void
on_turn(void *ctx)
{
	struct sender *sender = ctx;
	int64_t wait_ms = sender->not_before_ms - now_ms(sender);
	sender->armed = false;
	if (sender->request != 0 || sender->first == NULL)
		return;
	if (wait_ms > 0) {
		arm(sender, wait_ms);
		return;
	}
	fill_batch(sender);
	char *bearer = bearer_of(sender);
	if (bearer == NULL) {
		failed(sender, true, -1, "tokenFile cannot be read, or does not hold a token");
		return;
	}
	start(sender, bearer);
	mem_wipe(bearer, strlen(bearer));
	free(bearer);
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static void
forget_place(struct sender *sender)
{
	for (int i = 0; i < sender->header_count; i++)
		free(sender->headers[i]);
	sender->header_count = 0;
	free(sender->url);
	free(sender->token_file);
	free(sender->ca_pem);
	sender->url = sender->token_file = sender->ca_pem = NULL;
}

static void
drop_all(struct sender *sender)
{
	int count = drop_batch(sender);
	for (; sender->first != NULL; count++)
		forget(sender, take_first(sender));
	sender->dropped[TRACES_OFF] += (uint64_t)count;
}

static void
stop_request(struct sender *sender)
{
	if (sender->request == 0)
		return;
	httpc_cancel(sender->pool, sender->request);
	sender->request = 0;
	put_back(sender);
}

void
sender_set(struct sender *sender, const struct traces_place *place)
{
	stop_request(sender);
	forget_place(sender);
	sender->failures = 0;
	sender->not_before_ms = 0;
	if (place->url == NULL) {
		drop_all(sender);
		return;
	}
	sender->url = mem_strdup(place->url);
	sender->token_file = mem_strdup(place->token_file);
	sender->ca_pem = httpc_ca_read(place->ca_file, "traces");
	sender->timeout_ms = place->timeout_ms;
	for (int i = 0; place->headers != NULL && place->headers[i] != NULL && i < HEADERS; i++)
		sender->headers[sender->header_count++] = mem_strdup(place->headers[i]);
	if (sender->first != NULL)
		arm(sender, 0);
}

struct sender *
sender_new(struct loop *loop, const struct clock_port *clock)
{
	struct sender *sender = mem_alloc(sizeof(*sender));
	char host[256] = "", instance[ID_SIZE];
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	id_new(instance, "i-", clock->wall_ms(clock->ctx));
	sender->clock = *clock;
	sender->pool = httpc_pool_new(loop, 1);
	sender->timer = loop_timer_new(loop, on_turn, sender);
	sender->head = otlp_head(host, instance);
	return sender;
}

void
sender_free(struct sender *sender)
{
	stop_request(sender);
	drop_all(sender);
	forget_place(sender);
	loop_timer_free(sender->timer);
	httpc_pool_free(sender->pool);
	free(sender->head);
	free(sender);
}

void
sender_status(const struct sender *sender, struct traces_status *status)
{
	status->exported = sender->exported;
	memcpy(status->dropped, sender->dropped, sizeof(status->dropped));
	status->waiting = sender->count;
}
