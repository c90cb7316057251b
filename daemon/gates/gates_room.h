/* Inside of the room: sources, measurements, and the files that secrets are in. Measurements know
 * their source; a source knows only those that wait for it. Numbers, not pointers, go to httpc. */
#ifndef GATES_GATES_ROOM_H
#define GATES_GATES_ROOM_H

#include <sys/types.h>
#include <time.h>
#include "base/map.h"
#include "gates/gates.h"
#include "http/httpc.h"

enum {
	GATES_RUNNING = 16,   /* measurements of one source at a time */
	GATES_WAITING = 1024, /* and those that wait for it */
	GATES_BODY = 4 * 1024 * 1024,
	GATES_SKEW_MS = 5000, /* a clock that is further off makes its data no data */
	GATES_RETRY_MS = 100
};

/* A small file that is read again when it changed. */
struct gates_file {
	char *path; /* NULL: none */
	char *text; /* NULL: not read yet */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};
void gates_file_set(struct gates_file *file, const char *path);
void gates_file_done(struct gates_file *file);
/* file->text is as the file is now; at most limit bytes. secret: one line, trimmed, not empty. */
must_check int gates_file_read(struct gates_file *file, size_t limit, bool secret, struct err *e);

struct gates_measurement;

struct gates_origin { /* a source as it lives here */
	struct gates *gates;
	char name[APP_LABEL];
	char *url, *username;
	char *headers[GATES_HEADERS + 1];
	struct gates_file ca, password, token;
	int64_t timeout_ms;
	struct gates_measurement *first, *last; /* that wait, oldest first */
	bool starting;
	struct gates_health health;
	struct loop_timer *probe_timer;
	uint64_t probe; /* number of the request; 0: none */
	int64_t probe_sent_ms;
};

struct gates {
	struct loop *loop;
	struct httpc_pool *pool;
	struct gates_origin **origins;
	size_t count;
	struct map *measurements; /* by their numbers */
	struct map *parts;	  /* by the numbers of their requests */
	struct map *queries;	  /* of other rooms, by their numbers */
	struct map *requests;	  /* of these, by the numbers of their requests */
	uint64_t last_number;
};

struct gates_origin *gates_origin_new(struct gates *gates, const struct gates_source *source);
void gates_origin_set(struct gates_origin *origin, const struct gates_source *source);
void gates_origin_free(struct gates_origin *origin); /* nothing may wait or run */
/* Sends a query; *number is httpc's. traceparent "": it is of no trace. time_ms 0: the source's own
 * now. */
must_check int gates_origin_ask(struct gates_origin *origin, const char *query,
    const char *traceparent, int64_t time_ms, int64_t timeout_ms,
    void (*on_done)(void *ctx, const struct httpc_answer *answer), uint64_t *number, struct err *e);
/* Keeps the source's health. text says why it failed, for people; unused for a success. */
void gates_origin_note(struct gates_origin *origin, bool ok, const char *text);
/* Keeps it of an answer. Whether that is a working source's, even if it refuses the query; text
 * says why not. */
bool gates_origin_heard(
    struct gates_origin *origin, const struct httpc_answer *answer, char *text, size_t size);
void gates_answer_text(const struct httpc_answer *answer, char *text, size_t size);

void gates_probe_start(struct gates_origin *origin);
void gates_probe_stop(struct gates_origin *origin);

uint64_t gates_measure(void *ctx, const struct gate_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct gate_sample *sample),
    void *done_ctx);
void gates_cancel(void *ctx, uint64_t number);
/* Ends all measurements of a source that goes, with an answer to each. */
void gates_measurements_end(struct gates_origin *origin, const char *why);
void gates_measurements_free(struct gates *gates); /* without answers */

void gates_run_next(struct gates_origin *origin); /* it has a place for one that waits */

/* gates_query.c: the same for other rooms' queries. */
void gates_queries_end(struct gates_origin *origin, const char *why);
void gates_queries_free(struct gates *gates);

struct gates_origin *gates_find(const struct gates *gates, const char *name);

#endif
