/* The world's cluster, gates, journal and time. What a test does with it: engine_world_drive.c. */
#include "engine_world.h"
#include <dirent.h>
#include <unistd.h>
#include "engine_world_room.h"

/* --- pods ------------------------------------------------------------------------------------ */

static bool
serves(const struct world_pod *pod)
{
	return pod->there && pod->ready && pod->gone_at == 0;
}

/* image NULL: of any. */
static int
count(const struct world *w, bool canary, bool ready, const char *image)
{
	int n = 0;
	for (int i = 0; i < WORLD_PODS; i++) {
		const struct world_pod *pod = &w->pods[i];
		if (pod->there && pod->canary == canary &&
		    (image == NULL || strcmp(pod->image, image) == 0))
			n += ready ? serves(pod) : pod->gone_at == 0;
	}
	return n;
}

int
world_ready(const struct world *w, bool canary)
{
	return count(w, canary, true, NULL);
}

static void
add_pod(struct world *w, bool canary, const char *image)
{
	int64_t now = virtual_loop_now(w->loop);
	for (int i = 0; i < WORLD_PODS; i++) {
		struct world_pod *pod = &w->pods[i];
		if (pod->there || pod->mesh)
			continue;
		*pod = (struct world_pod){.there = true, .canary = canary};
		str_copy(pod->image, sizeof(pod->image), image);
		pod->ready_at = now + 100 + (int64_t)world_roll(w, (unsigned)w->pods_late);
		return;
	}
	world_fail(w, "the test's world is full");
}

/* wrong: not of this image (NULL: any); those that are not ready first. */
static void
remove_pod(struct world *w, bool canary, const char *wrong)
{
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < WORLD_PODS; i++) {
			struct world_pod *pod = &w->pods[i];
			bool match = pod->there && pod->gone_at == 0 && pod->canary == canary &&
				     (wrong == NULL || strcmp(pod->image, wrong) != 0);
			if (match && (pass == 1 || !pod->ready)) {
				pod->gone_at = virtual_loop_now(w->loop) + 300;
				return;
			}
		}
}

/* A Deployment with maxSurge and maxUnavailable of 25%, as Kubernetes rounds them. */
static void
run_stable(struct world *w)
{
	int full = w->stable_exists ? w->full : 0;
	int right = count(w, false, false, w->image), all = count(w, false, false, NULL);
	int wrong = all - right, surge = (full + 3) / 4;
	bool unready = wrong > count(w, false, true, NULL) - count(w, false, true, w->image);
	if (all < full + (wrong > 0 ? surge : 0) && right < full)
		add_pod(w, false, w->image);
	if (wrong > 0 && (unready || world_ready(w, false) > full - full / 4))
		remove_pod(w, false, w->image);
	if (wrong == 0 && right > full)
		remove_pod(w, false, NULL);
}

static void
run_canary(struct world *w)
{
	int want = w->canary_exists ? w->canary_size : 0, have = count(w, true, false, NULL);
	int wrong = have - count(w, true, false, w->canary_image);
	if (have > want || wrong > 0)
		remove_pod(w, true, wrong > 0 ? w->canary_image : NULL);
	else if (have < want)
		add_pod(w, true, w->canary_image);
}

static void
run_pod(struct world *w, struct world_pod *pod, int64_t now)
{
	bool never = w->never_ready[0] != '\0' && strcmp(pod->image, w->never_ready) == 0;
	if (pod->there && !pod->ready && !never && now >= pod->ready_at)
		pod->ready = true;
	if (pod->there && pod->gone_at != 0 && now >= pod->gone_at)
		pod->there = false;
	if (serves(pod) == pod->mesh)
		pod->mesh_at = 0;
	else if (pod->mesh_at == 0)
		pod->mesh_at = now + w->mesh_late / 5;
	else if (now >= pod->mesh_at)
		pod->mesh = !pod->mesh, pod->mesh_at = 0;
}

