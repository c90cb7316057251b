/* watch: streams of changes. A stream reads its kind's history at its own pace; it sleeps
 * (suspended in the HTTP server) while there is nothing to say. */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "select.h"
#include "store.h"

#include <stddef.h>
#include <sys/types.h>

struct watch;
struct MHD_Connection;

struct watch_spec {
	const struct kind *kind;
	char ns[128], version[32];
	struct selector *selector; /* taken over */
	const char *path;	   /* copied */
	uint64_t rv, timeout_s;	   /* 0: any, and half an hour */
	bool bookmarks, table;	   /* table: every object is a Table of one row */
};

void watch_init(uint64_t bookmark_ms);
struct watch *watch_new(const struct watch_spec *spec);
/* Tells which connection the stream goes to. */
void watch_attach(struct watch *w, struct MHD_Connection *c);
/* The content reader and the end of a stream, as libmicrohttpd wants them. Both take the big
 * lock themselves. */
ssize_t watch_read(void *w, uint64_t pos, char *out, size_t max);
void watch_end(void *w);

/* Cuts or mutes the open streams for which match says yes; returns how many. */
size_t watch_cut(
    bool (*match)(const struct kind *, const char *path, const void *), const void *arg);
size_t watch_mute(
    bool (*match)(const struct kind *, const char *path, const void *), const void *arg);
/* Ends all streams, for the program's end. */
void watch_end_all(void);
size_t watch_count(void);

#endif
