/* See bulletins.h. Always true: the first in the row is the one that is being written, or the next;
 * a request is under way, or the timer is set, or the fence is closed, or the row is empty. */
#include "cluster/bulletins.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/backoff.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "cluster/bulletin.h"
#include "cluster/kube_kinds.h"
#include "cluster/workload.h"

#define REQUEST_MS INT64_C(5000)
#define LATE_MS (INT64_C(10) * 60 * 1000)      /* older ones tell nobody anything new */
#define FORBIDDEN_MS (INT64_C(10) * 60 * 1000) /* nobody gives a right every minute */
#define FIRST_PAUSE_MS INT64_C(1000)
#define LAST_PAUSE_MS (INT64_C(60) * 1000)
#define TRIES 5		/* that were answered: one that the server cannot take holds up no other */
#define NAMESPACES 1000 /* that it is known to be forbidden in */

struct waiting_one {
	struct waiting_one *next;
	struct bulletin bulletin;
	struct app *app;  /* shared */
	int named;	  /* which of its workloads the bulletin is about */
	int64_t since_ms; /* monotonic */
	int tries;
};

struct bulletins {
	struct loop *loop;
	struct kube *kube;
	struct kube_fence fence;
	struct waiting_one *first, *last;
	int count;
	uint64_t request; /* for the first; 0: none */
	struct loop_timer *timer;
	int failures; /* in a row */
	int64_t not_before_ms;
	struct map *forbidden; /* namespace -> struct ban */
	bool said_refused;
	uint64_t counts[BULLETINS_RESULTS];
	char instance[128];
};

struct ban {
	int64_t until_ms;
};

const char *
bulletins_result_name(enum bulletins_result result)
{
	static const char *const names[] = {"written", "full", "late", "forbidden", "refused"};

	return names[result];
}

uint64_t
bulletins_count(const struct bulletins *bulletins, enum bulletins_result result)
{
	return bulletins->counts[result];
}

int
bulletins_waiting(const struct bulletins *bulletins)
{
	return bulletins->count;
}

/* --- the row ---------------------------------------------------------------------------------- */

static void
one_free(struct waiting_one *one)
{
	app_free(one->app);
	free(one);
}

/* Takes out the first, or the one behind it. */
static void
take_out(struct bulletins *b, bool second, enum bulletins_result result)
{
	struct waiting_one *before = second ? b->first : NULL;
	struct waiting_one **at = second ? &b->first->next : &b->first, *one = *at;

	*at = one->next;
	if (b->last == one)
		b->last = before;
	b->count--;
	b->counts[result]++;
	one_free(one);
}

static void
drop_namespace(struct bulletins *b, const char *ns)
{
	struct waiting_one **at = &b->first, *last = NULL;

	while (*at != NULL) {
		struct waiting_one *one = *at;

		if (strcmp(one->bulletin.namespace, ns) != 0) {
			last = one;
			at = &one->next;
			continue;
		}
		*at = one->next;
		b->count--;
		b->counts[BULLETINS_FORBIDDEN]++;
		one_free(one);
	}
	b->last = last;
}

/* --- what came of it -------------------------------------------------------------------------- */

static void
forbid(struct bulletins *b, const struct kube_answer *answer, const char *right)
{
	char ns[APP_LABEL];
	str_copy(ns, sizeof(ns), b->first->bulletin.namespace);
	struct ban *ban = map_get(b->forbidden, ns);

	if (ban == NULL) {
		log_warn("cluster",
		    "%s: no Events about rollouts in namespace %s: %.300s: allow it in a Role "
		    "there: %s (config/rbac.yaml), or turn them off: clusters[].events in "
		    "airisd.yaml; now and then it is tried again",
		    kube_name(b->kube), ns, answer->message, right);
		if (map_count(b->forbidden) >= NAMESPACES) {
			map_free(b->forbidden, free);
			b->forbidden = map_new();
		}
		ban = mem_alloc(sizeof(*ban));
		map_set(b->forbidden, ns, ban);
	}
	ban->until_ms = clock_mono_ms() + FORBIDDEN_MS;
	drop_namespace(b, ns);
}

static void
refuse(struct bulletins *b, const struct kube_answer *answer)
{
	const struct bulletin *bulletin = &b->first->bulletin;

	log_line(b->said_refused ? LOG_DEBUG : LOG_WARN, "cluster", bulletin->rollout, NULL,
	    "%s: an Event about %s/%s is not written: HTTP %d %s: %.300s", kube_name(b->kube),
	    bulletin->namespace, bulletin->workload, answer->status, answer->reason,
	    answer->message);
	b->said_refused = true;
	take_out(b, false, BULLETINS_REFUSED);
}

static void
try_again(struct bulletins *b, const struct kube_answer *answer)
{
	static const struct backoff backoff = {FIRST_PAUSE_MS, LAST_PAUSE_MS, LATE_MS};
	int64_t pause_ms = backoff_ms(&backoff, ++b->failures, answer->retry_after_ms, id_random());
	b->not_before_ms = clock_mono_ms() + pause_ms;
	log_debug("cluster", "%s: an Event is not written: %s; again in %" PRId64 " ms",
	    kube_name(b->kube), answer->message, pause_ms);
	b->first->tries += answer->outcome == KUBE_ANSWERED;
	if (b->first->tries >= TRIES)
		refuse(b, answer);
}

static void
is_written(struct bulletins *b)
{
	free(map_remove(b->forbidden, b->first->bulletin.namespace));
	b->said_refused = false;
	take_out(b, false, BULLETINS_WRITTEN);
}

