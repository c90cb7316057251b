/* Always true: a review is in the row until its answer is given or it is cancelled; of its
 * questions (one for each right, then the lists) the first `sent` were sent, and those whose
 * request is not 0 are not answered. What could not be asked is not known, which is a warning: that
 * a question may not be asked, or nobody answers, does not mean that the write is forbidden. */
#include "cluster/port_review.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/cluster.h"
#include "cluster/headroom.h"
#include "cluster/port_app.h"
#include "cluster/port_room.h"
#include "cluster/rights.h"

#define AT_ONCE 8
#define DEADLINE_MS 5000
#define PATH "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

struct list {			 /* read after the rights, for headroom.h */
	const char *path, *what; /* the path has the namespace in it */
	void (*look)(const struct headroom *headroom, const json_t *list, struct findings *found);
};

static const struct list lists[] = {
    {"/api/v1/namespaces/%s/resourcequotas?limit=500", "resourcequotas", headroom_quotas},
    {"/apis/policy/v1/namespaces/%s/poddisruptionbudgets?limit=500", "poddisruptionbudgets",
	headroom_budgets},
};
enum { LISTS = sizeof(lists) / sizeof(lists[0]), QUESTIONS_MAX = RIGHTS_MAX + LISTS };

struct review {
	struct reviews *reviews;
	struct review *next; /* younger */
	uint64_t number;
	struct right rights[RIGHTS_MAX];
	struct headroom headroom;
	uint64_t requests[QUESTIONS_MAX]; /* 0: not sent, or answered */
	int count;			  /* of rights */
	int sent, answered;
	bool unknown;	 /* one of them was said to be so */
	bool needs_room; /* what the nodes have left is not judged yet */
	struct findings found;
	void (*done)(void *done_ctx, uint64_t number, const struct findings *found);
	void *done_ctx;
};

struct reviews {
	struct kube *kube;
	struct review *first; /* oldest */
	int under_way;	      /* requests */
	struct rooms *rooms;  /* of the nodes, one for all */
	uint64_t last;
};

static void on_answer(void *ctx, const struct kube_answer *answer);

static void
review_free(struct review *review)
{
	findings_done(&review->found);
	headroom_done(&review->headroom);
	free(review);
}

/* Out of the row, with nothing of it under way. */
static void
unlink_review(struct review *review)
{
	struct reviews *reviews = review->reviews;
	struct review **at = &reviews->first;

	while (*at != review)
		at = &(*at)->next;
	*at = review->next;
	for (int i = 0; i < review->sent; i++) {
		if (review->requests[i] == 0)
			continue;
		kube_cancel(reviews->kube, review->requests[i]);
		reviews->under_way--;
	}
}

static int
questions_of(const struct review *review)
{
	return review->count + LISTS;
}

static uint64_t
send_call(struct review *review, const char *method, const char *path, const char *body)
{
	struct kube_call call = {.lane = KUBE_NORMAL,
	    .method = method,
	    .path = path,
	    .body = body,
	    .deadline_ms = DEADLINE_MS,
	    .done = on_answer,
	    .ctx = review};

	return kube_request(review->reviews->kube, &call);
}

static uint64_t
send_right(struct review *review, const struct right *right)
{
	json_t *question = rights_question(right);
	char *body = jsonx_dump(question);
	uint64_t number = send_call(review, "POST", PATH, body);

	free(body);
	json_decref(question);
	return number;
}

static uint64_t
send_list(struct review *review, const struct list *list)
{
	const char *mark = strstr(list->path, "%s");
	char *path = str_format(
	    "%.*s%s%s", (int)(mark - list->path), list->path, review->headroom.namespace, mark + 2);
	uint64_t number = send_call(review, "GET", path, NULL);

	free(path);
	return number;
}

static void
send_one(struct review *review)
{
	int i = review->sent++;

	review->requests[i] = i < review->count ? send_right(review, &review->rights[i])
						: send_list(review, &lists[i - review->count]);
	review->reviews->under_way++;
}

static void
send_more(struct reviews *reviews)
{
	struct review *review = reviews->first;

	while (review != NULL && reviews->under_way < AT_ONCE) {
		if (review->sent < questions_of(review))
			send_one(review);
		else
			review = review->next;
	}
}

/* What the API server said in place of an answer. Owned by the caller. */
static char *
said(const struct kube_answer *answer, const char *why)
{
	if (answer->outcome == KUBE_ANSWERED && answer->status / 100 != 2)
		return str_format("HTTP %d %s: %s", answer->status, answer->reason, why);
	return mem_strdup(why);
}

/* Once: what keeps one from being asked keeps the others too. */
static void
note_unknown(struct review *review, const struct right *right, const struct kube_answer *answer,
    const char *why)
{
	char *text = said(answer, why);

	if (!review->unknown)
		errlist_add(&review->found.warnings, "",
		    "it is not known whether airisd may %s %s in namespace %s: the API server did "
		    "not say: %.400s",
		    right->verb, right->resource, right->namespace, text);
	review->unknown = true;
	free(text);
}

