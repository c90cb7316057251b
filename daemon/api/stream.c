/* Server-Sent Events of rollouts. A stream that is behind (at its start, or because its client is
 * slow) is fed from the journal, page by page, as far as its queue has room; one that is up to date
 * is fed by api_event. So every event comes once and in order, nothing is kept here for slow
 * clients, and one that takes nothing for slow_ms is told to resync and ended. The topic's state is
 * sent to those that have not had it. */
#include <stdlib.h>
#include <string.h>
#include "api/render.h"
#include "api/topic.h"
#include "base/clock.h"
#include "base/jsonx.h"

#define PAGE 200
#define ROOM_KEPT 4096 /* for what must always fit: comments and resync */

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
		api_topics_feed_later(api);
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
		api_place_free(api);
	}
}

void
api_streams_feed(struct api *api, struct topic *topic)
{
	for (struct stream *stream = topic->streams; stream != NULL; stream = stream->next)
		feed(api, topic, stream);
	reap_streams(api, topic);
}

void
api_streams_beat(struct api *api, const struct topic *topic)
{
	int64_t now_ms = clock_mono_ms();
	for (struct stream *stream = topic->streams; stream != NULL; stream = stream->next)
		if (!api_still_sees(api, &stream->who)) {
			send_note(api, stream, ": who asked may not see it any more\n\n");
			end_stream(api, stream);
		} else if (now_ms >= stream->sent_ms + api->heartbeat_ms)
			send_note(api, stream, ": heartbeat\n\n");
}

void
api_stream_open(struct call *call, int64_t after)
{
	static const char *const headers[] = {
	    "Cache-Control: no-store", "X-Content-Type-Options: nosniff", NULL};
	struct api *api = call->api;
	if (!api_place_take(call))
		return;
	struct topic *topic = api_topic(api, call->arg);
	struct stream *stream = mem_alloc(sizeof(*stream));
	*stream = (struct stream){.number = call->number,
	    .next = topic->streams,
	    .cursor = after,
	    .behind = true,
	    .sent_ms = clock_mono_ms()};
	api_mark(call, &stream->who);
	topic->streams = stream;
	api_count_end(api, call->number, 200);
	httpd_stream_start(api->httpd, call->number, "text/event-stream", headers);
	send_note(api, stream, ": airisd\n\n");
	api_topic_look(api, topic);
}

bool
api_streams_gone(struct topic *topic, uint64_t number)
{
	for (struct stream *stream = topic->streams; stream != NULL; stream = stream->next)
		if (stream->number == number) {
			stream->over = true;
			return true;
		}
	return false;
}

void
api_streams_event(struct api *api, struct topic *topic, const struct journal_row *row)
{
	struct str text;
	if (topic->streams == NULL)
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
}

void
api_streams_end(struct api *api, struct topic *topic)
{
	for (struct stream *stream = topic->streams; stream != NULL; stream = stream->next) {
		send_note(api, stream, ": airisd is stopping\n\n");
		end_stream(api, stream);
	}
	reap_streams(api, topic);
}
