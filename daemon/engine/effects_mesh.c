/* Asking the mesh what it has taken: one question for each change that is not known to be taken,
 * and none when nothing is open. */
#include <string.h>
#include "base/str.h"
#include "engine/engine_room.h"

#define ASK_AGAIN_MS 500

struct mesh_ask {
	char rollout[ID_SIZE];
	enum mesh_subject subject;
	int64_t of_ms;
};

/* What was said of an older change is no news of this one. */
static void
forget_older(struct entry *entry, enum mesh_subject subject)
{
	if (entry->mesh_of_ms[subject] == rollout_changed_ms(entry->rollout, subject))
		return;
	entry->asking.text[subject][0] = '\0';
	entry->asking.differs[subject] = false;
}

void
effects_mesh_know(struct entry *entry)
{
	const struct mesh_port *mesh = &entry->engine->ports.mesh;
	const struct app *app = entry->rollout->app;
	/* What a Service selects is in no route that a mesh could be asked about. */
	bool routed = app->traffic.kind == TRAFFIC_ISTIO || app->traffic.kind == TRAFFIC_GATEWAY;
	bool asked = mesh->way != NULL && routed;
	for (int i = 0; i < MESH_SUBJECTS; i++) {
		enum mesh_subject subject = (enum mesh_subject)i;
		forget_older(entry, subject);
		entry->asking.way[i] =
		    asked ? mesh->way(mesh->ctx, app->cluster, subject) : MESH_TIME;
	}
}

static void
withdraw(struct entry *entry, enum mesh_subject subject)
{
	const struct mesh_port *mesh = &entry->engine->ports.mesh;
	if (entry->mesh_asks[subject] == 0)
		return;
	mesh->cancel(mesh->ctx, entry->mesh_asks[subject]);
	free(map_remove_number(entry->engine->mesh_asks, entry->mesh_asks[subject]));
	entry->mesh_asks[subject] = 0;
}

/* Proxies and istiods have the wall clock, rollouts the engine's own, which does not jump. */
static int64_t
ahead_ms(struct engine *engine)
{
	const struct clock_port *clock = &engine->ports.clock;
	return engine_now_ms(engine) - clock->wall_ms(clock->ctx);
}

static const char *
known_by(enum mesh_outcome outcome)
{
	if (outcome == MESH_CONFIRMED)
		return "confirmed";
	return outcome == MESH_OBSERVED ? "observed" : "assumed";
}

static void
note_taken(struct entry *entry, const struct mesh_ask *ask, const struct mesh_answer *answer)
{
	struct event event = {.kind = EVENT_TAKEN,
	    .at_ms = engine_now_ms(entry->engine),
	    .actor = "",
	    .data = json_pack("{s:s, s:I, s:I, s:s}", "subject", mesh_subject_name(ask->subject),
		"of_ms", (json_int_t)ask->of_ms, "since_ms",
		(json_int_t)(answer->at_ms + ahead_ms(entry->engine)), "known",
		known_by(answer->outcome))};
	if (answer->outcome == MESH_ASSUMED)
		json_object_set_new(event.data, "missing", json_string(answer->text));
	commit_event(entry, &event, "");
	json_decref(event.data);
}

/* It is asked again, and what is known so far is said. */
static void
note_open(struct entry *entry, enum mesh_subject subject, const struct mesh_answer *answer)
{
	struct mesh_asking *asking = &entry->asking;
	str_copy(asking->text[subject], sizeof(asking->text[subject]), answer->text);
	asking->differs[subject] = answer->outcome == MESH_DIFFERS;
	entry->mesh_next_ms = engine_now_ms(entry->engine) + ASK_AGAIN_MS;
}

static bool
is_unknown(const struct rollout *r, enum mesh_subject subject)
{
	return !rollout_taken(r, subject) && (!mesh_in_route(subject) || rollout_accepted(r));
}

/* Of what is known already it was only asked to see whether anybody answers. */
static void
note_answer(struct entry *entry, const struct mesh_ask *ask, const struct mesh_answer *answer)
{
	if (entry->asking.way[ask->subject] == MESH_ISTIOD)
		entry->asking.heard_ms = engine_now_ms(entry->engine);
	entry->asking.text[ask->subject][0] = '\0';
	if (is_unknown(entry->rollout, ask->subject))
		note_taken(entry, ask, answer);
}

