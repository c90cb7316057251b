/* Spans in the JSON of OTLP/HTTP: ids in hexadecimal, times and whole numbers as texts. Pure. */
#ifndef TRACES_OTLP_H
#define TRACES_OTLP_H

#include <jansson.h>
#include <stdbool.h>
#include "base/str.h"
#include "base/trace.h"

enum otlp_kind { OTLP_INTERNAL = 1, OTLP_CLIENT = 3 };

struct otlp_span {
	const struct trace *trace;
	unsigned char id[TRACE_SPAN], parent[TRACE_SPAN]; /* parent zeros: it is the first */
	const char *name;
	enum otlp_kind kind;
	int64_t begin_ms, end_ms;
	const char *error;  /* NULL: none */
	json_t *attributes; /* taken */
	json_t *marks;	    /* things that happened in it; taken; NULL: none */
	int marks_left_out;
};
json_t *otlp_span(const struct otlp_span *span); /* new reference */

/* To a list of attributes; a text that is "" is left out. */
void otlp_text(json_t *attributes, const char *key, const char *value);
void otlp_number(json_t *attributes, const char *key, int64_t value);
void otlp_mark(json_t *marks, const char *name, int64_t at_ms, json_t *attributes); /* takes them */

/* A request is what is before the first span, spans with commas between, and the end. */
char *otlp_head(const char *host, const char *instance); /* owned by the caller */
extern const char otlp_end[];
/* Of a good answer: how many spans were not taken all the same; why is "" if it does not say. */
int64_t otlp_rejected(const char *body, size_t length, char *why, size_t size);

#endif
