/* Always true: a review is in the row until its answer is given or it is cancelled; of its rights
 * the first `sent` were asked for, and those whose request is not 0 are not answered. A right whose
 * question failed is not known, which is a warning: that the question may not be asked, or nobody
 * answers, does not mean that the write is forbidden. */
#include "cluster/port_review.h"

#include <stdlib.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/cluster.h"
#include "cluster/port_app.h"
#include "cluster/rights.h"

#define AT_ONCE 8
#define DEADLINE_MS 5000
#define PATH "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

struct review {
	struct reviews *reviews;
	struct review *next; /* younger */
	uint64_t number;
	struct right rights[RIGHTS_MAX];
	uint64_t requests[RIGHTS_MAX]; /* 0: not sent, or answered */
	int count, sent, answered;
	bool unknown; /* one of them was said to be so */
	struct findings found;
	void (*done)(void *done_ctx, uint64_t number, const struct findings *found);
	void *done_ctx;
};

struct reviews {
	struct kube *kube;
	struct review *first; /* oldest */
	int under_way;	      /* requests */
	uint64_t last;
};

static void on_answer(void *ctx, const struct kube_answer *answer);

static void
review_free(struct review *review)
{
	findings_done(&review->found);
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

static void
send_one(struct review *review)
{
	struct reviews *reviews = review->reviews;
	int i = review->sent++;
	json_t *question = rights_question(&review->rights[i]);
	char *body = jsonx_dump(question);
	struct kube_call call = {.lane = KUBE_NORMAL,
	    .method = "POST",
	    .path = PATH,
	    .body = body,
	    .deadline_ms = DEADLINE_MS,
	    .done = on_answer,
	    .ctx = review};

	review->requests[i] = kube_request(reviews->kube, &call);
	reviews->under_way++;
	free(body);
	json_decref(question);
}

static void
send_more(struct reviews *reviews)
{
	struct review *review = reviews->first;

	while (review != NULL && reviews->under_way < AT_ONCE) {
		if (review->sent < review->count)
			send_one(review);
		else
			review = review->next;
	}
}

static void
note_unknown(struct review *review, const struct right *right, const struct kube_answer *answer,
    const char *why)
{
	char *said = answer->outcome == KUBE_ANSWERED && answer->status / 100 != 2
			 ? str_format("HTTP %d %s: %s", answer->status, answer->reason, why)
			 : str_format("%s", why);

	if (!review->unknown)
		errlist_add(&review->found.warnings, "",
		    "it is not known whether airisd may %s %s in namespace %s: the API server did "
		    "not say: %.400s",
		    right->verb, right->resource, right->namespace, said);
	review->unknown = true;
	free(said);
}

static void
judge(struct review *review, const struct right *right, const struct kube_answer *answer)
{
	bool good = answer->outcome == KUBE_ANSWERED && answer->status / 100 == 2;
	struct err e;

	if (!good)
		note_unknown(review, right, answer, answer->message);
	else if (rights_judge(right, answer->body, &review->found, &e) < 0)
		note_unknown(review, right, answer, e.text);
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
		judge(review, &review->rights[i], answer);
	}
	if (++review->answered == review->count) {
		unlink_review(review);
		review->done(review->done_ctx, review->number, &review->found);
		review_free(review);
	}
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

	app = port_gather(cluster, app, &room, &objects);
	review->count = rights_of(app, &objects, review->rights);
	if (lease != NULL && !lease_held(lease))
		review->count = rights_of_lease(
		    lease_namespace(lease), lease_name(lease), review->rights, review->count);
	observe_done(&objects);
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
	free(reviews);
}
