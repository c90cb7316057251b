/* Driving the world: the journal with its faults, crashes, time, and what tests ask for. */
#include "engine_world.h"
#include <dirent.h>
#include <unistd.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/yaml.h"
#include "engine_world_room.h"
#include "fault_vfs.h"

unsigned
world_roll(struct world *w, unsigned sides)
{
	w->roll = w->roll * 1664525u + 1013904223u;
	return (w->roll >> 8) % sides;
}

#define WAIT_TICKS 12000

/* --- the journal ----------------------------------------------------------------------------- */

/* Everything passes through here on its way into the store; after a crash nothing does. */
static void
append(void *ctx, struct journal_write *writes, int count,
    void (*done)(void *done_ctx, uint64_t ticket, bool ok, const char *why), void *done_ctx,
    uint64_t ticket)
{
	struct world *w = ctx;
	struct journal_port port = store_port(w->store);
	bool before = w->crash == CRASH_BEFORE_COMMIT, after = w->crash == CRASH_AFTER_COMMIT;
	if (w->dead)
		return;
	w->appends++;
	w->urgents += writes[0].urgent;
	if ((before || after) && w->appends == w->crash_at) {
		w->crash_due = true;
		w->dead = before;
	}
	if (w->dead)
		return;
	if (w->flush_at == 0)
		w->flush_at = virtual_loop_now(w->loop) + w->disk_late;
	port.append(port.ctx, writes, count, done, done_ctx, ticket);
}

static int
read_events(void *ctx, const char *rollout, int64_t after_seq, int limit, journal_each *each,
    void *each_ctx, struct err *e)
{
	struct journal_port port = store_port(((struct world *)ctx)->store);
	return port.events(port.ctx, rollout, after_seq, limit, each, each_ctx, e);
}

static int
read_rollouts(void *ctx, const struct journal_filter *filter, journal_each *each, void *each_ctx,
    struct err *e)
{
	struct journal_port port = store_port(((struct world *)ctx)->store);
	return port.rollouts(port.ctx, filter, each, each_ctx, e);
}

static int
read_apps(void *ctx, journal_each *each, void *each_ctx, struct err *e)
{
	struct journal_port port = store_port(((struct world *)ctx)->store);
	return port.apps(port.ctx, each, each_ctx, e);
}

static int
read_releases(void *ctx, const char *app, int before, int limit, journal_each *each, void *each_ctx,
    struct err *e)
{
	struct journal_port port = store_port(((struct world *)ctx)->store);
	return port.releases(port.ctx, app, before, limit, each, each_ctx, e);
}

static int
read_key(void *ctx, const char *key, journal_each *each, void *each_ctx, struct err *e)
{
	struct journal_port port = store_port(((struct world *)ctx)->store);
	return port.key(port.ctx, key, each, each_ctx, e);
}

static int64_t
last_seq(void *ctx)
{
	struct journal_port port = store_port(((struct world *)ctx)->store);
	return port.last_seq(port.ctx);
}

static void
on_event(void *ctx, const struct journal_row *row)
{
	struct world *w = ctx;
	for (int i = 0; i < w->id_count; i++)
		if (strcmp(w->ids[i], row->key) == 0)
			return;
	if (w->id_count == WORLD_IDS)
		world_fail(w, "too many rollouts");
	str_copy(w->ids[w->id_count++], ID_SIZE, row->key);
}

/* --- life ------------------------------------------------------------------------------------ */

void
world_all_ports(struct world *w, struct engine_ports *ports)
{
	world_ports(w, ports);
	ports->event = on_event;
	if (w->notices != NULL)
		ports->notices = *w->notices;
	if (w->mesh != NULL)
		ports->mesh = *w->mesh;
	ports->journal = (struct journal_port){.ctx = w,
	    .append = append,
	    .events = read_events,
	    .rollouts = read_rollouts,
	    .apps = read_apps,
	    .releases = read_releases,
	    .key = read_key,
	    .last_seq = last_seq};
}