static void
take_answer(struct bulletins *b, const struct kube_answer *answer, const char *right)
{
	enum bulletin_verdict verdict = bulletin_judge(answer);

	b->request = 0;
	if (verdict != BULLETIN_AGAIN)
		b->failures = 0;
	switch (verdict) {
	case BULLETIN_DONE:
		is_written(b);
		break;
	case BULLETIN_AGAIN:
		try_again(b, answer);
		break;
	case BULLETIN_FORBIDDEN:
		forbid(b, answer, right);
		break;
	case BULLETIN_REFUSED:
		refuse(b, answer);
		break;
	}
	loop_timer_set(b->timer, 0);
}

static void
on_written(void *ctx, const struct kube_answer *answer)
{
	take_answer(ctx, answer, "apiGroups [\"\"], resources [events], verbs [create]");
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
write_first(struct bulletins *b, const char *uid)
{
	const struct bulletin *bulletin = &b->first->bulletin;
	json_t *event = bulletin_json(bulletin, uid, b->instance);
	char *body = jsonx_dump(event);
	char *path = str_format("/api/v1/namespaces/%s/events", bulletin->namespace);
	struct kube_call call = {.lane = KUBE_SPARE,
	    .method = "POST",
	    .path = path,
	    .body = body,
	    .deadline_ms = REQUEST_MS,
	    .fence = b->fence,
	    .done = on_written,
	    .ctx = b};

	b->request = kube_request(b->kube, &call);
	free(path);
	free(body);
	json_decref(event);
}

static void on_workload(void *ctx, const struct kube_answer *answer);

/* Without the uid kubectl describe does not find it. */
static void
start(struct bulletins *b)
{
	const struct waiting_one *one = b->first;
	enum kube_kind kind = workload_kind(one->app);
	const char *ns = one->bulletin.namespace, *name = one->bulletin.workload;
	const char *uid = jsonx_text(kube_get(b->kube, kind, ns, name), "metadata.uid");

	if (uid != NULL)
		write_first(b, uid);
	else
		b->request = kube_read(b->kube, KUBE_SPARE, kind, ns, name, on_workload, b);
}

/* Of two colours it may not be known yet which of the names are in use. */
static bool
next_name(struct waiting_one *one)
{
	const char *names[APP_WORKLOADS];
	int count = app_workloads(one->app, names);
	struct bulletin *bulletin = &one->bulletin;

	while (one->app->colours && !one->app->sided && one->named < count) {
		const char *name = names[one->named++];

		if (strcmp(bulletin->workload, name) == 0)
			continue;
		str_copy(bulletin->workload, sizeof(bulletin->workload), name);
		return true;
	}
	return false;
}

static void
on_workload(void *ctx, const struct kube_answer *answer)
{
	struct bulletins *b = ctx;
	const char *uid = jsonx_text(answer->body, "metadata.uid");
	struct kube_answer told = *answer;

	b->request = 0;
	if (answer->status == 200 && uid != NULL) {
		write_first(b, uid);
		return;
	}
	if (answer->status == 404 && next_name(b->first)) {
		start(b);
		return;
	}
	if (answer->status == 200) { /* no object */
		told.status = 502;
		str_copy(told.message, sizeof(told.message), "the workload has no uid");
	}
	take_answer(b, &told, "the workload's kind, verbs [get]");
}

static void
look(void *ctx)
{
	struct bulletins *b = ctx;
	int64_t now_ms = clock_mono_ms();
	char why[256];

	if (b->request != 0)
		return;
	while (b->first != NULL && now_ms - b->first->since_ms >= LATE_MS)
		take_out(b, false, BULLETINS_LATE);
	if (b->first == NULL || !b->fence.open(b->fence.ctx, why, sizeof(why)))
		return;
	if (now_ms < b->not_before_ms)
		loop_timer_set(b->timer, b->not_before_ms - now_ms);
	else
		start(b);
}

static bool
is_forbidden(const struct bulletins *b, const char *ns)
{
	const struct ban *ban = map_get(b->forbidden, ns);

	return ban != NULL && clock_mono_ms() < ban->until_ms;
}

void
bulletins_put(struct bulletins *b, const struct app *app, const struct told *told)
{
	if (is_forbidden(b, app->namespace)) {
		b->counts[BULLETINS_FORBIDDEN]++;
		return;
	}
	if (b->count == BULLETINS_MOST)
		take_out(b, b->request != 0, BULLETINS_FULL);
	struct waiting_one *one = mem_alloc(sizeof(*one));
	bulletin_make(app, told, &one->bulletin);
	one->app = app_share(app);
	one->since_ms = clock_mono_ms();
	if (b->last != NULL)
		b->last->next = one;
	else
		b->first = one;
	b->last = one;
	b->count++;
	if (b->request == 0)
		loop_timer_set(b->timer, 0);
}

void
bulletins_poke(struct bulletins *b)
{
	if (b != NULL && b->request == 0)
		loop_timer_set(b->timer, 0);
}

/* --- life ------------------------------------------------------------------------------------- */

struct bulletins *
bulletins_new(struct loop *loop, struct kube *kube, const struct kube_fence *fence)
{
	struct bulletins *b = mem_alloc(sizeof(*b));

	b->loop = loop;
	b->kube = kube;
	b->fence = *fence;
	b->timer = loop_timer_new(loop, look, b);
	b->forbidden = map_new();
	if (gethostname(b->instance, sizeof(b->instance) - 1) < 0 || b->instance[0] == '\0')
		str_copy(b->instance, sizeof(b->instance), "airisd");
	return b;
}

void
bulletins_free(struct bulletins *b)
{
	if (b == NULL)
		return;
	if (b->request != 0)
		kube_cancel(b->kube, b->request);
	while (b->first != NULL)
		take_out(b, false, BULLETINS_LATE);
	loop_timer_free(b->timer);
	map_free(b->forbidden, free);
	free(b);
}
