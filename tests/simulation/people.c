/* People and pipelines: what they ask for, and what they may rely on once they were told yes (I8).
 */
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "rooms.h"

/* The same answer for the same key, for as long as it is kept: a day, by the wall clock. */
static void
check_key(struct world *w, const struct reply *reply)
{
	if (w->jumped)
		return;
	for (int i = 0; i < w->reply_count; i++) {
		const struct reply *other = &w->replies[i];
		if (other == reply || !other->given || other->result > ENGINE_CREATED ||
		    other->key[0] == '\0' || strcmp(other->key, reply->key) != 0)
			continue;
		if (strcmp(other->id, reply->id) != 0)
			world_violated(w, "I8", "key %s was answered with %s and with %s",
			    reply->key, other->id, reply->id);
	}
}

struct looking {
	const char *id;
	bool found;
};

static bool
same_id(void *ctx, const struct journal_row *row)
{
	struct looking *looking = ctx;
	looking->found |= strcmp(row->key, looking->id) == 0;
	return !looking->found;
}

static bool
is_durable(struct world *w, const char *id)
{
	struct journal_port port = store_port(w->store);
	struct journal_filter filter = {.limit = 1000};
	struct looking looking = {.id = id};
	struct err e;
	if (port.rollouts(port.ctx, &filter, same_id, &looking, &e) < 0)
		world_violated(w, "I14", "the journal cannot be read: %s", e.text);
	return looking.found;
}

static void
on_started(struct world *w, struct reply *reply)
{
	if (!is_durable(w, reply->id))
		world_violated(w, "I8", "%s was answered before it is durable", reply->id);
	check_key(w, reply);
}

static void
on_reply(void *ctx, uint64_t request, enum engine_result result, const char *id, const char *why)
{
	struct world *w = ctx;
	struct reply *reply = &w->replies[request];
	if (w->dead)
		return;
	world_trace(
	    w, "reply %d to %s: %d %s %s", (int)request, item_name(reply->kind), result, id, why);
	if (reply->given) {
		world_violated(w, "I8", "request %d is answered twice", (int)request);
		return;
	}
	reply->given = true;
	reply->result = result;
	str_copy(reply->id, sizeof(reply->id), id);
	if (result > ENGINE_CREATED)
		return;
	bool start =
	    reply->kind == DO_START || reply->kind == DO_START_AGAIN || reply->kind == DO_UNDO;
	if (start)
		on_started(w, reply);
	struct rollout_known *r = rollout_find(w, id);
	if (r == NULL)
		return;
	r->acknowledged |= start;
	r->abort_acknowledged |= reply->kind == DO_ABORT;
	if (reply->kind == DO_ABORT && (phase_forward(r->phase) || r->phase == PHASE_QUEUED))
		world_violated(w, "I8", "the abort of %s was answered, and it is %s", id,
		    phase_name(r->phase));
}

static struct reply *
new_reply(struct world *w, const struct item *item, struct engine_reply *to)
{
	if (w->reply_count == REPLIES)
		return NULL;
	struct reply *reply = &w->replies[w->reply_count];
	*reply = (struct reply){
	    .kind = item->kind, .app = item->app, .image = item->arg, .life = w->life};
	*to =
	    (struct engine_reply){.done = on_reply, .ctx = w, .request = (uint64_t)w->reply_count};
	w->reply_count++;
	return reply;
}

/* --- starts ----------------------------------------------------------------------------------- */

static const struct reply *
last_start(const struct world *w, int app)
{
	for (int i = w->reply_count - 1; i >= 0; i--)
		if (w->replies[i].app == app && w->replies[i].kind == DO_START)
			return &w->replies[i];
	return NULL;
}