static void
note_unread(struct review *review, const struct list *list, const struct kube_answer *answer)
{
	char *text = said(answer, answer->message);

	errlist_add(&review->found.warnings, "",
	    "the %s of namespace %s are not known (to read them is not needed for a rollout; in a "
	    "Role it is the verb list): %.400s",
	    list->what, review->headroom.namespace, text);
	free(text);
}

static void
judge(struct review *review, int i, const struct kube_answer *answer)
{
	bool good = answer->outcome == KUBE_ANSWERED && answer->status / 100 == 2;
	const struct list *list = i < review->count ? NULL : &lists[i - review->count];
	const struct right *right = &review->rights[i < review->count ? i : 0];
	struct err e;

	if (list != NULL && good)
		list->look(&review->headroom, answer->body, &review->found);
	else if (list != NULL)
		note_unread(review, list, answer);
	else if (!good)
		note_unknown(review, right, answer, answer->message);
	else if (rights_judge(right, answer->body, &review->found, &e) < 0)
		note_unknown(review, right, answer, e.text);
}

/* Who is told may ask and cancel others, so the row is gone through anew after each. */
static void
end_those_answered(struct reviews *reviews)
{
	struct review *review = reviews->first;

	while (review != NULL) {
		if (review->answered < questions_of(review) || review->needs_room) {
			review = review->next;
			continue;
		}
		unlink_review(review);
		review->done(review->done_ctx, review->number, &review->found);
		review_free(review);
		review = reviews->first;
	}
}

static void
judge_room(struct review *review)
{
	if (review->needs_room)
		review->needs_room =
		    !rooms_judge(review->reviews->rooms, &review->headroom, &review->found);
}

static void
on_rooms(void *ctx)
{
	struct reviews *reviews = ctx;

	for (struct review *review = reviews->first; review != NULL; review = review->next)
		judge_room(review);
	end_those_answered(reviews);
	send_more(reviews);
}

static void
on_answer(void *ctx, const struct kube_answer *answer)
{
	struct review *review = ctx;
	struct reviews *reviews = review->reviews;

	reviews->under_way--;
	for (int i = 0; i < review->sent; i++) {
		if (review->requests[i] != answer->number)
			continue;
		review->requests[i] = 0;
		judge(review, i, answer);
	}
	review->answered++;
	end_those_answered(reviews);
	send_more(reviews);
}

/* --- the port --------------------------------------------------------------------------------
 */

/* Who holds the Lease has shown that it may. */
static void
ask_what(struct review *review, struct cluster *cluster, const struct app *app)
{
	const struct lease *lease = cluster_lease(cluster);
	struct observe_objects objects;
	struct app room;

	app = port_gather(cluster_kube(cluster), app, &room, &objects);
	review->count = rights_of(app, &objects, review->rights);
	if (lease != NULL && !lease_held(lease))
		review->count = rights_of_lease(
		    lease_namespace(lease), lease_name(lease), review->rights, review->count);
	if (cluster_bulletins(cluster) != NULL)
		review->count = rights_of_events(app->namespace, review->rights, review->count);
	headroom_of(app, &objects, &review->headroom);
	observe_done(&objects);
	review->needs_room = review->headroom.pods > 0;
	judge_room(review);
}

uint64_t
port_review(void *ctx, const struct app *app,
    void (*done)(void *done_ctx, uint64_t number, const struct findings *found), void *done_ctx)
{
	struct reviews *reviews = cluster_turns(ctx)->reviews;
	struct review *review = mem_alloc(sizeof(*review)), **end = &reviews->first;

	*review = (struct review){
	    .reviews = reviews, .number = ++reviews->last, .done = done, .done_ctx = done_ctx};
	ask_what(review, ctx, app);
	while (*end != NULL)
		end = &(*end)->next;
	*end = review;
	send_more(reviews);
	return review->number;
}

void
port_review_cancel(void *ctx, uint64_t number)
{
	struct reviews *reviews = cluster_turns(ctx)->reviews;
	struct review *review = reviews->first;

	while (review != NULL && review->number != number)
		review = review->next;
	if (review == NULL)
		return;
	unlink_review(review);
	review_free(review);
	send_more(reviews);
}

/* --- life --- */

struct reviews *
reviews_new(struct kube *kube)
{
	struct reviews *reviews = mem_alloc(sizeof(*reviews));

	reviews->kube = kube;
	reviews->rooms = rooms_new(kube, on_rooms, reviews);
	return reviews;
}

void
reviews_free(struct reviews *reviews)
{
	while (reviews != NULL && reviews->first != NULL) {
		struct review *review = reviews->first;

		unlink_review(review);
		review_free(review);
	}
	if (reviews != NULL)
		rooms_free(reviews->rooms);
	free(reviews);
}