/* What the mesh believes must be servable: enough pods that are there for each side's share. */
static void
check_traffic(struct world *w, bool canary, int percent)
{
	int alive = 0, dead = 0;
	for (int i = 0; i < WORLD_PODS; i++)
		if (w->pods[i].mesh && w->pods[i].canary == canary) {
			alive += w->pods[i].there;
			dead += !w->pods[i].there;
		}
	if (w->breaks_laws || percent == 0 || (dead == 0 && alive * 200 >= percent * w->full))
		return;
	w->lost++;
	str_print(w->why, sizeof(w->why), "at %lld ms: the %s has %d%% and %d pods alive, %d gone",
	    (long long)virtual_loop_now(w->loop), canary ? "canary" : "stable side", percent, alive,
	    dead);
}

void
world_run_cluster(struct world *w)
{
	int64_t now = virtual_loop_now(w->loop);
	run_stable(w);
	run_canary(w);
	for (int i = 0; i < WORLD_PODS; i++)
		run_pod(w, &w->pods[i], now);
	bool accepted = world_accepts(w, now);
	int weight = !w->route_exists ? 0 : accepted ? w->weight : w->mesh_weight;
	if (w->mesh_weight != weight && w->mesh_weight_at == 0)
		w->mesh_weight_at =
		    now + w->mesh_late / 2 + (int64_t)world_roll(w, (unsigned)w->mesh_late / 2 + 1);
	if (w->mesh_weight_at != 0 && now >= w->mesh_weight_at) {
		w->mesh_weight = weight;
		w->mesh_weight_at = 0;
	}
	if (w->mesh_weight > 0 && !w->service && !w->breaks_laws) {
		w->lost++;
		str_print(w->why, sizeof(w->why), "weight without a Service");
	}
	check_traffic(w, true, w->mesh_weight);
	check_traffic(w, false, 100 - w->mesh_weight);
}

/* --- acts ------------------------------------------------------------------------------------ */

static bool
set_text(char *to, size_t size, const char *from)
{
	bool changed = strcmp(to, from) != 0;
	str_copy(to, size, from);
	return changed;
}

static bool
set_int(int *to, int from)
{
	bool changed = *to != from;
	*to = from;
	return changed;
}

static bool
set_bool(bool *to, bool from)
{
	bool changed = *to != from;
	*to = from;
	return changed;
}

static bool
apply_weight(struct world *w, int weight)
{
	if (!w->route_exists)
		return false;
	bool changed = set_int(&w->weight, weight);
	changed |= set_bool(&w->named_canary, true);
	if (changed) {
		w->route_rv++;
		w->route_by[0] = '\0';
	}
	return changed;
}

static bool
apply_canary(struct world *w, const struct act *act)
{
	bool changed = set_bool(&w->canary_exists, true);
	w->canary_ours = true;
	w->canary_by[0] = '\0';
	changed |= set_int(&w->canary_size, act->number);
	if (act->kind == ACT_CREATE_CANARY)
		changed |= set_text(w->canary_image, sizeof(w->canary_image), act->text);
	return changed;
}

/* True if it changed something. */
static bool
apply(struct world *w, const struct act *act)
{
	switch (act->kind) {
	case ACT_CREATE_SERVICE:
		return set_bool(&w->service, true);
	case ACT_DELETE_SERVICE:
		return set_bool(&w->service, false);
	case ACT_CREATE_CANARY:
		return apply_canary(w, act);
	case ACT_SCALE_CANARY:
		return w->canary_exists && apply_canary(w, act);
	case ACT_DELETE_CANARY:
		w->canary_size = 0;
		return set_bool(&w->canary_exists, false);
	case ACT_WEIGHT:
		return apply_weight(w, act->number);
	case ACT_SET_IMAGE:
		w->image_by[0] = '\0';
		return w->stable_exists && set_text(w->image, sizeof(w->image), act->text);
	case ACT_ROUTE_HOME:
		w->route_rv += w->named_canary;
		return set_bool(&w->named_canary, false);
	case ACT_HPA_FLOOR:
		return set_int(&w->hpa.min, act->number);
	case ACT_NONE:
	case ACT_ADD_SUBSETS:
	case ACT_NAME_STABLE:
	case ACT_REMOVE_SUBSETS:
	case ACT_POINT_SERVICE:
	case ACT_FOLLOW_HPA:
	case ACT_SCALE_STABLE:
	case ACT_CREATE_BUDGET:
	case ACT_DELETE_BUDGET:
	case ACT_ROLL:
	case ACT_BACKUP:
	case ACT_REPLACE_POD:
	case ACT_DELETE_POD:
	case ACT_KINDS:
		break;
	}
	world_fail(w, "act %s in a world of hosts", act_name(act->kind));
	return false;
}

