/* Topics: which rollouts are followed, and when their followers are fed. */
#include "api/topic.h"

#include <stdlib.h>
#include <string.h>
#include "api/render.h"
#include "base/jsonx.h"

#define TICK_MS 1000

/* What has ended and is in the journal only cannot change any more, what failed waits for a person;
 * anything else may have an end that is not durable yet, so it is not the last. */
static bool
is_last(const struct engine_look *look)
{
	enum phase phase = look->rollout->phase;
	return phase == PHASE_FAILED || (!look->live && phase_final(phase));
}

static void
render_state(struct api *api, struct topic *topic)
{
	struct engine_look look;
	struct err e;
	topic->dirty = false;
	if (topic->final || engine_look(api->engine, topic->id, &look, &e) < 0)
		return;
	json_t *json = api_rollout_json(&look);
	api_stand(&look, &topic->stand);
	topic->final = is_last(&look);
	engine_look_done(&look);
	char *state = jsonx_dump(json);
	json_decref(json);
	if (topic->state != NULL && strcmp(topic->state, state) == 0) {
		free(state);
		return;
	}
	free(topic->state);
	topic->state = state;
	topic->version++;
}

/* Of one without followers. */
static void
topic_free(void *value)
{
	struct topic *topic = value;
	free(topic->state);
	free(topic);
}

static void
feed_all(void *ctx)
{
	struct api *api = ctx;
	size_t cursor = 0;
	void *value;
	api->flush_due = false;
	while (api->httpd != NULL && map_next(api->topics, &cursor, NULL, &value)) {
		struct topic *topic = value;
		if (topic->dirty)
			render_state(api, topic);
		api_streams_feed(api, topic);
		api_waits_feed(api, topic);
		if (topic->streams == NULL && topic->waits == NULL)
			topic_free(map_remove(api->topics, topic->id));
	}
}

void
api_topics_feed_later(struct api *api)
{
	if (api->flush_due)
		return;
	api->flush_due = true;
	loop_defer(api->loop, feed_all, api);
}

void
api_topic_look(struct api *api, struct topic *topic)
{
	topic->dirty = true;
	topic->final = false; /* one that failed may have been tried again */
	api_topics_feed_later(api);
}

static void
on_tick(void *ctx)
{
	struct api *api = ctx;
	size_t cursor = 0;
	void *value;
	api_token_check(&api->token, false); /* who follows by it may have lost it */
	while (map_next(api->topics, &cursor, NULL, &value)) {
		struct topic *topic = value;
		topic->dirty = true; /* ready counts change without an event */
		api_streams_beat(api, topic);
	}
	feed_all(api);
	if (map_count(api->topics) > 0)
		loop_timer_set(api->tick, TICK_MS);
}

struct topic *
api_topic(struct api *api, const char *id)
{
	struct topic *topic = map_get(api->topics, id);
	if (topic != NULL)
		return topic;
	if (api->tick == NULL)
		api->tick = loop_timer_new(api->loop, on_tick, api);
	if (map_count(api->topics) == 0)
		loop_timer_set(api->tick, TICK_MS);
	topic = mem_alloc(sizeof(*topic));
	str_copy(topic->id, sizeof(topic->id), id);
	map_set(api->topics, id, topic);
	return topic;
}

bool
api_topics_gone(struct api *api, uint64_t number)
{
	size_t cursor = 0;
	void *value;
	while (map_next(api->topics, &cursor, NULL, &value))
		if (api_streams_gone(value, number) || api_waits_gone(value, number)) {
			api_topics_feed_later(api);
			return true;
		}
	return false;
}

void
api_event(struct api *api, const struct journal_row *row)
{
	struct topic *topic = map_get(api->topics, row->key);
	if (topic == NULL || api->httpd == NULL)
		return;
	api_streams_event(api, topic, row);
	api_topic_look(api, topic);
}

void
api_topics_stop(struct api *api)
{
	size_t cursor = 0;
	void *value;
	while (map_next(api->topics, &cursor, NULL, &value)) {
		struct topic *topic = value;
		if (topic->waits != NULL)
			render_state(api, topic);
		api_waits_end(api, topic);
		api_streams_end(api, topic);
	}
	map_free(api->topics, topic_free);
	api->topics = map_new();
	loop_timer_free(api->tick);
	api->tick = NULL;
}
