/* Server-Sent Events of rollouts. A stream that is behind (at its start, or because its client is
 * slow) is fed from the journal, page by page, as far as its queue has room; one that is up to date
 * is fed by api_event. So every event comes once and in order, nothing is kept here for slow
 * clients, and one that takes nothing for slow_ms is told to resync and ended.
 *
 * The rollout's state is looked at once for all its streams, at most once a turn after events and
 * once a second otherwise, and sent to those that have not had it. */
#include <stdlib.h>
#include <string.h>
#include "api/api_room.h"
#include "api/render.h"
#include "base/clock.h"
#include "base/jsonx.h"

#define PAGE 200
#define ROOM_KEPT 4096 /* for what must always fit: comments and resync */
#define TICK_MS 1000

struct stream {
	uint64_t number; /* the request's */
	struct stream *next;
	int64_t cursor;	    /* the last event sent */
	uint64_t version;   /* of the state sent; 0: none */
	bool behind;	    /* the journal has more for it */
	int64_t sent_ms;    /* monotonic: when something was last sent */
	int64_t stalled_ms; /* since when nothing fits; 0: it does */
	bool over;
	struct api_mark who;
};

struct topic {
	char id[ID_SIZE];
	struct stream *streams;
	char *state; /* as last rendered; NULL: not yet */
	uint64_t version;
	bool dirty;
	bool final; /* the state is the last one */
};

static void flush(void *ctx);

static void
flush_later(struct api *api)
{
	if (api->flush_due)
		return;
	api->flush_due = true;
	loop_defer(api->loop, flush, api);
}

static bool
push(struct api *api, struct stream *stream, const char *text, size_t length)
{
	stream->sent_ms = clock_mono_ms();
	stream->over = !httpd_stream_send(api->httpd, stream->number, text, length);
	return !stream->over;
}

/* An event or a state. False: it does not fit now. */
static bool
send_text(struct api *api, struct stream *stream, const struct str *text)
{
	if (stream->over)
		return false;
	if (httpd_stream_room(api->httpd, stream->number) < text->length + ROOM_KEPT) {
		if (stream->stalled_ms == 0)
			stream->stalled_ms = clock_mono_ms();
		return false;
	}
	stream->stalled_ms = 0;
	return push(api, stream, str_text(text), text->length);
}

/* A comment or the like: it may take the room that is kept, and says nothing about the client. */
static void
send_note(struct api *api, struct stream *stream, const char *note)
{
	size_t length = strlen(note);
	if (!stream->over && httpd_stream_room(api->httpd, stream->number) >= length)
		(void)push(api, stream, note, length);
}

static void
end_stream(struct api *api, struct stream *stream)
{
	if (!stream->over)
		httpd_stream_end(api->httpd, stream->number);
	stream->over = true;
}

static void
event_text(const struct journal_row *row, struct str *text)
{
	json_t *json = api_event_json(row);
	str_addf(text, "id: %lld\nevent: %s\ndata: ", (long long)row->seq, row->name);
	jsonx_add(text, json);
	str_add(text, "\n\n");
	json_decref(json);
}

struct replay {
	struct api *api;
	struct stream *stream;
	int count;
	bool stalled;
};

static bool
replay_row(void *ctx, const struct journal_row *row)
{
	struct replay *replay = ctx;
	struct str text;
	str_init(&text, 0);
	event_text(row, &text);
	replay->count++;
	replay->stalled = !send_text(replay->api, replay->stream, &text);
	if (!replay->stalled)
		replay->stream->cursor = row->seq;
	str_done(&text);
	return !replay->stalled;
}

/* One page; the rest in a later turn. */
static void
catch_up(struct api *api, const struct topic *topic, struct stream *stream)
{
	struct replay replay = {.api = api, .stream = stream};
	struct err e;
	if (engine_events(api->engine, topic->id, stream->cursor, PAGE, replay_row, &replay, &e) <
	    0)
		return; /* tried again at the next tick */
	stream->behind = replay.stalled || replay.count == PAGE;
	if (stream->behind && !replay.stalled)
		flush_later(api);
}

/* --- state ------------------------------------------------------------------------------------ */

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

static void
send_state(struct api *api, const struct topic *topic, struct stream *stream)
{
	struct str text;
	if (stream->version == topic->version || stream->over)
		return;
	str_init(&text, 0);
	str_addf(&text, "event: state\ndata: %s\n\n", topic->state);
	if (send_text(api, stream, &text))
		stream->version = topic->version;
	str_done(&text);
}

static void
give_up_if_slow(struct api *api, struct stream *stream)
{
	if (stream->stalled_ms == 0 || clock_mono_ms() < stream->stalled_ms + api->slow_ms)
		return;
	send_note(api, stream, "event: resync\ndata: {}\n\n");
	end_stream(api, stream);
}

static void
feed(struct api *api, const struct topic *topic, struct stream *stream)
{
	if (stream->behind)
		catch_up(api, topic, stream);
	if (!stream->behind && topic->state != NULL)
		send_state(api, topic, stream);
	if (topic->final && !stream->behind && stream->version == topic->version)
		end_stream(api, stream);
	give_up_if_slow(api, stream);
}

/* --- topics ----------------------------------------------------------------------------------- */

