/* List, then watch from there, for one cache. Always true: a state has at most one list or one
 * stream under way; a stream that ends continues from the last version it told; what cannot be
 * continued (410, an oversized line, an unreadable one) is listed again; every start after a
 * failure waits, longer each time, unless the stream before it had lived. */
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "cluster/kube_caches.h"

enum {
	OPEN_MS = 10 * 1000,  /* a stream must have its header by then */
	LIVED_MS = 5 * 1000,  /* a stream that lived so long was a good one */
	WATCH_S = 300,	      /* the server ends it after this and up to as much again */
	CREDENTIALS_MS = 500, /* look again whether a plugin has ended */
	ERROR_BODY_MAX = 64 * 1024
};

static void begin(void *ctx);

static void
pause_for(struct kube_cache *cache, int64_t ms)
{
	cache->state = KUBE_CACHE_PAUSE;
	loop_timer_set(cache->timer, ms);
	kube_cache_look(cache);
}

static void
pause_after_failure(struct kube_cache *cache, int64_t at_least_ms)
{
	cache->backoff_ms = kube_backoff(cache->kube->settings.backoff_ms, cache->backoff_ms);
	pause_for(cache, at_least_ms > cache->backoff_ms ? at_least_ms : cache->backoff_ms);
}

/* --- listing --- */

static void
on_page(void *ctx, const json_t *items, const char *version, bool first)
{
	struct kube_cache *cache = ctx;
	json_t *item;
	size_t i;

	if (first)
		cache_list_begin(cache->store, version);
	json_array_foreach(items, i, item)(void) cache_put(cache->store, json_incref(item));
}

/* 403 and 404 are for people to mend: they say what to do. */
static void
explain_list(struct kube_cache *cache, const struct kube_answer *answer)
{
	const struct kube_kind_info *info = kube_kind_info(cache->kind);
	struct err why;

	if (answer->status == 404)
		err_set(&why, "the cluster does not know %s%s%s; is what defines them installed?",
		    info->plural, *info->group ? "." : "", info->group);
	else if (answer->status == 403)
		err_set(&why, "%.600s; the role of airisd needs get, list and watch there",
		    answer->message);
	else if (answer->status)
		err_set(&why, "answered %d: %.800s", answer->status, answer->message);
	else
		err_set(&why, "%.1000s", answer->message);
	kube_cache_broken(cache, why.text);
}

/* A cluster without the kind, or a Role that does not speak of it. Rights that go are another
 * matter: what was there is there still. */
static bool
is_absent(const struct kube_cache *cache, const struct kube_answer *answer)
{
	if (!kube_kind_info(cache->kind)->optional || answer->outcome != KUBE_ANSWERED)
		return false;
	return answer->status == 404 || (answer->status == 403 && !cache->listed);
}

static void
set_absent(struct kube_cache *cache)
{
	cache_list_begin(cache->store, "");
	cache_list_end(cache->store);
	cache->absent = true;
	cache->listed = cache->relist = false;
	cache->backoff_ms = 0;
	cache->why[0] = '\0';
	pause_for(cache, cache->kube->settings.absent_ms);
}

static void
on_list_end(void *ctx, const struct kube_answer *answer)
{
	struct kube_cache *cache = ctx;

	cache->list = NULL;
	cache->refused = answer->outcome == KUBE_ANSWERED && answer->status == 403;
	if (is_absent(cache, answer)) {
		set_absent(cache);
		return;
	}
	if (answer->outcome != KUBE_ANSWERED || answer->status != 200) {
		explain_list(cache, answer);
		pause_after_failure(cache, answer->retry_after_ms);
		return;
	}
	cache_list_end(cache->store);
	if (cache->listed)
		cache->kube->stats.relists++;
	cache->listed = true;
	cache->absent = cache->relist = false;
	cache->listed_ms = clock_mono_ms();
	cache->relist_ms = KUBE_RELIST_MS + (int64_t)(id_random() * KUBE_RELIST_MS / 2);
	cache->cut_ms = cache->listed_ms;
	/* A list does not show that watching works: the back-off stays. */
	pause_for(cache, 0);
}

