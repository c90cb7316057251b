/* Server-Sent Events, taken apart as they arrive, in pieces of any size. */
#ifndef CLI_NET_SSE_H
#define CLI_NET_SSE_H

#include <stdbool.h>
#include "base/str.h"

struct sse {
	struct str line, data;
	char event[64], id[64];
	bool after_cr, has_data, too_big;
	/* event: "message" if the server gave none; id: "" if this one has none. */
	void (*on_message)(void *ctx, const char *event, const char *id, const char *data);
	void *ctx;
};

void sse_init(struct sse *sse,
    void (*on_message)(void *ctx, const char *event, const char *id, const char *data), void *ctx);
void sse_done(struct sse *sse);
void sse_reset(struct sse *sse); /* a new connection: what was half there is forgotten */
/* false: a line or a message is over 4 MiB; the stream is of no use any more. */
bool sse_feed(struct sse *sse, const char *bytes, size_t count);

#endif
