/* A look at traffic. Windows reach from now back to after the weight was sent, never before: so
 * that a window that says something else is either early, and the next one says more, or right.
 * A shorter window than the longest one tells more of now, and less surely: it is asked when the
 * longer one shows something else (as one does that began before the mesh took the weight) or
 * cannot be used. */
#include "mesh/traffic.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "mesh/window.h"

/* Multiples of the usual scrape intervals, so that all counters are read over the same time. */
static const int64_t windows_ms[] = {2000, 5000, 10000, 30000, 60000};
#define WINDOWS ((int)(sizeof(windows_ms) / sizeof(windows_ms[0])))
/* Parts of the patience of fifteen seconds: half a second, three, ten. */
#define PAUSE_PART 30
#define PAUSE_MAX_PART 5
#define LOOK_PARTS 2 / 3

struct traffic {
	struct cluster_mesh *cluster;
	const struct mesh_needs *needs;
	struct app *app; /* shared */
	struct share_wish wish;
	uint64_t number, query; /* query 0: none under way */
	struct ask_done done;
	void (*ended)(void *ctx, uint64_t number);
	void *ended_ctx;
	int64_t since_ms; /* monotonic: the weight was sent then or later */
	int window;	  /* that is asked for */
	int64_t asked_ms; /* monotonic: when */
	struct loop_timer *timer, *deadline;
	bool differs, answered;
	char text[200]; /* of the last window that differs, else of the longest */
};

static int64_t
elapsed_ms(const struct traffic *traffic)
{
	return clock_mono_ms() - traffic->since_ms;
}

/* --- the end ------------------------------------------------------------------------------------
 */

static void
note(const struct traffic *traffic, enum mesh_outcome outcome)
{
	struct traffic_seen *seen = &traffic->cluster->seen;
	static const char *const words[] = {[MESH_OBSERVED] = "taken",
	    [MESH_DIFFERS] = "not taken yet",
	    [MESH_UNREACHABLE] = "cannot tell"};
	seen->looked_ms = clock_wall_ms();
	str_copy(seen->verdict, sizeof(seen->verdict), words[outcome]);
	str_print(seen->text, sizeof(seen->text), "%s/%s: %s", traffic->app->namespace,
	    traffic->app->workload, traffic->text);
}

static void
finish(struct traffic *traffic, enum mesh_outcome outcome)
{
	struct mesh_answer answer = {
	    .outcome = outcome, .at_ms = clock_wall_ms(), .text = traffic->text};
	if (traffic->answered)
		return;
	traffic->answered = true;
	note(traffic, outcome);
	traffic->done.done(traffic->done.ctx, traffic->number, &answer);
	traffic->ended(traffic->ended_ctx, traffic->number);
}

static void
end_open(struct traffic *traffic)
{
	finish(traffic, traffic->differs ? MESH_DIFFERS : MESH_UNREACHABLE);
}

static void
on_deadline(void *ctx)
{
	struct traffic *traffic = ctx;
	if (traffic->text[0] == '\0')
		str_print(traffic->text, sizeof(traffic->text), "data source %s does not answer",
		    traffic->cluster->source);
	end_open(traffic);
}

/* --- windows ------------------------------------------------------------------------------------
 */

static void ask_window(struct traffic *traffic);

static void
next_window(struct traffic *traffic)
{
	if (traffic->window == 0)
		end_open(traffic);
	else {
		traffic->window--;
		ask_window(traffic);
	}
}

/* The first reason stays: it is of the longest window. */
static void
cannot_use(struct traffic *traffic, const struct window *window)
{
	if (traffic->text[0] == '\0')
		str_copy(traffic->text, sizeof(traffic->text), window->text);
	if (window->broken)
		end_open(traffic);
	else
		next_window(traffic);
}

static void
judge(struct traffic *traffic, const struct window *window)
{
	enum share_verdict verdict = share_judge(&traffic->wish, window->seen, window->count);
	char text[sizeof(traffic->text)];
	share_text(&traffic->wish, window->seen, window->count, text, sizeof(text));
	if (verdict == SHARE_TOO_FEW) {
		/* Shorter ones have even less; but what a longer one contradicts stands. */
		if (!traffic->differs)
			str_print(
			    traffic->text, sizeof(traffic->text), "%s: too few to tell", text);
		end_open(traffic);
		return;
	}
	str_copy(traffic->text, sizeof(traffic->text), text);
	if (verdict == SHARE_MATCHES) {
		finish(traffic, MESH_OBSERVED);
		return;
	}
	traffic->differs = true;
	next_window(traffic);
}