/* The laws, by what was there when the act was decided. */
static void
check_act(struct world *w, const struct act *act)
{
	int ready = world_ready(w, true);
	bool raises = act->kind == ACT_WEIGHT && act->number > w->weight;
	if (act->kind == ACT_WEIGHT && (act->number < 0 || act->number > 100))
		world_fail(w, "I1: weight %d", act->number);
	if (raises && act->number * w->full > ready * 100)
		world_fail(w, "I2: weight %d with %d of %d ready", act->number, ready, w->full);
	if (w->breaks_laws)
		return;
	if (act->kind == ACT_DELETE_CANARY && (w->weight != 0 || w->mesh_weight != 0))
		world_fail(
		    w, "law 3: canary deleted at weight %d, mesh %d", w->weight, w->mesh_weight);
	if (act->kind == ACT_DELETE_CANARY && world_ready(w, false) == 0 && ready > 0)
		world_fail(w, "I5: the only healthy side is deleted");
	if (act->kind == ACT_DELETE_SERVICE && w->named_canary)
		world_fail(w, "I3: Service deleted while the route names it");
	if (raises && !w->service)
		world_fail(w, "I3: weight before the Service");
}

static void
note_effect(struct world *w, const struct act *act)
{
	if (w->effect_count == WORLD_EFFECTS)
		world_fail(w, "too many acts with effect");
	str_print(w->effects[w->effect_count++], sizeof(w->effects[0]), "%s=%d",
	    act_name(act->kind), act->number);
}

static void
take_effect(struct world *w, struct world_act *x)
{
	x->effect_at = 0;
	if (!x->answer.effect)
		return;
	bool patch = x->act.kind == ACT_WEIGHT || x->act.kind == ACT_ROUTE_HOME;
	if (patch && x->rv != w->route_rv) {
		x->answer.outcome = ACT_CONFLICT;
		x->answer.text = "the object has been modified";
		return;
	}
	bool changed = apply(w, &x->act);
	if (changed)
		note_effect(w, &x->act);
	else if (x->answer.outcome == ACT_DONE)
		x->answer.outcome = ACT_ALREADY;
}

void
world_run_acts(struct world *w)
{
	int64_t now = virtual_loop_now(w->loop);
	for (int i = 0; i < WORLD_ACTS; i++) {
		struct world_act *x = &w->acts[i];
		if (x->effect_at != 0 && now >= x->effect_at)
			take_effect(w, x);
		if (x->answer_at == 0 || now < x->answer_at || x->effect_at != 0)
			continue;
		struct world_act told = *x;
		*x = (struct world_act){0};
		if (told.engine == w->engines && !w->dead)
			engine_acted(w->engine, "default", told.number, told.answer.outcome,
			    told.answer.text ? told.answer.text : "", told.answer.retry_after_ms);
	}
}

/* I13: what is sent was written down before. */
static bool
count_intent(void *ctx, const struct journal_row *row)
{
	struct world *w = ctx;
	w->audit_seq = row->seq;
	w->intents += strcmp(row->name, "act") == 0;
	return true;
}

static void
check_intent(struct world *w, const struct act *act)
{
	struct journal_port port = store_port(w->store);
	struct err e;
	w->sent++;
	w->sent_by_kind[act->kind]++;
	/* A moment longer than it is full: it is tried again every two seconds,
	 * one batch after the other. */
	bool full = w->disk_full || virtual_loop_now(w->loop) < w->full_until;
	if (full && act->urgent) {
		w->exempt++;
		return;
	}
	assert_int_equal(port.events(port.ctx, NULL, w->audit_seq, 0, count_intent, w, &e), 0);
	if (w->intents + w->exempt < w->sent)
		world_fail(
		    w, "I13: act %s was sent and is not in the journal", act_name(act->kind));
}

