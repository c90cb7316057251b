/* Always true: a stream that has ended, for whatever reason, stays ended and says why; opening a
 * new one is its owner's affair. */
#include "net/stream.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "net/easy.h"
#include "net/sse.h"

struct stream {
	struct client *client;
	CURL *easy;
	struct curl_slist *headers;
	struct sse sse;
	bool is_events; /* the status and type are those of a stream */
	bool ended;
	int64_t last_ms; /* monotonic, of the last byte */
	struct err why;
};

static size_t
on_header(char *line, size_t size, size_t count, void *ctx)
{
	struct stream *stream = ctx;
	const char *type = NULL;
	long status = 0;

	easy_note_date(stream->client, line, size * count);
	if (size * count > 2)
		return size * count;
	curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(stream->easy, CURLINFO_CONTENT_TYPE, &type);
	stream->last_ms = clock_mono_ms();
	stream->is_events = status == 200 && type != NULL && str_starts(type, "text/event-stream");
	if (!stream->is_events && status >= 200)
		err_set(&stream->why, "%s answers the events with status %ld",
		    client_server(stream->client), status);
	return size * count;
}

static size_t
on_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
	struct stream *stream = ctx;

	stream->last_ms = clock_mono_ms();
	if (!stream->is_events)
		return 0;
	if (!sse_feed(&stream->sse, bytes, size * count)) {
		err_set(&stream->why, "%s sent a message that is too large",
		    client_server(stream->client));
		return 0;
	}
	return size * count;
}

struct stream *
stream_open(struct client *client, const char *path, const char *last_id,
    void (*on_message)(void *ctx, const char *event, const char *id, const char *data), void *ctx)
{
	struct stream *stream = mem_alloc(sizeof(*stream));
	char line[128];

	stream->client = client;
	stream->last_ms = clock_mono_ms();
	sse_init(&stream->sse, on_message, ctx);
	stream->easy = easy_new(client, path, &stream->headers);
	if (last_id != NULL) {
		str_print(line, sizeof(line), "Last-Event-ID: %s", last_id);
		stream->headers = curl_slist_append(stream->headers, line);
	}
	stream->headers = curl_slist_append(stream->headers, "Accept: text/event-stream");
	curl_easy_setopt(stream->easy, CURLOPT_HTTPHEADER, stream->headers);
	curl_easy_setopt(stream->easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(stream->easy, CURLOPT_WRITEDATA, stream);
	curl_easy_setopt(stream->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(stream->easy, CURLOPT_HEADERDATA, stream);
	curl_multi_add_handle(client->multi, stream->easy);
	return stream;
}

void
stream_close(struct stream *stream)
{
	if (stream == NULL)
		return;
	curl_multi_remove_handle(stream->client->multi, stream->easy);
	easy_free(stream->easy);
	curl_slist_free_all(stream->headers);
	sse_done(&stream->sse);
	free(stream);
}

static void
end(struct stream *stream, CURLcode code)
{
	stream->ended = true;
	if (stream->why.text[0] != '\0')
		return;
	if (code == CURLE_OK)
		err_set(&stream->why, "%s ended the stream", client_server(stream->client));
	else
		easy_explain(stream->client, stream->easy, code, &stream->why);
}

bool
stream_turn(struct stream *stream, int64_t wait_ms)
{
	CURLMsg *message;
	int left;

	easy_turn(stream->client, wait_ms);
	while ((message = curl_multi_info_read(stream->client->multi, &left)) != NULL) {
		if (message->msg == CURLMSG_DONE && message->easy_handle == stream->easy)
			end(stream, message->data.result);
	}
	return !stream->ended;
}

const char *
stream_error(const struct stream *stream)
{
	return stream->why.text;
}

int64_t
stream_quiet_ms(const struct stream *stream)
{
	return clock_mono_ms() - stream->last_ms;
}
