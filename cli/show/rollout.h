/* A rollout as a page: who and what, the ladder, the weights, both sides, the gates, what it waits
 * for. The same page is `status` and, painted again and again, the live display. */
#ifndef CLI_SHOW_ROLLOUT_H
#define CLI_SHOW_ROLLOUT_H

#include <jansson.h>
#include "show/paint.h"

struct page {
	const struct paint *paint;
	const json_t *rollout;
	int64_t now_ms;	 /* of the server */
	bool full;	 /* with what each stage measured */
	int ladder_rows; /* at most so many lines for the ladder; 0: all */
};

void page_add(const struct page *page, struct str *to);

/* Pieces that other displays use as well. */
enum style phase_style(const char *phase);
enum mark phase_mark(const char *phase);
/* "web/42", or the id while there is no release. */
void rollout_name(const json_t *rollout, char *to, size_t size);
/* Like "5.1", or a dash when it is null. */
void value_text(const struct paint *paint, const json_t *value, char *to, size_t size);
const char *verdict_text(const char *verdict); /* for people: "no data" */
enum style verdict_style(const char *verdict);
/* "for 1m20s, until 12:10:00 (8m40s left); next: aborts at the deadline"; "" if nothing is known.
 */
void blocked_when(const json_t *blocked, int64_t now_ms, struct str *to);
/* What the current stage waits for by itself: "hold 5m, 3m41s left", "settling", … */
void stage_wait(const json_t *rollout, const json_t *step, int64_t now_ms, struct str *to);
/* "a, b, c" of an array of texts. */
void names_add(const json_t *array, struct str *to);

#endif
