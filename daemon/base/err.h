/* The text of a failure, for people. Functions return 0 or -1 and fill a struct err; the
 * floor that gives up logs it once. Texts teach: what was found, what is allowed, what to do. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/mem.h"

struct err {
	char text[1024];
};

/* Always returns -1, so that `return err_set(e, ...)` reads well. e may be NULL. */
int err_set(struct err *e, const char *format, ...) printf_like(2, 3);
/* Puts "context: " before the text. Always returns -1. */
int err_wrap(struct err *e, const char *format, ...) printf_like(2, 3);

/* A list of errors, for checks that report everything at once (settings, apps). */
struct errlist {
	struct err_item {
		char *path; /* such as "strategy.canary.weights[2]"; "" for the whole */
		char *text;
		int line; /* 1-based; 0 unknown */
	} * items;
	size_t count;
};
void errlist_init(struct errlist *list);
void errlist_done(struct errlist *list);
void errlist_add(struct errlist *list, const char *path, const char *format, ...) printf_like(3, 4);

#endif
