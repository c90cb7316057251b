/* See wire_traces.h. */
#include "wire_traces.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *
given(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static struct traces_place
place_of(const struct settings_traces *from)
{
	return (struct traces_place){.url = given(from->url),
	    .token_file = given(from->token_file),
	    .ca_file = given(from->ca_file),
	    .headers = (const char *const *)from->headers,
	    .timeout_ms = from->timeout_ms};
}

struct traces *
wire_traces_new(struct loop *loop, struct engine_ports *ports, const struct settings *settings)
{
	struct traces *traces = traces_new(loop, &ports->clock, &ports->journal);
	wire_traces_set(traces, settings);
	ports->traces = traces_port(traces);
	return traces;
}

void
wire_traces_set(struct traces *traces, const struct settings *settings)
{
	struct traces_place place = place_of(&settings->traces);
	traces_set(traces, &place);
}

void
wire_traces_check(const struct settings *settings, struct errlist *errors)
{
	struct traces_place place = place_of(&settings->traces);
	struct err e;
	if (place.url != NULL && traces_check(&place, &e) < 0)
		errlist_add(errors, "traces.url", "%s", e.text);
}

static void
check_file(const char *file, const char *key, struct errlist *errors)
{
	if (file[0] != '\0' && access(file, R_OK) < 0)
		errlist_add(errors, key, "%s: %s", file, strerror(errno));
}

void
wire_traces_check_run(const struct settings *settings, struct errlist *errors)
{
	check_file(settings->traces.token_file, "traces.tokenFile", errors);
	check_file(settings->traces.ca_file, "traces.caFile", errors);
}