static void
open_all(struct world *w)
{
	struct store_settings settings = {.path = w->path, .vfs = FAULT_VFS, .probe_ms = 1};
	struct engine_settings engine = {.settle_ms = WORLD_SETTLE_MS};
	struct engine_ports ports;
	struct err e;
	w->store = store_open(&settings, w->loop, &e);
	if (w->store == NULL)
		world_fail(w, "%s", e.text);
	world_all_ports(w, &ports);
	w->flush_at = 0;
	w->engines++;
	w->engine = engine_new(w->loop, &ports, &engine, &e);
	if (w->engine == NULL)
		world_fail(w, "%s", e.text);
}

static void
forget_look(struct world *w)
{
	if (w->look.rollout != NULL)
		engine_look_done(&w->look);
}

static void
close_all(struct world *w)
{
	forget_look(w);
	w->dead = true;
	for (int i = 0; i < 50 && virtual_loop_turn(w->loop); i++)
		;
	engine_free(w->engine);
	virtual_loop_drop(w->loop);
	store_close(w->store);
	for (int i = 0; i < WORLD_ASKS; i++)
		w->asks[i].done = NULL;
	w->review.done = NULL;
	w->dead = false;
}

void
world_crash(struct world *w)
{
	close_all(w);
	w->crash_due = w->followed = w->disk_full = false;
	fault_none();
	w->verify_at = w->verified_ms = 0;
	w->mono_offset += 777777; /* the monotonic clock of another boot */
	w->crashes++;
	open_all(w);
}

static struct app *
app_with(const char *traffic, const char *name, const char *strategy, const char *more)
{
	char *text = str_format("kind: App\nname: %s\nnamespace: shop\n"
				"workload: {kind: Deployment, name: web}\n"
				"traffic: {%s}\n"
				"strategy: {canary: {%s, drain: 1s}}\n%s\n",
	    name, traffic, strategy, more);
	struct errlist errors;
	json_t *spec;
	struct err e;
	assert_int_equal(yaml_parse(text, strlen(text), &spec, NULL, &e), 0);
	errlist_init(&errors);
	struct app *app = app_parse(spec, &errors);
	if (app == NULL)
		fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
	errlist_done(&errors);
	json_decref(spec);
	free(text);
	return app;
}

struct app *
world_app(const char *name, const char *strategy, const char *more)
{
	return app_with("istio: {virtualService: web}", name, strategy, more);
}

struct app *
world_gateway_app(const char *name, const char *strategy, const char *more)
{
	return app_with("gateway: {httpRoute: web}", name, strategy, more);
}

static void
furnish(struct world *w)
{
	w->full = 4;
	w->pods_late = 400;
	w->mesh_late = 600;
	w->gate_late = 20;
	w->stable_exists = w->route_exists = true;
	str_copy(w->image, sizeof(w->image), "web:1");
	str_copy(w->uid, sizeof(w->uid), "u1");
	for (int i = 0; i < w->full; i++) {
		w->pods[i] = (struct world_pod){.there = true, .ready = true, .mesh = true};
		str_copy(w->pods[i].image, sizeof(w->pods[i].image), "web:1");
	}
}

