/* istiod: see istiod.h. What is written reaches it a few milliseconds later (its watches); it
 * looks at the object as it is then. The debounce goes as istiod's own: a timer of -debounce-after
 * from the first change; when it ends, a push begins if it has been quiet for that long or
 * -debounce-max is over, else the timer is set for the rest. */
#include "istiod.h"

#include "gateway.h"
#include "jx.h"
#include "plan.h"
#include "proxies.h"
#include "snap.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_MS = 3 };
enum { UPDATE_CONFIG, UPDATE_SVC, UPDATE_EDS, UPDATES };

struct inbound {
	const struct kind *kind;
	char *ns, *name;
	uint64_t due;
	struct inbound *next;
};

static struct istiod_settings settings;
static enum istiod_state state;
static struct map known[K_COUNT];
static struct map accepted; /* HTTPRoutes as they were accepted last */
static struct inbound *inbox, **inbox_end = &inbox;
static uint64_t pushes, updates[UPDATES];
static const char *const update_names[UPDATES] = {"config", "svc", "eds"};

static struct {
	bool open;
	uint64_t first_ms, last_ms;
	unsigned resources;
	uintptr_t life; /* timers of an earlier life are stale */
} debounce;

static struct {
	uint64_t every_ms, round;
	uintptr_t life;
} churn;

/* --- pushes ------------------------------------------------------------------------------- */

static void
push(unsigned resources)
{
	struct snap *s = snap_new(known, &accepted, ++pushes, settings.rps);

	proxies_push(s, resources);
	snap_unref(s);
}

static void
debounce_over(void *arg)
{
	uint64_t now = now_ms(), quiet, age;
	unsigned resources = debounce.resources;

	if ((uintptr_t)arg != debounce.life || state != ISTIOD_UP || !debounce.open)
		return;
	quiet = now - debounce.last_ms;
	age = now - debounce.first_ms;
	if (quiet < settings.after_ms && age < settings.max_ms) {
		plan_call(settings.after_ms - quiet, debounce_over, arg);
		return;
	}
	debounce.open = false;
	debounce.resources = 0;
	push(resources);
}

static void
wants_push(unsigned resources)
{
	debounce.last_ms = now_ms();
	debounce.resources |= resources;
	if (debounce.open)
		return;
	debounce.open = true;
	debounce.first_ms = debounce.last_ms;
	plan_call(settings.after_ms, debounce_over, (void *)++debounce.life);
}

/* --- what it learns ----------------------------------------------------------------------- */

static bool
wanted(const struct kind *k)
{
	return k->id == K_VS || k->id == K_DR || k->id == K_HTTPROUTE || k->id == K_SERVICE ||
	       k->id == K_SLICE;
}

/* True if it was news. */
static bool
learn(const struct kind *k, const char *ns, const char *name)
{
	struct obj *o = store_get(k, ns, name);
	char *key = xfmt("%s/%s", ns, name);
	json_t *old = map_get(&known[k->id], key), *now = o != NULL ? o->json : NULL;
	bool news = old != now;

	if (news) {
		map_set(&known[k->id], key, json_incref(now));
		json_decref(old);
	}
	free(key);
	return news;
}

/* Takes an HTTPRoute that was accepted, or is gone (NULL); true if that is news. */
static bool
accept_route(const char *key, json_t *route)
{
	json_t *old = map_get(&accepted, key);

	if (route == NULL ? old == NULL : !gateway_is_news(old, route))
		return false;
	map_set(&accepted, key, json_incref(route));
	json_decref(old);
	return true;
}

/* Whether what came in changes what proxies are sent. */
static bool
matters(const struct inbound *in)
{
	char *key;
	bool news;

	if (in->kind->id != K_HTTPROUTE)
		return true;
	key = xfmt("%s/%s", in->ns, in->name);
	news = accept_route(key, map_get(&known[K_HTTPROUTE], key));
	free(key);
	return news;
}

static void
take_in(struct inbound *in)
{
	enum kind_id kind = in->kind->id;
	unsigned routes = kind == K_VS || kind == K_HTTPROUTE ? 1u << ROUTES : ALL_RESOURCES;

	if (state != ISTIOD_UP || !learn(in->kind, in->ns, in->name))
		return;
	updates[kind == K_SLICE ? UPDATE_EDS : kind == K_SERVICE ? UPDATE_SVC : UPDATE_CONFIG]++;
	if (matters(in))
		wants_push(kind == K_SLICE ? 1u << ENDPOINTS : routes);
}

