/* A list in pages. Always true: the pages that were given out belong to one snapshot; when the
 * server has forgotten it (410 on continue) everything starts again with a first page. */
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "cluster/kube_sending.h"

enum { PAGE_ITEMS = 500, PAGE_ITEMS_MIN = 20, RESTARTS = 3 };

struct kube_list {
	struct kube *kube;
	struct kube_list_call call;
	char *ns, *labels;
	int items; /* per page */
	int restarts;
	int version; /* of the kind, as it was asked for */
	bool first;
	uint64_t number;
	int64_t sent_ms; /* of the first page: the list is no older */
};

static void ask(struct kube_list *list, const char *more);

static void
list_free(struct kube_list *list)
{
	free(list->ns);
	free(list->labels);
	free(list);
}

static void
end(struct kube_list *list, const struct kube_answer *answer)
{
	list->call.on_end(list->call.ctx, answer);
	list_free(list);
}

/* True: it was asked for again, in another way. */
static bool
try_otherwise(struct kube_list *list, const struct kube_answer *answer)
{
	if (!strcmp(answer->reason, "AnswerTooLarge") && list->items > PAGE_ITEMS_MIN)
		list->items /= 5;
	else if (answer->status == 410 && !list->first && list->restarts < RESTARTS)
		list->restarts++;
	else if (answer->status != 404 || !list->first ||
		 !kube_next_version(list->kube, list->call.kind, list->version))
		return false;
	list->first = true;
	ask(list, NULL);
	return true;
}

static void
on_answer(void *ctx, const struct kube_answer *answer)
{
	struct kube_list *list = ctx;
	const char *version = jsonx_text(answer->body, "metadata.resourceVersion");
	const char *more = jsonx_text_or(answer->body, "metadata.continue", "");
	json_t *items = json_object_get(answer->body, "items");
	struct kube_answer told = *answer;

	list->number = 0;
	if (answer->outcome != KUBE_ANSWERED || answer->status != 200) {
		if (!try_otherwise(list, answer))
			end(list, answer);
		return;
	}
	if (!version || !*version || (!json_is_array(items) && !json_is_null(items))) {
		told.outcome = KUBE_UNKNOWN;
		told.status = 0;
		str_copy(told.message, sizeof told.message,
		    *answer->message ? answer->message : "the answer is no list of objects");
		end(list, &told);
		return;
	}
	list->call.on_page(list->call.ctx, items, version, list->first);
	if (list->first)
		list->sent_ms = answer->sent_ms;
	list->first = false;
	told.sent_ms = list->sent_ms;
	if (*more)
		ask(list, more);
	else
		end(list, &told);
}

void
kube_add_query(struct str *to, const char *name, const char *value)
{
	str_addf(to, "%s=", name);
	for (; *value; value++) {
		if (strchr("-._~", *value) || (*value >= '0' && *value <= '9') ||
		    (*value >= 'A' && *value <= 'Z') || (*value >= 'a' && *value <= 'z'))
			str_add_bytes(to, value, 1);
		else
			str_addf(to, "%%%02X", (unsigned char)*value);
	}
}

static void
ask(struct kube_list *list, const char *more)
{
	char *path = kube_path(list->kube, list->call.kind, list->ns, NULL);
	struct str query;

	list->version = list->kube->versions[list->call.kind];
	str_init(&query, 0);
	str_addf(&query, "%s?limit=%d", path, list->items);
	if (list->labels)
		kube_add_query(&query, "&labelSelector", list->labels);
	if (more)
		kube_add_query(&query, "&continue", more);
	list->number =
	    kube_send(list->kube, &(struct kube_sending){.call = {.lane = list->call.lane,
							     .method = "GET",
							     .path = str_text(&query),
							     .done = on_answer,
							     .ctx = list},
				      .verb = "LIST",
				      .max_body = KUBE_PAGE_MAX});
	str_done(&query);
	free(path);
}

struct kube_list *
kube_list_start(struct kube *kube, const struct kube_list_call *call)
{
	struct kube_list *list = mem_alloc(sizeof *list);

	list->kube = kube;
	list->call = *call;
	list->ns = mem_strdup(call->ns);
	list->labels = mem_strdup(call->labels);
	list->items = PAGE_ITEMS;
	list->first = true;
	ask(list, NULL);
	return list;
}

void
kube_list_cancel(struct kube_list *list)
{
	if (!list)
		return;
	kube_cancel(list->kube, list->number);
	list_free(list);
}