static void
start_list(struct kube_cache *cache)
{
	cache->state = KUBE_CACHE_LISTING;
	cache->list = kube_list_start(cache->kube, &(struct kube_list_call){.kind = cache->kind,
						       .ns = cache->ns,
						       .on_page = on_page,
						       .on_end = on_list_end,
						       .ctx = cache});
}

/* --- the stream: begin and end --- */

static bool
on_data(void *ctx, uint64_t number, int status, const char *bytes, size_t count)
{
	struct kube_cache *cache = ctx;

	(void)number;
	kube_probe_heard(cache->kube);
	if (status == 200)
		return kube_lines_feed(cache, bytes, count);
	if (cache->line.length + count <= ERROR_BODY_MAX)
		str_add_bytes(&cache->line, bytes, count);
	return true;
}

static void
set_closed(struct kube_cache *cache)
{
	if (cache->open) {
		cache->cut_ms = clock_mono_ms();
		cache->kube->stats.watches--;
	}
	cache->open = false;
	cache->stream = 0;
}

static void
on_open(void *ctx, uint64_t number, int status, bool http2)
{
	struct kube_cache *cache = ctx;

	(void)number;
	cache->kube->http2 = http2;
	cache->status = status;
	if (status != 200)
		return;
	cache->open = true;
	cache->opened_ms = clock_mono_ms();
	cache->kube->stats.watches++;
	loop_timer_set(cache->timer, 0); /* telling it is not for curl's callback */
}

/* The first time; if that does not help, the next has to wait. */
static void
relist_at_once(struct kube_cache *cache)
{
	cache->backoff_ms = cache->kube->settings.backoff_ms;
	pause_for(cache, 0);
}

/* The stream's answer was no 200. */
static void
stream_refused(struct kube_cache *cache, const struct httpc_answer *answer)
{
	struct kube *kube = cache->kube;
	json_t *body =
	    jsonx_parse(str_text(&cache->line), cache->line.length, ERROR_BODY_MAX, NULL);
	struct err why;

	err_set(&why, "the watch was answered %d: %.600s", answer->status,
	    jsonx_text_or(body, "message", "without a Status"));
	json_decref(body);
	kube_cache_broken(cache, why.text);
	if (answer->status == 410 && cache->backoff_ms == 0) {
		cache->relist = true;
		relist_at_once(cache);
	} else if (answer->status == 401 && !cache->refreshed &&
		   credentials_refused(kube->credentials, cache->generation)) {
		cache->refreshed = true;
		pause_for(cache, 0);
	} else {
		/* 403 and 404 have better words from a list. */
		cache->relist = cache->relist || answer->status == 403 || answer->status == 404 ||
				answer->status == 410;
		pause_after_failure(cache, answer->retry_after_ms);
	}
}

/* A stream that ended in good order, or was cut after a good life, goes on at once. */
static void
stream_over(struct kube_cache *cache, const struct httpc_answer *answer)
{
	int64_t lived = clock_mono_ms() - cache->opened_ms;
	bool good = cache->status == 200 && lived >= LIVED_MS;

	if (answer->outcome != HTTPC_ANSWERED) {
		cache->kube->stats.watch_cuts++;
		credentials_doubt(cache->kube->credentials);
		if (!cache->relist) /* else the reason is known and better */
			kube_cache_broken(cache, answer->error);
	} else if (!good && !cache->relist)
		kube_cache_broken(cache, "the server ends it as soon as it begins");
	if (good)
		cache->backoff_ms = 0;
	if (good)
		pause_for(cache, 0);
	else if (cache->relist && cache->backoff_ms == 0)
		relist_at_once(cache);
	else
		pause_after_failure(cache, answer->retry_after_ms);
}

static void
on_done(void *ctx, const struct httpc_answer *answer)
{
	struct kube_cache *cache = ctx;
	bool refused = answer->outcome == HTTPC_ANSWERED && answer->status != 200;

	set_closed(cache);
	kube_count(cache->kube, "WATCH", answer->outcome == HTTPC_ANSWERED ? answer->status : 0);
	if (refused)
		stream_refused(cache, answer);
	else
		stream_over(cache, answer);
	str_done(&cache->line);
}

