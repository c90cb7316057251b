/* A strategy does no work: it compiles an app and what was seen at the start into a ladder. Adding
 * one is one file and one line of the table; nothing outside model/ asks which one runs. */
#ifndef MODEL_STRATEGY_H
#define MODEL_STRATEGY_H

#include "model/baseline.h"
#include "model/ladder.h"
#include "model/observed.h"

struct strategy {
	const char *name; /* its key under `strategy:` */
	void (*compile)(
	    const struct app *app, const struct baseline *baseline, struct ladder *ladder);
	/* What of the observed forbids a start; each problem is one sentence for people. */
	void (*preflight)(
	    const struct app *app, const struct observed *seen, struct errlist *problems);
};

extern const struct strategy strategy_canary, strategy_blue_green, strategy_rolling;

const struct strategy *strategy_find(const char *name); /* NULL: no such */
/* Each by its place in the table, for who counts by strategy. */
#define STRATEGIES 3
const struct strategy *strategy_at(int place);
int strategy_place(const struct strategy *strategy);
const char *strategy_names(void); /* for error texts: "canary, blueGreen, rolling" */

#endif