static uint64_t
cluster_act(
    void *ctx, const struct app *app, const struct baseline *baseline, const struct act *act)
{
	struct world *w = ctx;
	struct world_answer answer = {.outcome = ACT_DONE,
	    .effect = true,
	    .effect_ms = 50,
	    .late_ms = 100,
	    .retry_after_ms = -1};
	int64_t now = virtual_loop_now(w->loop);
	(void)app, (void)baseline;
	w->numbers++;
	if (w->dead)
		return w->numbers;
	check_intent(w, act);
	check_act(w, act);
	if (w->fault != NULL)
		answer = w->fault(w, act);
	if ((w->crash == CRASH_ACT || w->crash == CRASH_ACT_LOST) && w->sent == w->crash_at) {
		w->crash_due = true;
		answer.effect = w->crash == CRASH_ACT;
	}
	w->last_act = *act;
	w->last_act_at = now;
	for (int i = 0; i < WORLD_ACTS; i++)
		if (w->acts[i].answer_at == 0) {
			w->acts[i] = (struct world_act){.number = w->numbers,
			    .engine = w->engines,
			    .act = *act,
			    .answer = answer,
			    .effect_at = now + 1 + answer.effect_ms,
			    .answer_at = now + 1 + answer.late_ms,
			    .rv = w->route_rv};
			return w->numbers;
		}
	world_fail(w, "too many acts under way");
	return 0;
}

/* --- looking --------------------------------------------------------------------------------- */

static void
see_workloads(struct world *w, const char *new_image, struct observed *seen)
{
	int going = 0;
	for (int i = 0; i < WORLD_PODS; i++)
		going += w->pods[i].there && w->pods[i].canary && w->pods[i].gone_at != 0;
	seen->stable = (struct workload_seen){.exists = w->stable_exists,
	    .observed = true,
	    .replicas = w->full,
	    .pods = count(w, false, false, NULL),
	    .updated = count(w, false, false, w->image),
	    .ready = world_ready(w, false),
	    .ready_new = count(w, false, true, new_image)};
	if (w->stable_exists) {
		str_copy(seen->stable.uid, sizeof(seen->stable.uid), w->uid);
		str_copy(seen->stable.image, APP_IMAGE, w->image);
		str_copy(seen->stable.edited_by, APP_NAME, w->image_by);
	}
	if (!w->canary_exists)
		return;
	seen->canary = (struct workload_seen){.exists = true,
	    .ours = w->canary_ours,
	    .observed = true,
	    .replicas = w->canary_size,
	    .pods = count(w, true, false, NULL),
	    .updated = count(w, true, false, w->canary_image),
	    .ready = world_ready(w, true),
	    .terminating = going};
	str_copy(seen->canary.image, APP_IMAGE, w->canary_image);
	str_copy(seen->canary.edited_by, APP_NAME, w->canary_by);
	if (w->never_reason[0] != '\0' && seen->canary.ready < w->canary_size) {
		str_copy(seen->canary.problem.object, sizeof(seen->canary.problem.object), "Pod x");
		str_copy(seen->canary.problem.reason, sizeof(seen->canary.problem.reason),
		    w->never_reason);
		seen->canary.problem.fatal = true;
	}
}

static void
cluster_observe(void *ctx, const struct app *app, const char *new_image, struct observed *seen)
{
	struct world *w = ctx;
	(void)app;
	memset(seen, 0, sizeof(*seen));
	seen->service = true;
	seen->fresh = w->followed && !w->down && virtual_loop_now(w->loop) >= w->fresh_at;
	str_copy(seen->stale, sizeof(seen->stale), seen->fresh ? "" : "the lists are not read yet");
	seen->verified_ms = w->verified_ms;
	seen->fence = w->fence;
	see_workloads(w, new_image, seen);
	seen->canary_service = seen->canary_service_ours = w->service;
	seen->hpa = w->hpa;
	seen->route.exists = w->route_exists;
	if (!w->route_exists)
		return;
	seen->route.fits = seen->route.even = true;
	seen->route.accepted = w->accepted_rv == w->route_rv;
	seen->route.weight = w->weight;
	seen->route.names_canary = w->named_canary;
	str_copy(seen->route.edited_by, APP_NAME, w->route_by);
}

static void
cluster_follow(void *ctx, const struct app *app, bool to_act)
{
	struct world *w = ctx;
	(void)app;
	(void)to_act;
	w->followed = true;
	w->fresh_at = virtual_loop_now(w->loop) + 150;
}