static char *
watch_path(const struct kube_cache *cache)
{
	char *path = kube_path(cache->kube, cache->kind, cache->ns, NULL), *whole;

	whole = str_format("%s?watch=1&allowWatchBookmarks=true&resourceVersion=%s&"
			   "timeoutSeconds=%d",
	    path, cache_version(cache->store), WATCH_S + (int)(id_random() * WATCH_S));
	free(path);
	return whole;
}

static void
start_stream(struct kube_cache *cache, const struct credentials_access *access)
{
	struct kube *kube = cache->kube;
	const char *headers[KUBE_HEADERS + 1];
	struct httpc_request http = {.method = "GET",
	    .idle_timeout_ms = kube->settings.idle_ms,
	    .timeout_ms = (2 * WATCH_S + 30) * 1000,
	    .on_open = on_open,
	    .on_data = on_data,
	    .on_done = on_done};
	char *path = watch_path(cache);
	char *url = kube_dress(kube, access, path, NULL, headers, &http);

	http.ctx = cache;
	str_clear(&cache->line);
	cache->state = KUBE_CACHE_WATCHING;
	cache->status = 0;
	cache->opened_ms = clock_mono_ms();
	cache->generation = access->generation;
	/* With HTTP/2 few connections carry all; without it each stream has its own, and must not
	 * wait to share one: curl would keep it back as long as the first of them lives. */
	cache->pool = kube->http2 ? kube->few : kube->many;
	http.http2 = http.http2 && kube->http2;
	cache->stream = httpc_start(cache->pool, &http);
	loop_timer_set(cache->timer, OPEN_MS);
	free(url);
	free(path);
}

/* --- what drives it --- */

static void
begin(void *ctx)
{
	struct kube_cache *cache = ctx;
	struct kube *kube = cache->kube;
	struct credentials_access access;

	if (!cache->listed || cache->relist ||
	    clock_mono_ms() - cache->listed_ms > cache->relist_ms) {
		start_list(cache);
		return;
	}
	switch (credentials_get(kube->credentials, &access)) {
	case CREDENTIALS_READY:
		start_stream(cache, &access);
		return;
	case CREDENTIALS_WAIT:
		pause_for(cache, CREDENTIALS_MS);
		return;
	case CREDENTIALS_FAILED:
		kube_cache_broken(cache, credentials_problem(kube->credentials));
		pause_after_failure(cache, 0);
		return;
	}
}

static void
stream_opened(struct kube_cache *cache)
{
	cache->why[0] = '\0';
	cache->refreshed = false;
	kube_probe_heard(cache->kube);
	kube_cache_look(cache);
}

static void
on_timer(void *ctx)
{
	struct kube_cache *cache = ctx;

	switch (cache->state) {
	case KUBE_CACHE_PAUSE:
		begin(cache);
		return;
	case KUBE_CACHE_LISTING:
		return;
	case KUBE_CACHE_WATCHING:
		break;
	}
	if (cache->open) {
		stream_opened(cache);
		return;
	}
	httpc_cancel(cache->pool, cache->stream);
	set_closed(cache);
	kube_cache_broken(cache, "the server has taken the request for a watch and says nothing");
	pause_after_failure(cache, 0);
}

void
kube_watch_begin(struct kube_cache *cache)
{
	cache->timer = loop_timer_new(cache->kube->loop, on_timer, cache);
	cache->state = KUBE_CACHE_PAUSE;
	loop_timer_set(cache->timer, 0);
}

void
kube_watch_end(struct kube_cache *cache)
{
	if (cache->stream)
		httpc_cancel(cache->pool, cache->stream);
	set_closed(cache);
	kube_list_cancel(cache->list);
	cache->list = NULL;
	cache->state = KUBE_CACHE_PAUSE;
	loop_timer_clear(cache->timer);
}

void
kube_watch_again(struct kube *kube)
{
	for (int kind = 0; kind < KUBE_KINDS; kind++) {
		size_t cursor = 0;
		void *value;

		while (map_next(kube->caches[kind], &cursor, NULL, &value)) {
			struct kube_cache *cache = value;

			kube_watch_end(cache);
			/* Nobody knows what was missed: fresh when it is open again, no sooner. */
			cache->cut_ms = clock_mono_ms() - kube->settings.grace_ms;
			cache->backoff_ms = 0;
			loop_timer_set(cache->timer, 0);
		}
	}
}
