/* A table of keys: what may stand in an object that a user wrote, where its value goes, what it is
 * when it is not given, and one line of help. The same table parses, checks, fills in defaults and
 * writes the reference. All errors are collected; none stops the reading of the rest. */
#ifndef BASE_KEYS_H
#define BASE_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

#define KEYS_LABEL 64 /* RFC 1123 label and NUL */
#define KEYS_LABEL_PATTERN "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

struct key;

/* Where the reader is, and what was wrong so far. */
struct keys_at {
	struct errlist *errors;
	char path[512]; /* "strategy.canary.weights[2]" */
};

struct key_type {
	const char *name; /* "duration such as 5m"; reads well after "expected: " */
	bool bare;	  /* defaults are written as JSON, not as text */
	/* JSON Schema of what it takes, without what the key says; NULL: the key says it all, or it
	 * is nowhere published. It refuses nothing that parse takes. */
	const char *schema;
	/* Checks value and stores it at slot; adds to at->errors and leaves slot alone if bad. */
	void (*parse)(const struct key *key, const json_t *value, void *slot, struct keys_at *at);
};

struct key {
	const char *name; /* NULL ends the table */
	const struct key_type *type;
	const char *otherwise; /* the default, as text; NULL: none */
	const char *help;
	size_t offset;	  /* of the slot in the record that the table is for */
	int64_t min, max; /* numbers: range; durations: ms; texts: max is the room in bytes */
	const char *const *choices; /* NULL-terminated */
	const struct key *inside;   /* of an object (same record) or of a list's items */
	void *(*add)(
	    void *record); /* list: room for one more item; NULL: full (max says how many) */
	bool required;
};

/* Types and their slots. */
extern const struct key_type keys_text;	    /* char[max]: one line, not empty */
extern const struct key_type keys_label;    /* char[KEYS_LABEL]: DNS label */
extern const struct key_type keys_name;	    /* char[max]: DNS name */
extern const struct key_type keys_int;	    /* int */
extern const struct key_type keys_real;	    /* double */
extern const struct key_type keys_duration; /* int64_t, ms */
extern const struct key_type keys_bool;	    /* bool */
extern const struct key_type keys_choice;   /* int: index into choices, as in the enum */
extern const struct key_type keys_either;   /* bool: false is the first choice, true the second */
extern const struct key_type keys_object;   /* the record itself */
extern const struct key_type keys_list;	    /* slot: the record, given to add */

void keys_read(const struct key *table, const json_t *object, void *record, struct keys_at *at);

#define keys_error(at, ...) errlist_add((at)->errors, (at)->path, __VA_ARGS__)
/* "expected: duration such as 5m (0s to 30d); found: the text \"x\"" */
void keys_wrong(struct keys_at *at, const struct key *key, const json_t *found);
/* One step down and back: size_t mark = keys_enter(at, "weight"), keys_leave(at, mark). */
size_t keys_enter(struct keys_at *at, const char *key);
size_t keys_enter_item(struct keys_at *at, size_t index);
void keys_leave(struct keys_at *at, size_t mark);

/* What a key may be: "whole number from 4 to 10000", "debug | info | warn | error". */
void keys_allowed(const struct key *key, struct str *to);
/* A line per key below prefix: path, type, default, help. */
void keys_reference(const struct key *table, const char *prefix, struct str *to);
/* JSON Schema of an object that the table reads. What needs more than one key is not in it, and
 * lengths are in characters there and in bytes here. New reference. */
json_t *keys_schema(const struct key *table);

/* The candidate that looks most like text, for "did you mean"; NULL: none does. */
const char *keys_nearest(const char *text, const char *const *candidates, size_t count);

#endif