static void
topic_free(void *value)
{
	struct topic *topic = value;
	while (topic->streams != NULL) {
		struct stream *stream = topic->streams;
		topic->streams = stream->next;
		free(stream);
	}
	free(topic->state);
	free(topic);
}

static void
reap_streams(struct api *api, struct topic *topic)
{
	struct stream **at = &topic->streams;
	while (*at != NULL) {
		struct stream *stream = *at;
		if (!stream->over) {
			at = &stream->next;
			continue;
		}
		*at = stream->next;
		free(stream);
		api->streams--;
	}
}

static void
flush_topic(struct api *api, struct topic *topic)
{
	if (topic->dirty)
		render_state(api, topic);
	for (struct stream *stream = topic->streams; stream != NULL; stream = stream->next)
		feed(api, topic, stream);
	reap_streams(api, topic);
}

static void
flush(void *ctx)
{
	struct api *api = ctx;
	size_t cursor = 0;
	const char *id;
	void *value;
	api->flush_due = false;
	while (api->httpd != NULL && map_next(api->topics, &cursor, &id, &value)) {
		struct topic *topic = value;
		flush_topic(api, topic);
		if (topic->streams == NULL)
			topic_free(map_remove(api->topics, topic->id));
	}
}

static void
beat(struct api *api, struct topic *topic)
{
	int64_t now_ms = clock_mono_ms();
	topic->dirty = true; /* ready counts change without an event */
	for (struct stream *stream = topic->streams; stream != NULL; stream = stream->next)
		if (!api_still_sees(api, &stream->who)) {
			send_note(api, stream, ": who asked may not see it any more\n\n");
			end_stream(api, stream);
		} else if (now_ms >= stream->sent_ms + api->heartbeat_ms)
			send_note(api, stream, ": heartbeat\n\n");
}

static void
on_tick(void *ctx)
{
	struct api *api = ctx;
	size_t cursor = 0;
	void *topic;
	while (map_next(api->topics, &cursor, NULL, &topic))
		beat(api, topic);
	flush(api);
	if (api->streams > 0)
		loop_timer_set(api->tick, TICK_MS);
}

static struct topic *
topic_of(struct api *api, const char *id)
{
	struct topic *topic = map_get(api->topics, id);
	if (topic != NULL)
		return topic;
	topic = mem_alloc(sizeof(*topic));
	str_copy(topic->id, sizeof(topic->id), id);
	map_set(api->topics, id, topic);
	return topic;
}

/* --- the room's doors ------------------------------------------------------------------------- */

void
api_stream_open(struct call *call, int64_t after)
{
	static const char *const headers[] = {
	    "Cache-Control: no-store", "X-Content-Type-Options: nosniff", NULL};
	struct api *api = call->api;
	if (api->streams >= api->max_streams) {
		api_problem(api, call->number, CODE_THROTTLED,
		    "%d streams are open, which is as many as there may be; close one, or ask for "
		    "JSON",
		    api->streams);
		return;
	}
	struct topic *topic = topic_of(api, call->arg);
	struct stream *stream = mem_alloc(sizeof(*stream));
	*stream = (struct stream){.number = call->number,
	    .next = topic->streams,
	    .cursor = after,
	    .behind = true,
	    .sent_ms = clock_mono_ms()};
	api_mark(call, &stream->who);
	topic->streams = stream;
	topic->dirty = true;
	topic->final = false; /* one that failed may have been tried again */
	api_count_end(api, call->number, 200);
	httpd_stream_start(api->httpd, call->number, "text/event-stream", headers);
	send_note(api, stream, ": airisd\n\n");
	if (api->tick == NULL)
		api->tick = loop_timer_new(api->loop, on_tick, api);
	if (api->streams++ == 0)
		loop_timer_set(api->tick, TICK_MS);
	flush_later(api);
}

bool
api_stream_gone(struct api *api, uint64_t number)
{
	size_t cursor = 0;
	void *value;
	while (map_next(api->topics, &cursor, NULL, &value))
		for (struct stream *s = ((struct topic *)value)->streams; s != NULL; s = s->next)
			if (s->number == number) {
				s->over = true;
				flush_later(api);
				return true;
			}
	return false;
}

void
api_event(struct api *api, const struct journal_row *row)
{
	struct topic *topic = map_get(api->topics, row->key);
	struct str text;
	if (topic == NULL || api->httpd == NULL)
		return;
	str_init(&text, 0);
	event_text(row, &text);
	for (struct stream *stream = topic->streams; stream != NULL; stream = stream->next) {
		if (stream->behind || row->seq <= stream->cursor)
			continue;
		if (send_text(api, stream, &text))
			stream->cursor = row->seq;
		else
			stream->behind = true;
	}
	str_done(&text);
	topic->dirty = true;
	flush_later(api);
}

void
api_streams_stop(struct api *api)
{
	size_t cursor = 0;
	void *value;
	while (map_next(api->topics, &cursor, NULL, &value)) {
		struct topic *topic = value;
		for (struct stream *stream = topic->streams; stream; stream = stream->next) {
			send_note(api, stream, ": airisd is stopping\n\n");
			end_stream(api, stream);
		}
	}
	map_free(api->topics, topic_free);
	api->topics = map_new();
	api->streams = 0;
	loop_timer_free(api->tick);
	api->tick = NULL;
}