static void
on_page(void *ctx, uint64_t number, const struct mesh_page *page)
{
	struct traffic *traffic = ctx;
	struct window window;
	(void)number;
	traffic->query = 0;
	if (traffic->answered)
		return;
	if (page->error != NULL) { /* shorter windows will not be answered either */
		str_copy(traffic->text, sizeof(traffic->text), page->error);
		traffic->differs = false;
		end_open(traffic);
		return;
	}
	struct window_answer answer = {.status = page->status,
	    .body = page->body,
	    .length = page->length,
	    .window_ms = windows_ms[traffic->window],
	    .elapsed_ms = traffic->asked_ms - traffic->since_ms};
	if (window_read(&window, traffic->app, &answer))
		judge(traffic, &window);
	else
		cannot_use(traffic, &window);
}

static void
ask_window(struct traffic *traffic)
{
	const struct mesh_needs *needs = traffic->needs;
	struct err e;
	char *query = window_query(traffic->app, windows_ms[traffic->window], &e);
	if (query == NULL) {
		str_copy(traffic->text, sizeof(traffic->text), e.text);
		finish(traffic, MESH_UNREACHABLE);
		return;
	}
	traffic->asked_ms = clock_mono_ms();
	traffic->query =
	    needs->query(needs->ctx, traffic->cluster->source, query, on_page, traffic);
	free(query);
}

static void
begin(void *ctx)
{
	struct traffic *traffic = ctx;
	traffic->window = WINDOWS - 1;
	while (traffic->window > 0 && windows_ms[traffic->window] > elapsed_ms(traffic))
		traffic->window--;
	loop_timer_set(traffic->deadline, traffic->cluster->patience_ms * LOOK_PARTS);
	ask_window(traffic);
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* About every second at first, slower later, and not before a window fits behind the change. */
static int64_t
pause_ms(const struct traffic *traffic)
{
	int64_t elapsed = elapsed_ms(traffic), pause = elapsed / 8;
	int64_t least = traffic->cluster->patience_ms / PAUSE_PART;
	int64_t most = traffic->cluster->patience_ms / PAUSE_MAX_PART;
	pause = pause < least ? least : pause > most ? most : pause;
	return elapsed + pause < windows_ms[0] ? windows_ms[0] - elapsed : pause;
}

struct traffic *
traffic_new(struct cluster_mesh *cluster, struct loop *loop, const struct mesh_needs *needs,
    const struct mesh_question *question, uint64_t number, const struct ask_done *done,
    void (*ended)(void *ctx, uint64_t number), void *ended_ctx)
{
	struct traffic *traffic = mem_alloc(sizeof(*traffic));
	int64_t sent_ms = question->since_ms > 0 ? question->since_ms : question->changed_ms;
	*traffic = (struct traffic){.cluster = cluster,
	    .needs = needs,
	    .app = app_share(question->app),
	    .wish = question->wish,
	    .number = number,
	    .done = *done,
	    .ended = ended,
	    .ended_ctx = ended_ctx};
	/* From here on the wall clock may jump. */
	int64_t ago_ms = clock_wall_ms() - sent_ms;
	traffic->since_ms = clock_mono_ms() - (ago_ms > 0 ? ago_ms : 0);
	traffic->timer = loop_timer_new(loop, begin, traffic);
	traffic->deadline = loop_timer_new(loop, on_deadline, traffic);
	loop_timer_set(traffic->timer, pause_ms(traffic));
	return traffic;
}

void
traffic_free(struct traffic *traffic)
{
	if (traffic == NULL)
		return;
	if (traffic->query != 0)
		traffic->needs->cancel_query(traffic->needs->ctx, traffic->query);
	loop_timer_free(traffic->timer);
	loop_timer_free(traffic->deadline);
	app_free(traffic->app);
	free(traffic);
}
