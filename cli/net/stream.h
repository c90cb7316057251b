/* One stream of Server-Sent Events of airisd, on the client's connections. */
#ifndef CLI_NET_STREAM_H
#define CLI_NET_STREAM_H

#include "net/client.h"

struct stream;

/* path encoded; last_id goes into Last-Event-ID (NULL: none). on_message is called from within
 * stream_turn only; it must not close the stream. */
struct stream *stream_open(struct client *client, const char *path, const char *last_id,
    void (*on_message)(void *ctx, const char *event, const char *id, const char *data), void *ctx);
void stream_close(struct stream *stream); /* NULL is fine */
/* Waits up to wait_ms for something to happen; false: the stream has ended. */
bool stream_turn(struct stream *stream, int64_t wait_ms);
const char *stream_error(const struct stream *stream); /* why it ended, for people */
int64_t stream_quiet_ms(const struct stream *stream);  /* how long nothing has come */

#endif
