/* Reads past the caches that leave in them what they found. Only a Status that says that this one
 * object is not there takes it out (F57): not a proxy's 404, not a failure; and not if a write has
 * put something newer there while the read was under way. */
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "cluster/kube_caches.h"

struct kube_reading {
	struct kube_reading *next;
	struct kube *kube;
	enum kube_lane lane;
	enum kube_kind kind;
	char *ns, *name, *labels;
	uint64_t number; /* what the caller knows */
	uint64_t inner;	 /* one object: of the request under way */
	int version;	 /* of the kind, as it was asked for */
	char before[64]; /* the cached object's resourceVersion when the read began */
	struct kube_list *list;
	json_t *items;
	char list_version[64];
	kube_done *done;
	void *ctx;
};

static struct kube_reading *
reading_new(struct kube *kube, enum kube_kind kind, const char *ns, kube_done *done, void *ctx)
{
	struct kube_reading *reading = mem_alloc(sizeof *reading);

	reading->kube = kube;
	reading->kind = kind;
	reading->ns = mem_strdup(ns);
	reading->number = ++kube->last_number;
	reading->done = done;
	reading->ctx = ctx;
	reading->next = kube->readings;
	kube->readings = reading;
	return reading;
}

static void
reading_free(struct kube_reading *reading)
{
	struct kube_reading **at = &reading->kube->readings;

	while (*at && *at != reading)
		at = &(*at)->next;
	if (*at)
		*at = reading->next;
	json_decref(reading->items);
	free(reading->ns);
	free(reading->name);
	free(reading->labels);
	free(reading);
}

static void
finish(struct kube_reading *reading, struct kube_answer *answer)
{
	kube_done *done = reading->done;
	void *ctx = reading->ctx;

	answer->number = reading->number;
	reading_free(reading);
	if (done)
		done(ctx, answer);
}

/* --- one object --- */

static void ask(struct kube_reading *reading);

static const char *
cached_version(const struct kube_reading *reading)
{
	json_t *object = kube_get(reading->kube, reading->kind, reading->ns, reading->name);

	return jsonx_text_or(object, "metadata.resourceVersion", "");
}

static void
on_object(void *ctx, const struct kube_answer *answer)
{
	struct kube_reading *reading = ctx;
	struct kube *kube = reading->kube;
	struct kube_answer told = *answer;
	bool answered = answer->outcome == KUBE_ANSWERED;

	if (answered && answer->status == 200 &&
	    str_equal(jsonx_text(answer->body, "metadata.name"), reading->name)) {
		kube_put(kube, reading->kind, answer->body);
	} else if (kube_says_absent(answer, reading->name)) {
		if (!strcmp(cached_version(reading), reading->before))
			kube_forget(kube, reading->kind, reading->ns, reading->name, NULL);
	} else if (answered && (answer->status == 404 || answer->status == 200)) {
		if (answer->status == 404 &&
		    kube_next_version(kube, reading->kind, reading->version)) {
			ask(reading);
			return;
		}
		told.outcome = KUBE_UNKNOWN;
		told.status = 0;
		if (!*told.message)
			str_print(told.message, sizeof told.message,
			    "cluster %s gave something else than the %s %s", kube->name,
			    kube_kind_info(reading->kind)->name, reading->name);
	}
	finish(reading, &told);
}

static void
ask(struct kube_reading *reading)
{
	struct kube *kube = reading->kube;
	char *path = kube_path(kube, reading->kind, reading->ns, reading->name);

	reading->version = kube->versions[reading->kind];
	str_copy(reading->before, sizeof reading->before, cached_version(reading));
	reading->inner = kube_send(kube, &(struct kube_sending){.call = {.lane = reading->lane,
								    .method = "GET",
								    .path = path,
								    .done = on_object,
								    .ctx = reading}});
	free(path);
}

uint64_t
kube_read(struct kube *kube, enum kube_lane lane, enum kube_kind kind, const char *ns,
    const char *name, kube_done *done, void *ctx)
{
	struct kube_reading *reading = reading_new(kube, kind, ns, done, ctx);
	uint64_t number = reading->number;

	reading->lane = lane;
	reading->name = mem_strdup(name);
	ask(reading);
	return number;
}

/* --- those with some labels --- */

static void
on_page(void *ctx, const json_t *items, const char *version, bool first)
{
	struct kube_reading *reading = ctx;

	if (first)
		json_array_clear(reading->items);
	str_copy(reading->list_version, sizeof reading->list_version, version);
	json_array_extend(reading->items, (json_t *)items);
}

static void
update_cache(struct kube_reading *reading)
{
	struct kube_cache *cache = kube_cache_find(reading->kube, reading->kind, reading->ns);
	json_t *item;
	size_t i;

	if (!cache)
		return;
	json_array_foreach(reading->items, i, item)(void)
	    cache_put(cache->store, json_deep_copy(item));
	cache_sweep(cache->store, reading->labels, reading->items, reading->list_version);
}

static void
on_list_end(void *ctx, const struct kube_answer *answer)
{
	struct kube_reading *reading = ctx;
	struct kube_answer told = *answer;
	json_t *body = NULL;

	reading->list = NULL;
	if (answer->outcome == KUBE_ANSWERED && answer->status == 200) {
		update_cache(reading);
		body = json_pack("{s:s, s:{s:s}, s:O}", "kind", "List", "metadata",
		    "resourceVersion", reading->list_version, "items", reading->items);
		told.body = body;
	}
	finish(reading, &told);
	json_decref(body);
}

uint64_t
kube_read_list(struct kube *kube, enum kube_lane lane, enum kube_kind kind, const char *ns,
    const char *labels, kube_done *done, void *ctx)
{
	struct kube_reading *reading = reading_new(kube, kind, ns, done, ctx);

	reading->labels = mem_strdup(labels);
	reading->items = json_array();
	reading->list = kube_list_start(kube, &(struct kube_list_call){.lane = lane,
						  .kind = kind,
						  .ns = reading->ns,
						  .labels = reading->labels,
						  .on_page = on_page,
						  .on_end = on_list_end,
						  .ctx = reading});
	return reading->number;
}

static void
cancel(struct kube_reading *reading)
{
	if (reading->list)
		kube_list_cancel(reading->list);
	else
		kube_cancel(reading->kube, reading->inner);
	reading_free(reading);
}

bool
kube_read_cancel(struct kube *kube, uint64_t number)
{
	struct kube_reading *reading = kube->readings;

	while (reading && reading->number != number)
		reading = reading->next;
	if (!reading)
		return false;
	cancel(reading);
	return true;
}

void
kube_read_done(struct kube *kube)
{
	struct kube_reading *reading = kube->readings, *next;

	for (; reading; reading = next) {
		next = reading->next;
		cancel(reading);
	}
}
