/* What a gate's first answer means before anything depends on it. */
#include <stdio.h>
#include "base/str.h"
#include "model/trial.h"

/* Once for all the gates of a source, so without a gate's name. */
static void
warn_source(const char *text, struct findings *found)
{
	char line[512];

	str_print(line, sizeof(line),
	    "%s: as long as that lasts, stages that wait for gates on it do not go on", text);
	findings_add(&found->warnings, line);
}

/* Of the new pods of a canary there is nothing yet; of those that roll there should be. */
static bool
misses_data(const struct app *app, const struct gate_spec *gate, const struct gate_sample *sample)
{
	return sample->verdict == VERDICT_NO_DATA && app->rolls &&
	       gate->on_deadline == DEADLINE_ABORT;
}

void
trial_judge(const struct app *app, const struct gate_spec *gate, const struct gate_sample *sample,
    struct findings *found)
{
	if (sample->source_ill)
		warn_source(sample->text, found);
	else if (sample->refused)
		errlist_add(&found->problems, "",
		    "gate %s: data source %s does not take its query: %s; correct it in the App",
		    gate->name, gate->source, sample->text);
	else if (sample->verdict == VERDICT_ERROR)
		errlist_add(&found->warnings, "",
		    "gate %s: data source %s: %s: as long as that lasts, no stage that waits for "
		    "it goes on",
		    gate->name, gate->source, sample->text);
	else if (misses_data(app, gate, sample))
		errlist_add(&found->warnings, "",
		    "gate %s has no data now: %s: if that lasts until its deadline, the rollout is "
		    "aborted",
		    gate->name, sample->text);
}

void
trial_unanswered(const struct gate_spec *gate, int seconds, struct findings *found)
{
	char text[128];

	str_print(
	    text, sizeof(text), "data source %s: no answer within %d s", gate->source, seconds);
	warn_source(text, found);
}
