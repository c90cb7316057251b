/* Lists of findings, in which each thing stands once. */
#include <stdbool.h>
#include <string.h>
#include "model/findings.h"

void
findings_done(struct findings *findings)
{
	errlist_done(&findings->problems);
	errlist_done(&findings->warnings);
}

/* Two may see the same; the one that says more of it may be either. */
static bool
is_said(const struct errlist *list, const char *line)
{
	for (size_t i = 0; i < list->count; i++)
		if (strstr(list->items[i].text, line) != NULL ||
		    strstr(line, list->items[i].text) != NULL)
			return true;
	return false;
}

void
findings_add(struct errlist *to, const char *line)
{
	if (line[0] != '\0' && !is_said(to, line))
		errlist_add(to, "", "%s", line);
}

void
findings_take(struct errlist *to, const struct errlist *from)
{
	for (size_t i = 0; i < from->count; i++)
		findings_add(to, from->items[i].text);
}
