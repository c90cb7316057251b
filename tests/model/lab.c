/* Looking, deciding, writing down: as daemon/engine does it, without time and without disk. */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/yaml.h"
#include "laws.h"
#include "model/gate.h"
#include "reduce.h"
#include "world.h"

#define LOOKS_MAX 16

static const struct mesh_asking asking = {
    .way = {MESH_ISTIOD, MESH_ISTIOD, MESH_ISTIOD, MESH_ISTIOD}, .heard_ms = NOW_MS};

void
lab_say(struct lab *lab, const char *format, ...)
{
	va_list args;
	if (lab->tell == NULL)
		return;
	va_start(args, format);
	char *text = str_vformat(format, args);
	va_end(args);
	str_addf(lab->tell, "        %s\n", text);
	free(text);
}

/* The first one counts. */
void
lab_bad(struct lab *lab, const char *format, ...)
{
	va_list args;
	if (lab->bad[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(lab->bad, sizeof(lab->bad), format, args);
	va_end(args);
}

static void
give_up(const char *what, const char *why)
{
	fprintf(stderr, "model-check: %s: %s\n", what, why);
	exit(2);
}

static void
fold_event(struct lab *lab, const struct event *event)
{
	struct err e;
	if (rollout_fold(lab->r, event, &e) < 0)
		lab_bad(lab, "I7: the fold refuses \"%s\": %s", event_name(event->kind), e.text);
}

void
lab_fold(struct lab *lab, enum event_kind kind, json_t *data)
{
	struct event event = {.kind = kind, .at_ms = NOW_MS, .actor = "", .data = data};
	fold_event(lab, &event);
	json_decref(data);
}

/* --- beginning --------------------------------------------------------------------------------
 */

static char *
colours_spec(const struct config *config)
{
	return str_format("{kind: App, name: web, namespace: shop, workload: {name: web},\n"
			  " traffic: {%s}, strategy: {blueGreen: {watch: 1h, drain: 1h,\n"
			  "  keep: 1h, deadline: 10h}}, %s}",
	    config->weighs ? "istio: {virtualService: web}" : "service: {}", config->more);
}

static char *
canary_spec(const struct config *config)
{
	return str_format("{kind: App, name: web, namespace: shop, workload: {name: web},\n"
			  " traffic: {istio: {virtualService: web, mode: %s}},\n"
			  " strategy: {canary: {weights: [20, 50, 80, 100], hold: 1h, drain: 1h,\n"
			  "  deadline: 10h%s}}, %s %s}",
	    config->subset ? "subset" : "host",
	    config->shrinks ? ", shrinkStable: true, headroom: 0" : "", config->more,
	    config->gate ? "gates: [{name: g, prometheus: {query: up, pass: '> 0'}, failures: 0, "
			   "deadline: 30d}]"
			 : "");
}

static char *
nodes_spec(const struct config *config)
{
	return str_format(
	    "{kind: App, name: web, namespace: shop, workload: {kind: %s, name: web},\n"
	    " strategy: {rolling: {hold: 1h, deadline: 10h%s}}, %s}",
	    config->nodes ? "DaemonSet" : "StatefulSet",
	    config->backup ? ", backup: {cronJob: b}" : "", config->more);
}

static char *
rolling_spec(const struct config *config)
{
	if (config->ordinals || config->nodes)
		return nodes_spec(config);
	return str_format(
	    "{kind: App, name: web, namespace: shop, workload: {name: web},\n"
	    " strategy: {rolling: {batches: [1, 100%%], surge: 1, hold: 1h, deadline: 10h%s}}, %s}",
	    config->backup ? ", backup: {cronJob: b}" : "", config->more);
}

static json_t *
make_spec(const struct config *config)
{
	char *text = config->colours ? colours_spec(config)
		     : config->rolls ? rolling_spec(config)
				     : canary_spec(config);
	json_t *spec;
	struct err e;
	if (yaml_parse(text, strlen(text), &spec, NULL, &e) < 0)
		give_up("the app", e.text);
	free(text);
	return spec;
}

static void
look(const struct lab *lab, const struct state *s, struct observed *seen)
{
	if (s->outage == NOTHING_YET)
		*seen = (struct observed){.stale = "the lists are not read yet"};
	else
		world_look(lab->config, s->outage ? &s->seen : &s->c, s->outage == SEES, seen);
}

void
lab_begin(struct lab *lab, const struct config *config, struct state *first)
{
	struct release release = {.app = "web", .number = 2, .image = "web:2"};
	*lab = (struct lab){.config = config, .r = rollout_new("r-model")};
	world_begin(config, first);
	lab_fold(lab, EVENT_CREATED,
	    json_pack("{s:o, s:o}", "app", make_spec(config), "release", release_json(&release)));
	lab_think(lab, first);
	if (lab->bad[0] != '\0' || !lab->r->compiled)
		give_up("the beginning", lab->bad);
	first->k.cleared = CLEARED_ALL;
	first->k.rung = config->colours; /* the preview is not held: what judges it is not here */
	reduce(config, lab->r, &first->r);
}

void
lab_end(struct lab *lab)
{
	rollout_free(lab->r);
}

void
lab_open(struct lab *lab, const struct state *s)
{
	lab->bad[0] = '\0';
	lab->retried = false;
	lab->waiting.object[0] = lab->waiting.next[0] = '\0';
	restore(lab->config, &s->r, lab->r);
}

/* What no rule can tell apart is one state. */
void
lab_close(struct lab *lab, struct state *s)
{
	if (s->flight == LANDED)
		s->fresh = 0;
	if (!s->outage)
		s->seen = (struct cluster){0};
	reduce(lab->config, lab->r, &s->r);
	if (phase_final(lab->r->phase))
		s->flight = LANDED, s->overtaken = s->adrift = (struct act_on_way){0};
}

/* --- a look -----------------------------------------------------------------------------------
 */

static void
abort_begins(struct lab *lab, struct state *s)
{
	s->k.fresh_abort = 1;
	s->k.alone = 0;
	/* What waits for the journal is not sent at all. */
	if (s->flight == WRITTEN && !lab->r->attempt.act.urgent)
		s->flight = LANDED;
}

static int
fold_decision(struct lab *lab, struct state *s, struct decision *decision)
{
	int news = 0;
	for (int i = 0; i < decision->events.count; i++) {
		struct event *event = &decision->events.list[i];
		enum phase before = lab->r->phase;
		if (event->kind == EVENT_WAITS)
			continue; /* for people only */
		news++;
		laws_event(lab, s, event);
		fold_event(lab, event);
		if (lab->tell != NULL && event->kind != EVENT_ACT) {
			char *text = json_dumps(event->data, JSON_COMPACT);
			lab_say(lab, "airisd notes %s %s", event_name(event->kind),
			    event->kind == EVENT_COMPILED ? "" : text);
			free(text);
		}
		if (lab->r->phase != before && lab->r->phase == PHASE_ABORTING)
			abort_begins(lab, s);
	}
	return news;
}

static void
choose(struct lab *lab, struct state *s, const struct reduced *before, const struct act *act)
{
	char text[400];
	act_text(act, lab->r->app, text, sizeof(text));
	lab_say(lab, "airisd writes down%s: %s", act->urgent ? " (urgent)" : "", text);
	laws_choice(lab, s, act);
	if (s->flight == ON_WAY) /* an abort overtakes it */
		s->overtaken =
		    (struct act_on_way){before->act, before->number, before->text, s->fresh};
	s->flight = WRITTEN;
	s->fresh = 0;
	s->k.fresh_abort = 0;
}

static bool
look_once(struct lab *lab, struct state *s, const char *by)
{
	struct observed seen;
	struct decision decision;
	struct reduced before = {0};
	struct situation at = {.rollout = lab->r,
	    .seen = &seen,
	    .now_ms = NOW_MS,
	    .settle_ms = SETTLE_MS,
	    .mesh = lab->config->asks ? &asking : NULL,
	    .under_way = s->flight == ON_WAY || s->overtaken.act != ACT_NONE,
	    .superseded_by = by};
	look(lab, s, &seen);
	if (s->flight == ON_WAY)
		reduce(lab->config, lab->r, &before);
	decide(&at, &decision);
	int news = fold_decision(lab, s, &decision);
	events_done(&decision.events);
	if (decision.act.kind != ACT_NONE)
		choose(lab, s, &before, &decision.act);
	lab->waiting = decision.waiting;
	return news > 0 && decision.act.kind == ACT_NONE;
}

static void
think(struct lab *lab, struct state *s, const char *by)
{
	int looks = 0;
	laws_before_look(lab, s);
	while (!s->down && look_once(lab, s, by) && lab->bad[0] == '\0')
		if (++looks == LOOKS_MAX) {
			lab_bad(lab, "it does not come to rest: %s", lab->waiting.what);
			return;
		}
	laws_after_look(lab, s);
}

void
lab_think(struct lab *lab, struct state *s)
{
	think(lab, s, NULL);
}

void
lab_supersede(struct lab *lab, struct state *s)
{
	think(lab, s, "r-newer");
}

/* --- what happens to it ------------------------------------------------------------------------
 */

bool
lab_command(struct lab *lab, struct state *s, enum command command, bool full)
{
	struct events events = {0};
	struct err why;
	if (command_give(lab->r, command, full, "", "", NOW_MS, &events, &why) != COMMAND_TAKEN)
		return false;
	for (int i = 0; i < events.count; i++) {
		laws_event(lab, s, &events.list[i]);
		fold_event(lab, &events.list[i]);
	}
	events_done(&events);
	if (lab->r->phase == PHASE_ABORTING && command != COMMAND_RETRY)
		abort_begins(lab, s);
	lab->retried = command == COMMAND_RETRY;
	return true;
}

void
lab_taken(struct lab *lab, enum mesh_subject subject)
{
	lab_fold(lab, EVENT_TAKEN,
	    json_pack("{s:s, s:I, s:I, s:s}", "subject", mesh_subject_name(subject), "of_ms",
		(json_int_t)rollout_changed_ms(lab->r, subject), "since_ms", (json_int_t)NOW_MS,
		"known", "confirmed"));
}

void
lab_measure(struct lab *lab, bool passes)
{
	lab_fold(lab, EVENT_MEASURED,
	    json_pack("{s:s, s:s}", "gate", "g", "verdict", passes ? "pass" : "fail"));
}

static void
acted(struct lab *lab, struct state *s, enum act_outcome outcome)
{
	s->flight = LANDED;
	lab_fold(lab, EVENT_ACTED,
	    json_pack("{s:I, s:s, s:s}", "attempt", (json_int_t)lab->r->attempt.number, "outcome",
		act_outcome_name(outcome), "text", "as the model has it"));
}

void
lab_send(struct lab *lab, struct state *s)
{
	struct observed seen;
	struct view view = {.rollout = lab->r, .seen = &seen};
	const struct act *act = &lab->r->attempt.act;
	look(lab, s, &seen);
	if (seen.fresh && !act_is_safe(&view, act)) {
		lab_say(lab, "not sent: endpoints went away");
		acted(lab, s, ACT_CONFLICT);
		return;
	}
	laws_send(lab, s, act);
	s->flight = ON_WAY;
	s->fresh = 1;
	/* In an outage it is sent on what was seen last. */
	if (s->outage && memcmp(&s->c, &s->seen, sizeof(s->c)) != 0)
		s->fresh = 0;
}

/* A pod's uid guards it: while the release is in the template one of the old image is the same. */
static bool
is_same(const struct state *s, const struct act *act)
{
	return act->kind == ACT_REPLACE_POD && s->c.image == IMAGE_NEW;
}

static enum act_outcome
land(struct lab *lab, struct state *s, const struct act *act, bool fresh)
{
	uint8_t weight = s->c.weight;
	bool taken = fresh || is_same(s, act);
	enum act_outcome outcome = taken ? world_apply(lab->config, s, act) : ACT_CONFLICT;
	if (outcome == ACT_DONE)
		world_touch(s, act_object(act->kind));
	laws_landed(s, act, weight, outcome);
	return outcome;
}

void
lab_answer(struct lab *lab, struct state *s, bool effect, enum act_outcome outcome)
{
	struct act act = lab->r->attempt.act;
	enum act_outcome real = effect ? land(lab, s, &act, s->fresh) : ACT_UNKNOWN;
	if (outcome == ACT_DONE)
		outcome = real;
	lab_say(lab, "airisd is told: %s", act_outcome_name(outcome));
	acted(lab, s, outcome);
}

static bool
is_missing(const struct cluster *c, enum act_kind kind)
{
	return (kind == ACT_BACKUP && c->job == JOB_NONE) ||
	       (kind == ACT_CREATE_SERVICE && !c->service) ||
	       (kind == ACT_ADD_SUBSETS && !c->subsets) ||
	       (kind == ACT_CREATE_CANARY && c->canary == GONE);
}

static enum act_outcome
land_way(struct lab *lab, struct state *s, struct act_on_way *way)
{
	struct act act = {.kind = (enum act_kind)way->act, .number = way->number};
	restore_text(&act, way->text);
	bool fresh = way->fresh == A_CREATION ? is_missing(&s->c, act.kind) : way->fresh;
	*way = (struct act_on_way){0};
	return land(lab, s, &act, fresh);
}

void
lab_overtaken_lands(struct lab *lab, struct state *s)
{
	lab_overtaken_answer(lab, land_way(lab, s, &s->overtaken));
}

void
lab_adrift_lands(struct lab *lab, struct state *s)
{
	lab_say(lab, "it comes late: %s", act_outcome_name(land_way(lab, s, &s->adrift)));
}

void
lab_drifts(struct lab *lab, struct state *s)
{
	const struct act *act = &lab->r->attempt.act;
	s->adrift = (struct act_on_way){(uint8_t)act->kind, (uint8_t)act->number, reduce_text(act),
	    is_missing(&s->c, act->kind) ? A_CREATION : s->fresh};
}

void
lab_overtaken_answer(struct lab *lab, enum act_outcome outcome)
{
	lab_say(lab, "airisd is told: %s", act_outcome_name(outcome));
	lab_fold(lab, EVENT_ACTED,
	    json_pack("{s:i, s:s}", "attempt", 0, "outcome", act_outcome_name(outcome)));
}

void
lab_crash(struct lab *lab, struct state *s, bool effect)
{
	if (effect) {
		struct act act = lab->r->attempt.act;
		land(lab, s, &act, s->fresh);
	}
	s->flight = LANDED;
	s->overtaken = (struct act_on_way){0};
	s->down = 1;
}

void
lab_restart(struct lab *lab, struct state *s)
{
	s->down = 0;
	if (lab->r->attempt.pending)
		acted(lab, s, ACT_UNKNOWN);
	uint8_t outage = s->outage;
	s->outage = NOTHING_YET;
	lab_think(lab, s);
	s->outage = outage;
}

/* A wait that a person or the cluster must end, and the world has what it says. */
static bool
explicit_wait(const struct lab *lab, const struct state *s)
{
	if (lab->r->phase == PHASE_PAUSED)
		return true;
	bool edited = s->left[EDITS] < lab->config->budget[EDITS];
	if (lab->r->phase != PHASE_PROGRESSING || !edited || lab->waiting.object[0] == '\0')
		return false;
	return strstr(lab->waiting.next, "rollout retry") != NULL ||
	       (!s->c.route && strstr(lab->waiting.next, "apply it again") != NULL);
}

enum rest
lab_rest(const struct lab *lab, const struct state *s)
{
	switch (lab->r->phase) {
	case PHASE_SUCCEEDED:
		return SUCCEEDED;
	case PHASE_ABORTED:
		return AT_HOME;
	case PHASE_FAILED:
		return HAS_FAILED;
	case PHASE_QUEUED:
	case PHASE_PROGRESSING:
	case PHASE_PAUSED:
	case PHASE_ABORTING:
		break;
	}
	return !s->down && s->flight == LANDED && explicit_wait(lab, s) ? EXPLICIT_WAIT : MOVING;
}
