/* The live display: the page, painted again when something changes and every second, with a line
 * below about the connection. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "show/rollout.h"
#include "show/term.h"
#include "show/views.h"
#include "signals.h"

struct live {
	struct cli *cli;
	struct term *term;
	json_t *rollout;
	char trouble[1100]; /* with the connection; "": none */
	int64_t trouble_ms; /* since (monotonic) */
	int64_t painted_ms; /* the second painted last */
	bool dirty;
};

struct live *
live_open(struct cli *cli)
{
	struct live *live = mem_alloc(sizeof(*live));

	live->cli = cli;
	live->painted_ms = -1;
	live->term = term_open(STDOUT_FILENO, &cli->paint);
	signals_catch_stop(true);
	return live;
}

static int
count_lines(const struct str *text)
{
	int lines = 0;

	for (size_t i = 0; i < text->length; i++)
		lines += text->data[i] == '\n';
	return lines;
}

static void
add_trouble(const struct live *live, struct str *to)
{
	struct str text;

	if (live->trouble[0] == '\0')
		return;
	str_init(&text, 0);
	str_addf(&text, "no connection for %llds, trying again: %s",
	    (long long)(clock_mono_ms() - live->trouble_ms) / 1000, live->trouble);
	str_add(to, "\n");
	paint_addf(&live->cli->paint, to, RED, "  %s ", paint_mark(&live->cli->paint, MARK_FAIL));
	paint_wrap(&live->cli->paint, to, 4, 4, str_text(&text));
	str_done(&text);
}

static void
make(const struct live *live, int ladder_rows, struct str *to)
{
	struct page page = {.paint = &live->cli->paint,
	    .rollout = live->rollout,
	    .now_ms = client_now_ms(live->cli->client),
	    .ladder_rows = ladder_rows};

	page_add(&page, to);
	add_trouble(live, to);
}

static void
paint(struct live *live)
{
	const struct paint *window = &live->cli->paint;
	int rows = (int)json_array_size(json_object_get(live->rollout, "ladder"));
	int over;
	struct str text;

	if (live->rollout == NULL)
		return;
	str_init(&text, 0);
	make(live, 0, &text);
	over = count_lines(&text) - (window->height - 1);
	if (window->height > 0 && over > 0) {
		str_clear(&text);
		make(live, rows - over < 3 ? 3 : rows - over, &text);
	}
	term_paint(live->term, str_text(&text));
	str_done(&text);
	live->dirty = false;
}

static void
on_tick(void *ctx)
{
	struct live *live = ctx;
	int64_t second = client_now_ms(live->cli->client) / 1000;

	if (signals_stop_asked()) {
		signals_catch_stop(false);
		term_stop(live->term);
		signals_catch_stop(true);
		live->dirty = true;
	}
	if (signals_resized() || live->dirty) {
		paint_measure(&live->cli->paint, STDOUT_FILENO);
		live->dirty = true;
	}
	if (!live->dirty && second == live->painted_ms)
		return;
	live->painted_ms = second;
	paint(live);
}

static void
on_state(void *ctx, const json_t *rollout)
{
	struct live *live = ctx;

	json_decref(live->rollout);
	live->rollout = json_incref((json_t *)rollout);
	live->dirty = true;
}

static void
on_link(void *ctx, bool up, const char *text)
{
	struct live *live = ctx;

	live->trouble_ms = clock_mono_ms();
	str_copy(live->trouble, sizeof(live->trouble), up ? "" : text);
	live->dirty = true;
}

void
live_close(struct live *live)
{
	live->trouble[0] = '\0';
	paint(live);
	term_close(live->term);
	signals_catch_stop(false);
	json_decref(live->rollout);
	free(live);
}

const struct view live_view = {.state = on_state, .link = on_link, .tick = on_tick};
