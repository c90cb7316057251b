/* Inside net/ only: what a request and a stream have in common. */
#ifndef CLI_NET_EASY_H
#define CLI_NET_EASY_H

#include <curl/curl.h>
#include "net/client.h"

struct client {
	CURLM *multi;
	const struct settings *settings;
	char actor[160];
	char *authorization; /* the header; NULL: none; a secret */
	int64_t skew_ms;     /* the server's clock less ours */
	void (*idle)(void *ctx);
	void *idle_ctx;
};

/* A handle for GET path, with the settings that never differ; headers are added to. */
CURL *easy_new(struct client *client, const char *path, struct curl_slist **headers);
void easy_free(CURL *easy);
/* The header line, if it is the server's Date, sets the clock right. */
void easy_note_date(struct client *client, const char *line, size_t length);
/* What happened and what to check, for people. Tells if a byte of the request can have left. */
bool easy_explain(const struct client *client, CURL *easy, CURLcode code, struct err *e);
/* Lets curl work and waits up to wait_ms (at most 250) for something to happen. */
void easy_turn(struct client *client, int64_t wait_ms);

#endif