static void
read_inbox(void *arg)
{
	uint64_t now = now_ms();

	(void)arg;
	while (inbox != NULL && inbox->due <= now) {
		struct inbound *in = inbox;

		inbox = in->next;
		if (inbox == NULL)
			inbox_end = &inbox;
		take_in(in);
		free(in->ns);
		free(in->name);
		free(in);
	}
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	struct inbound *in;

	(void)change;
	(void)before;
	if (!wanted(o->kind))
		return;
	in = xalloc(sizeof(*in));
	in->kind = o->kind;
	in->ns = xdup(o->ns);
	in->name = xdup(o->name);
	in->due = now_ms() + WATCH_MS;
	*inbox_end = in;
	inbox_end = &in->next;
	plan_call(WATCH_MS, read_inbox, NULL);
}

/* Everything again, also what is gone. */
static bool
learn_all(void)
{
	bool news = false;

	for (int k = 0; k < K_COUNT; k++) {
		const struct map_slot *slot;
		struct map old = known[k];
		struct obj **all;
		size_t n, i = 0;

		if (!wanted(&kinds[k]))
			continue;
		known[k] = (struct map){0};
		all = store_all(&kinds[k], &n);
		for (size_t j = 0; j < n; j++) {
			news |= map_get(&old, all[j]->key) != all[j]->json;
			map_set(&known[k], all[j]->key, json_incref(all[j]->json));
		}
		news |= old.used != known[k].used;
		while ((slot = map_next(&old, &i)) != NULL)
			json_decref(slot->value);
		map_free(&old);
	}
	return news;
}

/* After learn_all. */
static void
accept_all(void)
{
	const struct map_slot *slot;
	struct map gone = {0};
	size_t i = 0;

	while ((slot = map_next(&accepted, &i)) != NULL)
		if (map_get(&known[K_HTTPROUTE], slot->key) == NULL)
			map_set(&gone, slot->key, slot->value);
	for (i = 0; (slot = map_next(&gone, &i)) != NULL;)
		accept_route(slot->key, NULL);
	map_free(&gone);
	for (i = 0; (slot = map_next(&known[K_HTTPROUTE], &i)) != NULL;)
		accept_route(slot->key, slot->value);
}

/* --- up, hung, down ----------------------------------------------------------------------- */

/* A new process: it counts from the start, and the proxies come to it. */
static void
start_anew(void)
{
	struct snap *s;

	memset(updates, 0, sizeof(updates));
	pushes = 0;
	debounce.open = false;
	debounce.resources = 0;
	debounce.life++;
	learn_all();
	accept_all();
	s = snap_new(known, &accepted, ++pushes, settings.rps);
	proxies_connect(s);
	snap_unref(s);
}

static void
set_state(enum istiod_state to)
{
	enum istiod_state was = state;

	if (to == was)
		return;
	state = to;
	if (to == ISTIOD_DOWN)
		proxies_drop();
	else if (to == ISTIOD_UP && was == ISTIOD_DOWN)
		start_anew();
	else if (to == ISTIOD_UP) {
		if (debounce.open)
			plan_call(0, debounce_over, (void *)debounce.life);
		if (learn_all()) {
			accept_all();
			wants_push(ALL_RESOURCES);
		}
	}
	gateway_wake();
	istiodz_wake();
}

/* --- another Service that changes all the time -------------------------------------------- */

static void
churn_once(void *arg)
{
	struct obj *o = store_get(&kinds[K_SERVICE], "elsewhere", "busy");
	char round[32];
	json_t *next;

	if ((uintptr_t)arg != churn.life || churn.every_ms == 0)
		return;
	snprintf(round, sizeof(round), "%llu", (unsigned long long)++churn.round);
	if (o == NULL) {
		world_namespace("elsewhere");
		next = json_pack("{s:s, s:s, s:o, s:{s:{s:s}, s:[{s:i}]}}", "kind", "Service",
		    "apiVersion", "v1", "metadata", world_metadata("elsewhere", "busy"), "spec",
		    "selector", "app", "busy", "ports", "port", 80);
	} else {
		next = json_copy(o->json);
		jx_set_str(jx_own_path(next, "metadata.annotations"), "lab/round", round);
	}
	store_put(&kinds[K_SERVICE], o, next);
	plan_call(churn.every_ms, churn_once, arg);
}

static void
set_churn(uint64_t every_ms)
{
	churn.every_ms = every_ms;
	churn.life++;
	if (every_ms > 0)
		plan_call(every_ms, churn_once, (void *)churn.life);
}

/* --- asked and told ----------------------------------------------------------------------- */

