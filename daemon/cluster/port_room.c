/* The nodes, then the pods on them, page by page and one page at a time, so that the writes of
 * others do not wait. Always true: either a request is under way, or what was read, or why it was
 * not, is believed until until_ms. */
#include "cluster/port_room.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/noderoom.h"

#define PATIENCE_MS 4000 /* less than that of who asks before a start */
#define BELIEVED_MS 60000
#define HOPELESS_MS 600000 /* a cluster does not shrink, and no right is given, every minute */

struct list {
	const char *what, *path;
	size_t most; /* objects that are read */
	void (*add)(struct noderoom *room, const json_t *items);
};

/* Pages are so small that one of large objects takes no time that others would notice. */
static const struct list lists[] = {
    {"nodes", "/api/v1/nodes?limit=100", 500, noderoom_add_nodes},
    {"pods",
	"/api/v1/pods?limit=250&fieldSelector=spec.nodeName%21%3D%2Cstatus.phase%21%3DSucceeded"
	"%2Cstatus.phase%21%3DFailed",
	5000, noderoom_add_pods},
};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

struct rooms {
	struct kube *kube;
	struct noderoom *room; /* being read, or what was; NULL: not known */
	char why[1200];	       /* it is not */
	int64_t until_ms;      /* monotonic */
	int64_t give_up_ms;    /* likewise, while it is read */
	uint64_t request;      /* under way; 0: none */
	size_t list, count;    /* which, and how many objects of it were read */
	void (*done)(void *ctx);
	void *ctx;
};

static void ask(struct rooms *rooms, const char *more);

static void
end(struct rooms *rooms, int64_t believed_ms)
{
	rooms->until_ms = clock_mono_ms() + believed_ms;
	rooms->done(rooms->ctx);
}

static void
give_up(struct rooms *rooms, int64_t believed_ms)
{
	noderoom_free(rooms->room);
	rooms->room = NULL;
	end(rooms, believed_ms);
}

static void
explain(struct rooms *rooms, const struct kube_answer *answer)
{
	const char *what = lists[rooms->list].what;

	if (answer->status == 403)
		str_print(rooms->why, sizeof(rooms->why),
		    "airisd may not list the %s of the cluster; config/rbac.yaml has the "
		    "ClusterRole that allows it",
		    what);
	else if (answer->outcome != KUBE_ANSWERED)
		str_print(rooms->why, sizeof(rooms->why),
		    "the API server did not list the %s in time: %.400s", what, answer->message);
	else
		str_print(rooms->why, sizeof(rooms->why),
		    "the %s could not be listed: HTTP %d %s: "
		    "%.400s",
		    what, answer->status, answer->reason, answer->message);
	give_up(rooms, answer->status == 403 ? HOPELESS_MS : BELIEVED_MS);
}

static void
go_on(struct rooms *rooms, const char *more)
{
	const struct list *list = &lists[rooms->list];

	if (rooms->count > list->most || (rooms->count == list->most && more[0] != '\0')) {
		str_print(rooms->why, sizeof(rooms->why), "the cluster has more than %zu %s",
		    list->most, list->what);
		give_up(rooms, HOPELESS_MS);
	} else if (more[0] != '\0') {
		ask(rooms, more);
	} else if (rooms->list + 1 < LISTS) {
		rooms->list++;
		rooms->count = 0;
		ask(rooms, "");
	} else {
		end(rooms, BELIEVED_MS);
	}
}

static void
on_answer(void *ctx, const struct kube_answer *answer)
{
	struct rooms *rooms = ctx;
	const json_t *items = json_object_get(answer->body, "items");
	struct kube_answer told = *answer;

	rooms->request = 0;
	if (answer->outcome == KUBE_ANSWERED && answer->status == 200 &&
	    (json_is_array(items) || json_is_null(items))) {
		lists[rooms->list].add(rooms->room, items);
		rooms->count += json_array_size(items);
		go_on(rooms, jsonx_text_or(answer->body, "metadata.continue", ""));
		return;
	}
	if (answer->status == 200)
		str_copy(told.message, sizeof(told.message), "the answer is no list");
	explain(rooms, &told);
}

/* The first page waits no longer than all of them may take. */
static void
ask(struct rooms *rooms, const char *more)
{
	int64_t left_ms = rooms->give_up_ms - clock_mono_ms();
	struct kube_call call = {.lane = KUBE_NORMAL,
	    .method = "GET",
	    .deadline_ms = left_ms > 1 ? left_ms : 1,
	    .done = on_answer,
	    .ctx = rooms};
	struct str path;

	str_init(&path, 0);
	str_add(&path, lists[rooms->list].path);
	if (more[0] != '\0')
		kube_add_query(&path, "&continue", more);
	call.path = str_text(&path);
	rooms->request = kube_request(rooms->kube, &call);
	str_done(&path);
}

static void
read_all(struct rooms *rooms)
{
	noderoom_free(rooms->room);
	rooms->room = noderoom_new();
	rooms->list = rooms->count = 0;
	rooms->give_up_ms = clock_mono_ms() + PATIENCE_MS;
	ask(rooms, "");
}

bool
rooms_judge(struct rooms *rooms, const struct headroom *headroom, struct findings *found)
{
	if (rooms->request == 0 && clock_mono_ms() >= rooms->until_ms)
		read_all(rooms);
	if (rooms->request != 0)
		return false;
	if (rooms->room != NULL)
		noderoom_judge(rooms->room, headroom, found);
	else
		noderoom_uncounted(headroom, rooms->why, found);
	return true;
}

struct rooms *
rooms_new(struct kube *kube, void (*done)(void *ctx), void *ctx)
{
	struct rooms *rooms = mem_alloc(sizeof(*rooms));

	*rooms = (struct rooms){.kube = kube, .done = done, .ctx = ctx};
	return rooms;
}

void
rooms_free(struct rooms *rooms)
{
	if (rooms == NULL)
		return;
	if (rooms->request != 0)
		kube_cancel(rooms->kube, rooms->request);
	noderoom_free(rooms->room);
	free(rooms);
}
