/* Gates on Prometheus: the daemon's data sources behind ports/gate.h. A source is named in the
 * settings; apps pick a name, never a URL. Every question gets exactly one answer, in a later turn
 * and within its source's timeout, whatever the source does. */
#ifndef GATES_GATES_H
#define GATES_GATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/histogram.h"
#include "loop/loop.h"
#include "model/app.h"
#include "ports/gate.h"

#define GATES_HEADERS 16

struct gates_source {
	const char *name;
	const char *url;	    /* http(s)://HOST[:PORT][/PREFIX]; /api/v1/query is added */
	const char *ca_file;	    /* PEM; NULL: the system's */
	const char *username;	    /* with password_file; NULL: no basic authentication */
	const char *password_file;  /* all files are read again when they change */
	const char *token_file;	    /* bearer; NULL: none */
	const char *const *headers; /* "Name: value" …, NULL-terminated; may be NULL */
	int64_t timeout_ms;	    /* of a whole measurement; 0: 10 s */
};

struct gates;

/* What is wrong with one source, for `--check`. Files are not opened. */
must_check int gates_source_check(const struct gates_source *source, struct err *e);

/* Sources are copied; they must be checked and have different names. */
struct gates *gates_new(struct loop *loop, const struct gates_source *sources, size_t count);
void gates_free(struct gates *gates); /* no more answers come; NULL is allowed */
/* Questions under way on a source that is gone are answered with an error; others go on. */
void gates_reload(struct gates *gates, const struct gates_source *sources, size_t count);
void gates_port(struct gates *gates, struct gate_port *port); /* as long as gates lives */

/* What a source answered to one query: error NULL, or no answer and why; borrowed. */
struct gates_answer {
	int status;
	const char *body;
	size_t length;
	const char *error;
};
/* Asks a source one query, for its own now, with all that its settings say; within timeout_ms or
 * the source's, whichever is less. Never calls back before it returned; done comes once. */
uint64_t gates_query(struct gates *gates, const char *source, const char *query, int64_t timeout_ms,
    void (*done)(void *done_ctx, uint64_t number, const struct gates_answer *answer),
    void *done_ctx);
void gates_query_cancel(struct gates *gates, uint64_t number); /* then it never comes */

/* Each source is also asked by ourselves once a minute, whether gates use it or not. */
struct gates_health {
	char name[APP_LABEL];
	bool known;			/* it was asked at least once */
	bool ok;			/* the last answer was one */
	char text[256];			/* "" when ok */
	int64_t success_ms, failure_ms; /* wall clock of the last ones; 0: never */
	int64_t skew_ms; /* its clock minus ours; 0 while that is within what can be measured */
	uint64_t asked, failed; /* requests */
	struct histogram took;	/* those that were sent and not given up */
	int running, waiting;	/* measurements */
};
/* Fills at most room entries; the number of sources. */
size_t gates_health(const struct gates *gates, struct gates_health *to, size_t room);

#endif