struct world *
world_new(unsigned seed, const char *more)
{
	struct world *w = mem_alloc(sizeof(*w));
	static bool registered;
	if (!registered) {
		fault_register();
		fault.lazy = true;
		log_setup(getenv("WORLD_LOG") ? LOG_INFO : LOG_ERROR + 1, LOG_TEXT, "world");
	}
	registered = true;
	fault_none();
	w->seed = w->roll = seed;
	w->loop = loop_new();
	w->wall_offset = INT64_C(1700000000000);
	str_copy(w->folder, sizeof(w->folder), "/tmp/airis-engine-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	str_print(w->path, sizeof(w->path), "%s/db", w->folder);
	id_seed(seed);
	furnish(w);
	open_all(w);
	if (more != NULL)
		world_until_reply(
		    w, world_put(w,
			   world_app("web", "weights: [50, 100], hold: 2s, deadline: 1m", more)));
	return w;
}

void
world_free(struct world *w)
{
	fault_none();
	close_all(w);
	world_check_audit(w);
	DIR *folder = opendir(w->folder);
	struct dirent *entry;
	while (folder != NULL && (entry = readdir(folder)) != NULL)
		unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(w->folder);
	loop_free(w->loop);
	free(w);
}

/* The writer's thread needs a moment to find out. */
void
world_disk(struct world *w, bool full)
{
	store_flush(w->store); /* what was given to it before is on the disk */
	w->disk_full = full;
	w->full_until = virtual_loop_now(w->loop) + 15000;
	if (full) {
		fault.code = SQLITE_FULL;
		fault.lasting = true;
		fault.writes_left = 0;
		return;
	}
	fault_none();
	for (int i = 0; i < 20000 && !store_healthy(w->store, NULL); i++)
		usleep(100);
	assert_true(store_healthy(w->store, NULL));
}

/* --- replies --------------------------------------------------------------------------------- */

static void
on_reply(void *ctx, uint64_t request, enum engine_result result, const char *id, const char *why)
{
	struct world *w = ctx;
	struct world_reply *reply = &w->replies[request];
	if (w->dead)
		return;
	if (reply->given)
		world_fail(w, "request %d is answered twice", (int)request);
	reply->given = true;
	reply->result = result;
	reply->durable = last_seq(w);
	str_copy(reply->id, sizeof(reply->id), id);
	str_copy(reply->why, sizeof(reply->why), why);
}

struct engine_reply
world_reply(struct world *w, int *number)
{
	if (w->reply_count == WORLD_REPLIES)
		world_fail(w, "too many requests");
	*number = w->reply_count++;
	return (struct engine_reply){.done = on_reply, .ctx = w, .request = (uint64_t)*number};
}

int
world_put(struct world *w, struct app *app)
{
	int number;
	struct engine_reply reply = world_reply(w, &number);
	engine_app_put(w->engine, app, NULL, &(struct actor){.name = "ann"}, &reply);
	return number;
}

int
world_start_with(struct world *w, const struct engine_start *start)
{
	int number;
	struct engine_reply reply = world_reply(w, &number);
	engine_start(w->engine, start, &reply);
	return number;
}

int
world_undo(struct world *w, int to)
{
	return world_start_with(w,
	    &(struct engine_start){.app = "web", .actor = {.name = "ann"}, .undo = true, .to = to});
}

const char *
world_start(struct world *w, const char *image)
{
	int number = world_start_with(
	    w, &(struct engine_start){.app = "web", .image = image, .actor = {.name = "ann"}});
	world_until_reply(w, number);
	if (w->replies[number].result != ENGINE_CREATED)
		world_fail(w, "not started: %s", w->replies[number].why);
	return w->replies[number].id;
}

int
world_command(struct world *w, const char *id, enum command command, bool full)
{
	int number;
	struct engine_reply reply = world_reply(w, &number);
	engine_command(w->engine, id, command, full, "", &(struct actor){.name = "bob"}, &reply);
	return number;
}

void
world_must(struct world *w, const char *id, enum command command)
{
	int number = world_command(w, id, command, false);
	world_until_reply(w, number);
	if (w->replies[number].result != ENGINE_OK)
		world_fail(w, "%s: %s", command_name(command), w->replies[number].why);
}

/* --- time ------------------------------------------------------------------------------------ */

static void
crash_if_due(struct world *w)
{
	if (w->crash_due) {
		w->crash = CRASH_NEVER;
		world_crash(w);
	}
}

void
world_turns(struct world *w)
{
	for (int i = 0;; i++) {
		bool any = virtual_loop_turn(w->loop);
		crash_if_due(w);
		if (w->flush_at != 0 && virtual_loop_now(w->loop) >= w->flush_at) {
			w->flush_at = 0;
			store_flush(w->store);
			any = true;
		}
		crash_if_due(w);
		if (!any)
			return;
		if (i > 300)
			world_fail(w, "F59: the loop does not come to rest");
	}
}

/* I9 */
static void
check_alone(struct world *w)
{
	int active = 0;
	for (int i = 0; i < w->id_count; i++) {
		struct engine_look look;
		struct err e;
		if (w->ended[i])
			continue;
		if (engine_look(w->engine, w->ids[i], &look, &e) < 0)
			world_fail(w, "%s", e.text);
		w->ended[i] = !look.live;
		active += phase_forward(look.rollout->phase) ||
			  (look.rollout->phase == PHASE_ABORTING && look.rollout->compiled &&
			      look.rollout->attempt.number > 0);
		engine_look_done(&look);
	}
	if (active > 1)
		world_fail(w, "I9: %d rollouts of one app are under way", active);
}

void
world_tick(struct world *w)
{
	forget_look(w);
	world_turns(w);
	virtual_loop_advance(w->loop, WORLD_TICK_MS);
	world_run_cluster(w);
	world_run_acts(w);
	world_run_gates(w);
	world_run_review(w);
	world_tell_changes(w);
	world_turns(w);
	if (w->id_count > 1)
		check_alone(w);
	if (w->lost > 0)
		world_fail(w, "requests were lost: %s", w->why);
	if (w->overlaps > 0)
		world_fail(w, "F15: a gate was asked while it was being asked");
}

void
world_run(struct world *w, int64_t ms)
{
	for (int64_t i = 0; i < ms; i += WORLD_TICK_MS)
		world_tick(w);
}

static const struct rollout *
look_at(struct world *w, const char *id)
{
	struct err e;
	forget_look(w);
	if (engine_look(w->engine, id, &w->look, &e) < 0)
		world_fail(w, "%s", e.text);
	return w->look.rollout;
}

const struct rollout *
world_rollout(struct world *w, const char *id)
{
	return look_at(w, id);
}

const struct waiting *
world_waiting(struct world *w, const char *id)
{
	look_at(w, id);
	return &w->look.waiting;
}

enum phase
world_phase(struct world *w, const char *id)
{
	return look_at(w, id)->phase;
}

static void
stuck(struct world *w, const char *id, const char *wanted)
{
	const struct rollout *r = look_at(w, id);
	world_fail(w, "%s in stage %d, not yet %s: %s: %s; reason: %s", phase_name(r->phase),
	    r->stage, wanted, w->look.waiting.object, w->look.waiting.what, r->reason);
}

void
world_until_phase(struct world *w, const char *id, enum phase phase)
{
	char name[ID_SIZE];
	str_copy(name, sizeof(name), id);
	for (int i = 0; world_phase(w, name) != phase; i++) {
		if (i > WAIT_TICKS || (phase_final(world_phase(w, name)) && !phase_final(phase)))
			stuck(w, name, phase_name(phase));
		world_tick(w);
	}
	forget_look(w);
}

void
world_until_stage(struct world *w, const char *id, int stage)
{
	for (int i = 0; look_at(w, id)->stage < stage; i++) {
		if (i > WAIT_TICKS)
			stuck(w, id, "in the stage");
		world_tick(w);
	}
	forget_look(w);
}

void
world_until_act(struct world *w, enum act_kind kind)
{
	int before = w->sent_by_kind[kind];
	for (int i = 0; w->sent_by_kind[kind] == before; i++) {
		if (i > WAIT_TICKS)
			world_fail(w, "act %s does not come", act_name(kind));
		world_tick(w);
	}
}

void
world_until_weight(struct world *w, int weight)
{
	for (int i = 0; w->weight != weight; i++) {
		if (i > WAIT_TICKS)
			world_fail(w, "the weight stays %d", w->weight);
		world_tick(w);
	}
}

void
world_until_reply(struct world *w, int number)
{
	for (int i = 0; !w->replies[number].given; i++) {
		if (i > WAIT_TICKS)
			world_fail(w, "request %d is never answered", number);
		world_turns(w);
		if (!w->replies[number].given)
			world_tick(w);
	}
}

bool
world_accepts(struct world *w, int64_t now)
{
	if (w->looking_rv != w->route_rv) {
		w->looking_rv = w->route_rv;
		w->accept_at = now + w->accept_late;
	}
	if (now >= w->accept_at)
		w->accepted_rv = w->looking_rv;
	return w->accepted_rv == w->route_rv;
}

void
world_poke(struct world *w)
{
	engine_changed(w->engine, "web");
}
