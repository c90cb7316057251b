/* The text of a failure. Always true: the text ends within its room and never in the middle of
 * a UTF-8 character, so it can go into JSON as it is. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/str.h"

/* Through a buffer of its own, because the arguments may point into e->text. */
static void
put_text(struct err *e, const char *format, va_list args)
{
	char text[4 * sizeof(e->text)];

	vsnprintf(text, sizeof(text), format, args);
	str_copy(e->text, sizeof(e->text), text);
}

int
err_set(struct err *e, const char *format, ...)
{
	va_list args;

	if (e == NULL)
		return -1;
	va_start(args, format);
	put_text(e, format, args);
	va_end(args);
	return -1;
}

int
err_wrap(struct err *e, const char *format, ...)
{
	struct err context;
	va_list args;

	if (e == NULL)
		return -1;
	va_start(args, format);
	put_text(&context, format, args);
	va_end(args);
	return err_set(e, "%s: %s", context.text, e->text);
}

void
errlist_init(struct errlist *list)
{
	*list = (struct errlist){0};
}

void
errlist_done(struct errlist *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].path);
		free(list->items[i].text);
	}
	free(list->items);
	errlist_init(list);
}

void
errlist_add(struct errlist *list, const char *path, const char *format, ...)
{
	struct err e;
	va_list args;

	va_start(args, format);
	put_text(&e, format, args);
	va_end(args);
	list->items = mem_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = (struct err_item){
	    .path = mem_strdup(path == NULL ? "" : path),
	    .text = mem_strdup(e.text),
	};
}