static void
start(struct world *w, const struct item *item)
{
	const struct reply *last = last_start(w, item->app);
	struct engine_reply to;
	char image[16];
	struct item same = *item;
	if (item->kind == DO_START_AGAIN && last == NULL)
		same.kind = DO_START;
	struct reply *reply = new_reply(w, &same, &to);
	if (reply == NULL || w->rollout_count > ROLLOUTS - 4)
		return;
	if (same.kind == DO_START_AGAIN) {
		str_copy(reply->key, sizeof(reply->key), last->key);
		reply->image = last->image;
	} else
		str_print(reply->key, sizeof(reply->key), "key-%d", w->starts++);
	image_text(reply->image, image, sizeof(image));
	struct engine_start request = {.app = w->apps[item->app].name,
	    .image = image,
	    .actor = {.name = "ci"},
	    .key = reply->key,
	    .undo = same.kind == DO_UNDO};
	if (request.undo)
		request.image = NULL;
	engine_start(w->engine, &request, &to);
}

/* --- commands --------------------------------------------------------------------------------- */

/* The one under way, mostly; sometimes the last one that ended. */
static const char *
target(struct world *w, int app, bool any)
{
	const struct rollout_known *r = any ? NULL : rollout_active(w, app);
	for (int i = w->rollout_count - 1; i >= 0 && r == NULL; i--)
		if (w->rollouts[i].app == app)
			r = &w->rollouts[i];
	return r == NULL ? "r-nobody" : r->id;
}

static void
command(struct world *w, const struct item *item, const char *id)
{
	static const enum command commands[] = {[DO_PROMOTE - DO_PROMOTE] = COMMAND_PROMOTE,
	    [DO_PROMOTE_FULL - DO_PROMOTE] = COMMAND_PROMOTE,
	    [DO_ABORT - DO_PROMOTE] = COMMAND_ABORT,
	    [DO_PAUSE - DO_PROMOTE] = COMMAND_PAUSE,
	    [DO_RESUME - DO_PROMOTE] = COMMAND_RESUME,
	    [DO_RETRY - DO_PROMOTE] = COMMAND_RETRY,
	    [DO_APPROVE - DO_PROMOTE] = COMMAND_APPROVE};
	struct engine_reply to;
	if (new_reply(w, item, &to) == NULL)
		return;
	world_trace(w, "%s %s", item_name(item->kind), id + (strlen(id) > 20 ? 20 : 0));
	engine_command(w->engine, id, commands[item->kind - DO_PROMOTE],
	    item->kind == DO_PROMOTE_FULL, "", &(struct actor){.name = "bob"}, &to);
}

void
people_do(struct world *w, const struct item *item)
{
	world_hit(w, item->kind);
	if (item->kind == DO_PROMOTE_FULL)
		w->apps[item->app].full_ms = w->now_ms - w->lag_ms;
	if (item->kind == DO_START || item->kind == DO_START_AGAIN || item->kind == DO_UNDO)
		start(w, item);
	else
		command(w, item, target(w, item->app, item->arg == 5));
}

int
people_abort(struct world *w, const char *id)
{
	struct item item = {.kind = DO_ABORT};
	command(w, &item, id);
	return w->reply_count - 1;
}

/* --- after a crash ---------------------------------------------------------------------------- */

static void
check_commands(struct world *w)
{
	for (int i = 0; i < w->rollout_count; i++) {
		const struct rollout_known *r = &w->rollouts[i];
		if (r->abort_acknowledged && (phase_forward(r->phase) || r->phase == PHASE_QUEUED))
			world_violated(w, "I8", "the abort of %s was answered and is lost", r->id);
	}
	for (int i = 0; i < w->reply_count; i++) {
		const struct reply *reply = &w->replies[i];
		if (reply->given && reply->result == ENGINE_CREATED && !is_durable(w, reply->id))
			world_violated(
			    w, "I8", "the start of %s was answered and is lost", reply->id);
	}
}

/* What was told must be there; what was kept beyond it is taken over. */
void
people_check_after_crash(struct world *w)
{
	struct journal_port port = store_port(w->store);
	struct err e;
	uint64_t told = w->told_sum;
	w->kept_sum = 0;
	if (port.events(port.ctx, NULL, 0, 0, journal_kept, w, &e) < 0)
		world_violated(w, "I14", "the journal cannot be read: %s", e.text);
	else if (w->kept_sum != told)
		world_violated(w, "I8", "events that were durable are lost in a crash");
	check_commands(w);
}
