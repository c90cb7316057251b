/* What is asked, with X for the counters and W for the window, each series marked by its part:
 *
 *   requests  how much X grew within W; all of it where it was reset or was not there before
 *   new       all of those that were not there before
 *   age       how old the oldest sample at the beginning of W is: requests before it do not count
 *   rest      how old the stalest sample at the end is
 *   least, most   the time between the two samples, of all series
 *
 * One query, so that all of this is of one moment, and by the source's own clock alone. */
#include "mesh/window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "model/verdict.h"

#define COUNTERS                                                                                   \
	"istio_requests_total{reporter=~\"source|destination\","                                   \
	"destination_workload_namespace=\"{{namespace}}\","                                        \
	"destination_workload=~\"{{stable}}|{{canary}}\"}"
#define BEFORE COUNTERS " offset {{window}}"
#define PART(name, query) "label_replace(" query ", \"part\", \"" name "\", \"\", \"\")"
#define SIDES "sum by (reporter, destination_workload) "
#define STALE_MS 1000 /* beyond the window */
#define UNEVEN 0.1
#define COUNT_MAX 1e15

static const char template[] =
    PART("requests", SIDES "((" COUNTERS " - " BEFORE ") >= 0 or " COUNTERS ")") " or " /**/
    PART("new", SIDES "(" COUNTERS " unless " BEFORE ")") " or "			/**/
    PART("age", "max by (reporter) (time() - timestamp(" BEFORE "))") " or "		/**/
    PART("rest", "max by (reporter) (time() - timestamp(" COUNTERS "))") " or "		/**/
    PART("least",
	"min by (reporter) (timestamp(" COUNTERS ") - timestamp(" BEFORE "))") " or " PART("most",
	"max by (reporter) (timestamp(" COUNTERS ") - timestamp(" BEFORE "))");

enum time_part { AGE, REST, LEAST, MOST, TIMES };
static const char *const time_names[TIMES] = {"age", "rest", "least", "most"};
static const char *const reporters[WINDOW_REPORTERS] = {"source", "destination"};

struct reported { /* by one reporter */
	bool there, side[2];
	double requests[2], fresh;
	double times[TIMES]; /* seconds; NaN: no such */
};

struct reader {
	const struct app *app;
	struct reported of[WINDOW_REPORTERS];
	bool odd; /* what was not asked for */
};

char *
window_query(const struct app *app, int64_t window_ms, struct err *e)
{
	const struct query_vars vars = {.app = app->name,
	    .namespace = app->namespace,
	    .stable = app->workload,
	    .canary = app->canary,
	    .window_ms = window_ms};
	char *query = NULL;
	return query_expand(template, &vars, &query, e) < 0 ? NULL : query;
}

/* --- reading ------------------------------------------------------------------------------------
 */

static struct reported *
reporter_of(struct reader *reader, const json_t *labels)
{
	const char *name = jsonx_text_or(labels, "reporter", "");
	for (int i = 0; i < WINDOW_REPORTERS; i++)
		if (strcmp(name, reporters[i]) == 0)
			return &reader->of[i];
	return NULL;
}

static bool
read_count(struct reader *reader, struct reported *reported, const json_t *labels, double value)
{
	const char *workload = jsonx_text_or(labels, "destination_workload", "");
	const char *part = jsonx_text_or(labels, "part", "");
	bool canary = strcmp(workload, reader->app->canary) == 0;
	if ((!canary && strcmp(workload, reader->app->workload) != 0) || value < 0 ||
	    value > COUNT_MAX)
		return false;
	if (strcmp(part, "new") == 0) {
		reported->fresh += value;
		return true;
	}
	reported->requests[canary] += value;
	reported->side[canary] = true;
	return strcmp(part, "requests") == 0;
}

static void
read_series(void *ctx, const json_t *labels, double value)
{
	struct reader *reader = ctx;
	struct reported *reported = reporter_of(reader, labels);
	const char *part = jsonx_text_or(labels, "part", "");
	if (reported == NULL) {
		reader->odd = true;
		return;
	}
	reported->there = true;
	for (int i = 0; i < TIMES; i++)
		if (strcmp(part, time_names[i]) == 0) {
			reported->times[i] = value;
			return;
		}
	reader->odd |= !read_count(reader, reported, labels, value);
}

/* --- may it be used? ----------------------------------------------------------------------------
 */

static bool
no(struct window *window, const char *reporter, const char *why)
{
	str_print(window->text, sizeof(window->text), "reporter %s: %s", reporter, why);
	return false;
}

static bool
times_ok(struct window *window, const struct reported *reported, const char *reporter,
    const struct window_answer *answer)
{
	const double *times = reported->times;
	double window_s = (double)answer->window_ms / 1000;
	char why[120], span[32];
	str_duration_text(answer->window_ms, span, sizeof(span));
	for (int i = 0; i < TIMES; i++)
		if (isnan(times[i])) {
			str_print(why, sizeof(why), "no counter was there %s ago", span);
			return no(window, reporter, why);
		}
	if (times[AGE] * 1000 > (double)answer->elapsed_ms)
		return no(window, reporter, "there are no two samples from after the change yet");
	if (times[REST] > window_s + STALE_MS / 1000.0) {
		str_print(why, sizeof(why), "the newest sample is %.0f s old", times[REST]);
		return no(window, reporter, why);
	}
	if (times[LEAST] < window_s / 2) {
		str_print(why, sizeof(why), "not every counter was read twice within %s", span);
		return no(window, reporter, why);
	}
	if (times[MOST] - times[LEAST] > times[MOST] * UNEVEN)
		return no(window, reporter, "its counters were read at times too far apart");
	return true;
}

static bool
take(struct window *window, const struct reported *reported, const char *reporter,
    const struct window_answer *answer)
{
	double requests = reported->requests[0] + reported->requests[1];
	if (requests < 0.5)
		return true;
	if (!times_ok(window, reported, reporter, answer))
		return false;
	window->seen[window->count++] = (struct share_seen){.reporter = reporter,
	    .requests = llround(reported->requests[0]) + llround(reported->requests[1]),
	    .canary = llround(reported->requests[1]),
	    .proven = llround(requests - reported->fresh),
	    .both = reported->side[0] && reported->side[1]};
	return true;
}

bool
window_read(struct window *window, const struct app *app, const struct window_answer *answer)
{
	struct reader reader = {.app = app};
	struct reading reading;
	bool there = false, ok = true;
	*window = (struct window){0};
	for (int i = 0; i < WINDOW_REPORTERS; i++)
		for (int j = 0; j < TIMES; j++)
			reader.of[i].times[j] = NAN;
	reading_series(
	    answer->body, answer->length, answer->status, read_series, &reader, &reading);
	window->broken = reading.verdict != VERDICT_PASS || reader.odd;
	if (window->broken) {
		str_copy(window->text, sizeof(window->text),
		    reader.odd ? "the answer has series that were not asked for" : reading.text);
		return false;
	}
	for (int i = 0; i < WINDOW_REPORTERS && ok; i++) {
		there |= reader.of[i].there;
		ok = take(window, &reader.of[i], reporters[i], answer);
	}
	if (ok && window->count == 0)
		str_print(window->text, sizeof(window->text),
		    there ? "%s/%s and its canary got no requests"
			  : "no istio_requests_total of %s/%s and its canary",
		    app->namespace, app->workload);
	return ok && window->count > 0;
}
