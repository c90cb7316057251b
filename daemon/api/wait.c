/* Requests that wait for a rollout (long polls): followers of a topic, each answered once, with the
 * state: when what they wait for is there, when their time is over, or when the daemon stops. It is
 * always the state and never an error: whoever has started a rollout by a request must learn its
 * id, and whoever waits asks again after each answer in any case. Who may not see it any more gets
 * 401 instead. */
#include <stdlib.h>
#include <string.h>
#include "api/pending.h"
#include "api/topic.h"
#include "base/clock.h"

/* Proxies cut what is silent for a minute. */
#define WAIT_MAX_MS INT64_C(55000)

struct wait {
	struct wait *next;
	struct api *api;
	struct topic *topic;
	struct loop_timer *timer;
	uint64_t number; /* the request's */
	int64_t after;	 /* for an event after this one; -1: until it stands */
	struct api_mark who;
	bool created;
	bool late, gone;
};

bool
api_ask_wait(struct call *call, int64_t *wait_ms)
{
	const char *text = httpd_query(call->request, "wait");
	int64_t ms = 0;
	if (text == NULL || (str_duration(text, &ms) == 0 && ms <= WAIT_MAX_MS)) {
		*wait_ms = ms;
		return true;
	}
	api_problem(call->api, call->number, CODE_BAD_REQUEST,
	    "wait is \"%.64s\"; allowed: a duration from 0s to 55s, such as 30s; to wait for "
	    "longer "
	    "ask again",
	    text);
	return false;
}

bool
api_place_take(struct call *call)
{
	struct api *api = call->api;
	/* Who floods by TCP must not keep who is at the host from looking. */
	int kept = httpd_is_local(call->request) ? 0 : api->max_followers / 8;
	if (api->followers < api->max_followers - kept) {
		api->followers++;
		return true;
	}
	api_problem(api, call->number, CODE_THROTTLED,
	    "%d streams and waits are open, which is as many as there may be (half of "
	    "limits.connections); nothing was done: close one, try later, or ask without wait for "
	    "JSON",
	    api->followers);
	return false;
}

void
api_place_free(struct api *api)
{
	api->followers--;
}

static void
on_late(void *ctx)
{
	struct wait *wait = ctx;
	wait->late = true;
	api_topic_look(wait->api, wait->topic);
}

void
api_wait(struct api *api, uint64_t number, const char *id, const struct api_wish *wish)
{
	struct wait *wait = mem_alloc(sizeof(*wait));
	int64_t left_ms = wish->until_ms - clock_mono_ms();
	*wait = (struct wait){.api = api,
	    .topic = api_topic(api, id),
	    .timer = loop_timer_new(api->loop, on_late, wait),
	    .number = number,
	    .after = wish->after,
	    .who = *wish->who,
	    .created = wish->created};
	wait->next = wait->topic->waits;
	wait->topic->waits = wait;
	loop_timer_set(wait->timer, left_ms > 0 ? left_ms : 0);
	api_count_waits(api, number);
	api_topic_look(api, wait->topic);
}

void
api_stand(const struct engine_look *look, struct api_stand *stand)
{
	enum phase phase = look->phase;
	stand->cursor = look->rollout->last_seq;
	stand->ended = phase_final(phase) && phase != PHASE_FAILED;
	/* Approval: a stage that is progressing and goes on by a person's word alone. */
	stand->stands = stand->ended || phase == PHASE_FAILED || phase == PHASE_PAUSED ||
			str_equal(look->waiting.object, "Approval");
}

bool
api_stand_fits(const struct api_stand *stand, int64_t after)
{
	return stand->ended || (after < 0 ? stand->stands : stand->cursor > after);
}

static void
answer(struct api *api, const struct topic *topic, const struct wait *wait)
{
	if (!api_still_sees(api, &wait->who))
		api_problem(api, wait->number, CODE_UNAUTHORIZED,
		    "who asks may not look at it any more: the token has ended, or the role");
	else if (topic->state != NULL)
		api_answer_state(api, wait->number, wait->created, topic->id, topic->state);
	else
		api_answer_rollout(api, wait->number, wait->created, topic->id);
}

/* Answered, or gone. */
static bool
is_over(struct api *api, const struct topic *topic, const struct wait *wait, bool stopping)
{
	if (wait->gone)
		return true;
	if (!stopping && !wait->late && !api_stand_fits(&topic->stand, wait->after))
		return false;
	answer(api, topic, wait);
	return true;
}

static void
feed(struct api *api, struct topic *topic, bool stopping)
{
	for (struct wait **at = &topic->waits; *at != NULL;) {
		struct wait *wait = *at;
		if (!is_over(api, topic, wait, stopping)) {
			at = &wait->next;
			continue;
		}
		*at = wait->next;
		loop_timer_free(wait->timer);
		free(wait);
		api_place_free(api);
	}
}

void
api_waits_feed(struct api *api, struct topic *topic)
{
	feed(api, topic, false);
}

bool
api_waits_gone(struct topic *topic, uint64_t number)
{
	for (struct wait *wait = topic->waits; wait != NULL; wait = wait->next)
		if (wait->number == number) {
			wait->gone = true;
			return true;
		}
	return false;
}

void
api_waits_end(struct api *api, struct topic *topic)
{
	feed(api, topic, true);
}