bool
istiod_on(void)
{
	return settings.on;
}

enum istiod_state
istiod_state(void)
{
	return state;
}

const struct istiod_settings *
istiod_settings(void)
{
	return &settings;
}

const struct map *
istiod_known(enum kind_id kind)
{
	return &known[kind];
}

void
istiod_counters(struct buf *out)
{
	buf_str(out, "# TYPE pilot_inbound_updates counter\n");
	for (int i = 0; i < UPDATES; i++)
		if (updates[i] > 0)
			buf_fmt(out, "pilot_inbound_updates{type=\"%s\"} %llu\n", update_names[i],
			    (unsigned long long)updates[i]);
	buf_fmt(out,
	    "# TYPE pilot_pushcontext_init_seconds histogram\n"
	    "pilot_pushcontext_init_seconds_bucket{le=\"+Inf\"} %llu\n"
	    "pilot_pushcontext_init_seconds_sum %.6f\n"
	    "pilot_pushcontext_init_seconds_count %llu\n",
	    (unsigned long long)pushes, (double)pushes * 0.0007, (unsigned long long)pushes);
}

enum istiod_state
istiod_webhook(const struct req *q)
{
	bool asked = q->verb == V_CREATE || q->verb == V_UPDATE || q->verb == V_PATCH;

	if (!settings.on || !asked || q->kind == NULL || !kind_is_istio(q->kind))
		return ISTIOD_UP;
	return state;
}

static const char *const state_names[] = {
    [ISTIOD_UP] = "up", [ISTIOD_HUNG] = "hung", [ISTIOD_DOWN] = "down"};

void
istiod_show(struct reply *r)
{
	if (!settings.on) {
		fail(r, 404, "NotFound",
		    "this mesh is the late one of -mesh kubelab; start airis-sim with -mesh istiod",
		    NULL);
		return;
	}
	r->code = 200;
	r->body = json_pack("{s:s, s:I, s:I, s:I, s:I, s:b, s:o, s:o}", "istiod",
	    state_names[state], "pushes", (json_int_t)pushes, "churn_ms",
	    (json_int_t)churn.every_ms, "late_ms", (json_int_t)proxies_settings.late_ms,
	    "warming_ms", (json_int_t)proxies_settings.warming_ms, "debouncing", (int)debounce.open,
	    "proxies", proxies_show(), "asked", istiodz_asked());
}

static int
number(const json_t *v, uint64_t least, uint64_t *out)
{
	if (!json_is_integer(v) || json_integer_value(v) < (json_int_t)least ||
	    json_integer_value(v) > 600000)
		return -1;
	*out = (uint64_t)json_integer_value(v);
	return 0;
}

static int
control(const char *key, const json_t *v)
{
	uint64_t n;

	if (strcmp(key, "churn_ms") == 0) {
		if (number(v, 0, &n) < 0)
			return -1;
		set_churn(n);
		return 0;
	}
	if (strcmp(key, "late_ms") == 0)
		return number(v, 1, &proxies_settings.late_ms);
	if (strcmp(key, "warming_ms") == 0)
		return number(v, 1, &proxies_settings.warming_ms);
	if (strcmp(key, "stopped") == 0)
		return proxies_set_stopped(v) ? 0 : -1;
	if (strcmp(key, "scoped") == 0)
		return proxies_set_scoped(v) ? 0 : -1;
	for (int i = 0; strcmp(key, "istiod") == 0 && i <= ISTIOD_DOWN; i++)
		if (json_is_string(v) && strcmp(json_string_value(v), state_names[i]) == 0) {
			set_state((enum istiod_state)i);
			return 0;
		}
	return -1;
}

void
istiod_control(struct req *q, struct reply *r)
{
	json_t *body, *v;
	const char *key;
	int rc = 0;

	if (!settings.on) {
		istiod_show(r);
		return;
	}
	body = api_body(q, r, false);
	if (body == NULL)
		return;
	json_object_foreach(body, key, v)
	{
		rc = rc < 0 ? rc : control(key, v);
	}
	json_decref(body);
	if (rc == 0)
		istiod_show(r);
	else
		fail_request(r,
		    "allowed: istiod (up, hung, down), churn_ms (0: none), late_ms and warming_ms "
		    "(at least 1), stopped and scoped (lists of names from GET /sim/mesh)");
}

void
istiod_init(const struct istiod_settings *s)
{
	settings = *s;
	store_listen(changed);
	proxies_init(s->proxies);
	learn_all();
	push(ALL_RESOURCES);
}
