/* What a server says, shown on a terminal: {"rollout": …, "events": […], "plan": …}. The first byte
 * chooses colours and width. Whatever it is, it is text: no control character of the server's
 * reaches the terminal. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "mutate.h"
#include "base/jsonx.h"
#include "show/events.h"
#include "show/rollout.h"
#include "show/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

MUTATE_JSON(1)

#define NOW_MS INT64_C(1795380162080)

/* Colours are ESC [ numbers m, and only with colours. */
static void
check(const struct paint *paint, struct str *text)
{
	const char *c = str_text(text);

	assert(str_utf8_ok(c, text->length) && strlen(c) == text->length);
	for (; *c != '\0'; c++) {
		if (*c == '\033' && paint->color) {
			assert(c[1] == '[');
			c += 2 + strspn(c + 2, "0123456789;");
			assert(*c == 'm');
		}
		assert((unsigned char)*c >= ' ' || *c == '\n');
		assert(*c != 0x7f);
	}
	str_done(text);
}

static void
show_page(const struct paint *paint, const json_t *rollout, unsigned bits)
{
	struct page page = {.paint = paint,
	    .rollout = rollout,
	    .now_ms = NOW_MS,
	    .full = (bits & 8) != 0,
	    .ladder_rows = (bits & 16) != 0 ? 3 : 0};
	struct str text;

	str_init(&text, 0);
	page_add(&page, &text);
	check(paint, &text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct paint paint = {0};
	json_t *root, *events;
	struct str text;

	if (size < 2)
		return 0;
	root = jsonx_parse((const char *)data + 1, size - 1, size, NULL);
	events = json_object_get(root, "events");
	paint.color = (data[0] & 1) != 0;
	paint.utf8 = (data[0] & 2) != 0;
	paint.width = (data[0] & 4) != 0 ? 1 + data[0] / 2 : 0;
	show_page(&paint, json_object_get(root, "rollout"), data[0]);
	str_init(&text, 0);
	show_events(&paint, events, data[0] / 64, NOW_MS, 2, &text);
	check(&paint, &text);
	show_explain(&paint, json_object_get(root, "rollout"), events, NOW_MS, &text);
	check(&paint, &text);
	show_plan(&paint, json_object_get(root, "plan"), &text);
	check(&paint, &text);
	json_decref(root);
	return 0;
}