static void
cluster_unfollow(void *ctx, const char *app)
{
	struct world *w = ctx;
	(void)app;
	w->followed = false;
	w->verify_at = 0;
}

static void
cluster_verify(void *ctx, const struct app *app)
{
	struct world *w = ctx;
	(void)app;
	w->verifies++;
	if (w->verify_at == 0)
		w->verify_at = virtual_loop_now(w->loop) + 60;
}

void
world_tell_changes(struct world *w)
{
	int64_t now = virtual_loop_now(w->loop);
	struct observed seen;
	bool told = w->poke;
	if (w->verify_at != 0 && now >= w->verify_at && !w->down) {
		w->verify_at = 0;
		w->verified_ms = now + w->wall_offset;
		told = true;
	}
	cluster_observe(w, NULL, "web:2", &seen);
	if (memcmp(&seen, &w->told, sizeof(seen)) != 0)
		told = true;
	w->told = seen;
	w->poke = false;
	if (told && w->followed)
		engine_changed(w->engine, "web");
}

static const struct cluster_port *
find_cluster(void *ctx, const char *name)
{
	static struct cluster_port port;
	port = (struct cluster_port){.ctx = ctx,
	    .tell = ((struct world *)ctx)->tell,
	    .follow = cluster_follow,
	    .unfollow = cluster_unfollow,
	    .observe = cluster_observe,
	    .verify = cluster_verify,
	    .act = cluster_act,
	    .review = world_review,
	    .review_cancel = world_review_cancel};
	return strcmp(name, "default") == 0 ? &port : NULL;
}

/* --- gates and time -------------------------------------------------------------------------- */

static uint64_t
gate_measure(void *ctx, const struct gate_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct gate_sample *sample), void *done_ctx)
{
	struct world *w = ctx;
	int64_t now = virtual_loop_now(w->loop);
	if (question->trial)
		return world_trial(w, question, done, done_ctx);
	w->numbers++;
	w->last_question = *question;
	w->asked++;
	if (question->window_ms <= 0)
		world_fail(w, "F12: a window of %lld ms", (long long)question->window_ms);
	for (int i = 0; i < WORLD_ASKS; i++)
		w->overlaps +=
		    w->asks[i].done != NULL && strcmp(w->asks[i].gate, question->gate->name) == 0;
	for (int i = 0; i < WORLD_ASKS; i++)
		if (w->asks[i].done == NULL) {
			w->asks[i] = (struct world_ask){.number = w->numbers,
			    .answer_at = now + 1 + w->gate_late,
			    .done = done,
			    .ctx = done_ctx};
			str_copy(w->asks[i].gate, APP_LABEL, question->gate->name);
			w->asks[i].sample = (struct gate_sample){
			    .verdict = w->verdict ? w->verdict(w, question) : VERDICT_PASS,
			    .samples = -1,
			    .text = "as the test says"};
			return w->numbers;
		}
	world_fail(w, "gate answers pile up");
	return 0;
}

static bool
gate_has_source(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "default") == 0;
}

void
world_run_gates(struct world *w)
{
	for (int i = 0; i < WORLD_ASKS; i++) {
		struct world_ask ask = w->asks[i];
		if (ask.done == NULL || virtual_loop_now(w->loop) < ask.answer_at)
			continue;
		w->asks[i] = (struct world_ask){0};
		ask.done(ask.ctx, ask.number, &ask.sample);
	}
}

static int64_t
clock_wall(void *ctx)
{
	struct world *w = ctx;
	return virtual_loop_now(w->loop) + w->wall_offset;
}

static int64_t
clock_mono(void *ctx)
{
	struct world *w = ctx;
	return virtual_loop_now(w->loop) + w->mono_offset;
}

void
world_ports(struct world *w, struct engine_ports *ports)
{
	*ports = (struct engine_ports){.ctx = w,
	    .cluster = find_cluster,
	    .gates = {.ctx = w,
		.measure = gate_measure,
		.cancel = world_gate_cancel,
		.has_source = gate_has_source},
	    .clock = {.ctx = w, .wall_ms = clock_wall, .mono_ms = clock_mono}};
}
