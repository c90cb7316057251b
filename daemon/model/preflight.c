/* Preflight: what was seen and what was asked become one list. */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "model/preflight.h"
#include "model/strategy.h"

#define MORE_BYTES 64 /* room to say how many did not fit */

static void
add_lines(struct errlist *problems, const char *lines)
{
	while (*lines != '\0') {
		size_t length = strcspn(lines, "\n");
		char *line = str_format("%.*s", (int)length, lines);
		findings_add(problems, line);
		free(line);
		lines += length + (lines[length] == '\n');
	}
}

void
preflight_find(const struct app *app, const struct observed *seen, const struct findings *found,
    struct errlist *problems)
{
	app->strategy->preflight(app, seen, problems);
	add_lines(problems, seen->preflight);
	if (found != NULL)
		findings_take(problems, &found->problems);
}

void
preflight_warn(const struct observed *seen, const struct findings *found, struct errlist *warnings)
{
	add_lines(warnings, seen->warnings);
	if (found != NULL)
		findings_take(warnings, &found->warnings);
}

void
preflight_reason(const struct errlist *problems, char *to, size_t size)
{
	size_t length = 0, said = 0;
	to[0] = '\0';
	if (problems->count == 1) {
		str_copy(to, size, problems->items[0].text);
		return;
	}
	for (; said < problems->count; said++) {
		const char *text = problems->items[said].text;
		if (length + strlen(text) + MORE_BYTES >= size)
			break;
		str_print(
		    to + length, size - length, "%s(%zu) %s", said > 0 ? "; " : "", said + 1, text);
		length = strlen(to);
	}
	if (said < problems->count)
		str_print(to + length, size - length, "%s%zu more: see airisctl app preflight",
		    said > 0 ? "; and " : "", problems->count - said);
}