static void
on_answer(void *ctx, uint64_t number, const struct mesh_answer *answer)
{
	struct engine *engine = ctx;
	struct mesh_ask *ask = map_remove_number(engine->mesh_asks, number);
	struct entry *entry = ask == NULL ? NULL : engine_entry(engine, ask->rollout);
	if (entry != NULL && !entry->doomed && entry->mesh_asks[ask->subject] == number) {
		entry->mesh_asks[ask->subject] = 0;
		if (answer->outcome == MESH_UNREACHABLE || answer->outcome == MESH_DIFFERS)
			note_open(entry, ask->subject, answer);
		else
			note_answer(entry, ask, answer);
		engine_mark(entry);
	}
	free(ask);
}

/* Proof of a weight of ours is a push that began after it was sent; but a route that a controller
 * accepts first is in no push before that, so only what comes after the question is proof. */
static int64_t
sent_ms(const struct rollout *r, enum mesh_subject subject)
{
	bool ours = subject == MESH_WEIGHT && r->sent_ms > 0;
	return ours && r->app->traffic.kind != TRAFFIC_GATEWAY ? r->sent_ms : 0;
}

static void
ask_mesh(struct entry *entry, enum mesh_subject subject, int64_t of_ms, const struct observed *seen)
{
	struct engine *engine = entry->engine;
	const struct rollout *r = entry->rollout;
	int64_t since_ms = sent_ms(r, subject);
	struct mesh_question question = {.app = r->app,
	    .subject = subject,
	    .since_ms = since_ms > 0 ? since_ms - ahead_ms(engine) : 0,
	    .resource_version = seen->route.resource_version,
	    .rule_version = seen->subsets.resource_version,
	    .changed_ms = of_ms - ahead_ms(engine),
	    .wish.target = r->seen};
	rollout_other_weights(r, &question.wish.below, &question.wish.above);
	struct mesh_ask *ask = mem_alloc(sizeof(*ask));
	*ask = (struct mesh_ask){.subject = subject, .of_ms = of_ms};
	str_copy(ask->rollout, sizeof(ask->rollout), r->id);
	entry->mesh_of_ms[subject] = of_ms;
	entry->mesh_asks[subject] =
	    engine->ports.mesh.ask(engine->ports.mesh.ctx, &question, on_answer, engine);
	map_set_number(engine->mesh_asks, entry->mesh_asks[subject], ask);
}

/* Whether it answers at all is asked with what changes least, so that a question gets its answer.
 */
static bool
is_open(const struct entry *entry, enum mesh_subject subject)
{
	return is_unknown(entry->rollout, subject) || (entry->asks_mesh && subject == MESH_ROUTING);
}

void
effects_mesh(struct entry *entry, const struct observed *seen)
{
	const struct rollout *r = entry->rollout;
	bool asks = r->compiled && !phase_final(r->phase) && !entry->doomed;
	int64_t now_ms = engine_now_ms(entry->engine);
	for (int i = 0; i < MESH_SUBJECTS; i++) {
		enum mesh_subject subject = (enum mesh_subject)i;
		int64_t of_ms = rollout_changed_ms(r, subject);
		bool open =
		    asks && entry->asking.way[subject] != MESH_TIME && is_open(entry, subject);
		if (!open || entry->mesh_of_ms[subject] != of_ms)
			withdraw(entry, subject);
		if (!open || entry->mesh_asks[subject] != 0)
			continue;
		if (now_ms < entry->mesh_next_ms)
			engine_wake(entry, entry->mesh_next_ms);
		else
			ask_mesh(entry, subject, of_ms, seen);
	}
}

void
effects_mesh_cancel(struct entry *entry)
{
	for (int i = 0; i < MESH_SUBJECTS; i++)
		withdraw(entry, (enum mesh_subject)i);
}

void
effects_mesh_free(struct engine *engine)
{
	size_t cursor = 0;
	const char *key;
	void *value;
	while (map_next(engine->mesh_asks, &cursor, &key, &value)) {
		int64_t number;
		if (str_number(key, 0, INT64_MAX, &number) == 0)
			engine->ports.mesh.cancel(engine->ports.mesh.ctx, (uint64_t)number);
	}
	map_free(engine->mesh_asks, free);
}
