/* istiod and its proxies, as they were measured: 100 ms of quiet, at most 10 s; one push carries
 * everything; clusters, then endpoints, then routes; a new cluster warms. And asking it: a change
 * is confirmed when every proxy has it, a little later than that. */
#include "toy_world.h"

#include "base/str.h"

#define DEBOUNCE_AFTER_MS 100
#define DEBOUNCE_MAX_MS 10000
#define WARMING_MS 15
#define PATIENCE_MS 15000

static bool
serves_requests(const struct toy_proxy *proxy)
{
	return !proxy->stopped && !proxy->scoped;
}

int
toy_most_weight(const struct toy *w)
{
	int most = 0;
	if (!w->istiod.on)
		return w->mesh_weight;
	for (int i = 0; i < TOY_PROXIES; i++)
		if (serves_requests(&w->istiod.proxies[i]) &&
		    w->istiod.proxies[i].has.weight > most)
			most = w->istiod.proxies[i].has.weight;
	return most;
}

int
toy_least_weight(const struct toy *w)
{
	int least = 100;
	if (!w->istiod.on)
		return w->mesh_weight;
	for (int i = 0; i < TOY_PROXIES; i++)
		if (serves_requests(&w->istiod.proxies[i]) &&
		    w->istiod.proxies[i].has.weight < least)
			least = w->istiod.proxies[i].has.weight;
	return least;
}

static int
known_canary(const struct toy *w, const bool ends[TOY_PODS])
{
	int n = 0;
	for (int i = 0; i < TOY_PODS; i++)
		n += ends[i] && w->pods[i].canary;
	return n;
}

int
toy_known_canary(const struct toy *w)
{
	bool believed[TOY_PODS];
	int least = TOY_PODS;
	for (int i = 0; i < TOY_PODS; i++)
		believed[i] = w->pods[i].mesh;
	if (!w->istiod.on)
		return known_canary(w, believed);
	for (int i = 0; i < TOY_PROXIES; i++) {
		const struct toy_proxy *proxy = &w->istiod.proxies[i];
		int n = known_canary(w, proxy->has.ends);
		if (serves_requests(proxy) && n < least)
			least = n;
	}
	return least;
}

/* --- pushes --- */

static unsigned
learn(struct toy *w)
{
	struct toy_config *known = &w->istiod.known;
	unsigned news = 0;
	if (known->service != w->service)
		news |= 1u << TOY_CLUSTERS | 1u << TOY_ENDPOINTS | 1u << TOY_ROUTES;
	if (known->weight != w->weight || known->named != w->named_canary)
		news |= 1u << TOY_ROUTES;
	known->service = w->service;
	known->weight = w->weight;
	known->named = w->named_canary;
	for (int i = 0; i < TOY_PODS; i++) {
		if (known->ends[i] != toy_serves(&w->pods[i]))
			news |= 1u << TOY_ENDPOINTS;
		known->ends[i] = toy_serves(&w->pods[i]);
	}
	return news;
}

static void
send(struct toy *w, struct toy_proxy *proxy, unsigned resources)
{
	int64_t due = w->now;
	if (proxy->scoped)
		return;
	for (int i = 0; i < TOY_RESOURCES; i++) {
		if (!(resources & 1u << i))
			continue;
		due += 1 + toy_roll(w, (unsigned)w->istiod.late_ms);
		if (due < proxy->coming[i].due)
			due = proxy->coming[i].due;
		proxy->coming[i].due = due;
		proxy->coming[i].config = w->istiod.known;
	}
}

static void
debounce(struct toy *w, unsigned news)
{
	struct toy_istiod *istiod = &w->istiod;
	if (news != 0) {
		istiod->last_ms = w->now;
		istiod->resources |= news;
		if (!istiod->open) {
			istiod->open = true;
			istiod->first_ms = w->now;
			istiod->look_ms = w->now + DEBOUNCE_AFTER_MS;
		}
	}
	if (!istiod->open || w->now < istiod->look_ms)
		return;
	int64_t quiet = w->now - istiod->last_ms;
	if (quiet < DEBOUNCE_AFTER_MS && w->now - istiod->first_ms < DEBOUNCE_MAX_MS) {
		istiod->look_ms = w->now + DEBOUNCE_AFTER_MS - quiet;
		return;
	}
	istiod->pushes++;
	istiod->open = false;
	for (int i = 0; i < TOY_PROXIES; i++)
		send(w, &istiod->proxies[i], istiod->resources);
	istiod->resources = 0;
}

static unsigned
churn(struct toy *w)
{
	struct toy_istiod *istiod = &w->istiod;
	if (istiod->churn_ms == 0 || w->now < istiod->churned_ms + istiod->churn_ms)
		return 0;
	istiod->churned_ms = w->now;
	return 1u << TOY_CLUSTERS | 1u << TOY_ENDPOINTS | 1u << TOY_ROUTES;
}

static void
arrive(struct toy *w, struct toy_proxy *proxy, enum toy_resource resource)
{
	const struct toy_config *config = &proxy->coming[resource].config;
	switch (resource) {
	case TOY_CLUSTERS:
		if (config->service && !proxy->has.service)
			proxy->warm_ms = w->now + 2 + toy_roll(w, WARMING_MS);
		proxy->has.service = config->service;
		break;
	case TOY_ENDPOINTS:
		for (int i = 0; i < TOY_PODS; i++)
			proxy->has.ends[i] = config->ends[i];
		break;
	case TOY_ROUTES:
		proxy->has.weight = config->weight;
		proxy->has.named = config->named;
		break;
	case TOY_RESOURCES:
		break;
	}
	proxy->coming[resource].due = 0;
}

static void
deliver(struct toy *w)
{
	for (int i = 0; i < TOY_PROXIES; i++) {
		struct toy_proxy *proxy = &w->istiod.proxies[i];
		for (int j = 0; j < TOY_RESOURCES && !proxy->stopped; j++)
			if (proxy->coming[j].due != 0 && w->now >= proxy->coming[j].due)
				arrive(w, proxy, (enum toy_resource)j);
	}
}

/* --- requests --- */

static void
check_side(struct toy *w, const struct toy_proxy *proxy, bool canary, int percent)
{
	int alive = 0, dead = 0;
	for (int i = 0; i < TOY_PODS; i++)
		if (proxy->has.ends[i] && w->pods[i].canary == canary) {
			alive += w->pods[i].there;
			dead += !w->pods[i].there;
		}
	if (percent == 0 || (dead == 0 && alive * 200 >= percent * w->full))
		return;
	toy_lost(w, "%s has %d%% and %d pods alive, %d gone", canary ? "canary" : "stable", percent,
	    alive, dead);
}

static void
check_requests(struct toy *w, const struct toy_proxy *proxy)
{
	if (!serves_requests(proxy))
		return;
	if (proxy->has.weight > 0 && (!proxy->has.service || w->now < proxy->warm_ms))
		toy_lost(w, "weight %d and no %s cluster", proxy->has.weight,
		    proxy->has.service ? "warm" : "known");
	check_side(w, proxy, true, proxy->has.weight);
	check_side(w, proxy, false, 100 - proxy->has.weight);
}

/* A pod's place is not used again while anybody may send to it. */
static void
keep_places(struct toy *w)
{
	for (int i = 0; i < TOY_PODS; i++) {
		bool sent = w->istiod.known.ends[i];
		for (int j = 0; j < TOY_PROXIES; j++) {
			const struct toy_proxy *proxy = &w->istiod.proxies[j];
			sent |=
			    proxy->has.ends[i] || (proxy->coming[TOY_ENDPOINTS].due != 0 &&
						      proxy->coming[TOY_ENDPOINTS].config.ends[i]);
		}
		w->pods[i].mesh = sent;
	}
}

/* --- asking --- */

static bool
knows_side(const struct toy *w, const struct toy_proxy *proxy, bool canary)
{
	for (int i = 0; i < TOY_PODS; i++)
		if (w->pods[i].canary == canary && toy_serves(&w->pods[i]) && !proxy->has.ends[i])
			return false;
	return !canary || !w->service || (proxy->has.service && w->now >= proxy->warm_ms);
}

static bool
has_taken(const struct toy *w, const struct toy_proxy *proxy, enum mesh_subject subject)
{
	bool route = proxy->has.weight == w->weight && proxy->has.named == w->named_canary &&
		     proxy->coming[TOY_ROUTES].due == 0;
	switch (subject) {
	case MESH_WEIGHT:
		return route;
	case MESH_ROUTING:
		return route && proxy->has.service == w->service && w->now >= proxy->warm_ms &&
		       proxy->coming[TOY_CLUSTERS].due == 0;
	case MESH_CANARY:
	case MESH_STABLE:
		return knows_side(w, proxy, subject == MESH_CANARY);
	case MESH_SUBJECTS:
		break;
	}
	return false;
}

/* Whether all proxies have it; patience over: those that have not are named. */
static bool
answer(struct toy *w, int subject, const char **missing)
{
	struct toy_istiod *istiod = &w->istiod;
	static const char *const names[TOY_PROXIES] = {"client-1.lab", "client-2.lab"};
	*missing = "";
	for (int i = 0; i < TOY_PROXIES; i++) {
		const struct toy_proxy *proxy = &istiod->proxies[i];
		if (!proxy->scoped && !proxy->stopped &&
		    has_taken(w, proxy, (enum mesh_subject)subject))
			continue;
		if (w->now < istiod->asked_ms[subject] + PATIENCE_MS)
			return false;
		*missing = names[i];
	}
	return true;
}

static bool
confirm(struct toy *w, int subject)
{
	struct toy_istiod *istiod = &w->istiod;
	enum mesh_subject what = (enum mesh_subject)subject;
	int64_t of_ms = rollout_changed_ms(w->r, what);
	const char *missing;
	if (rollout_taken(w->r, what) || !w->r->compiled)
		return false;
	if (istiod->of_ms[subject] != of_ms) {
		istiod->of_ms[subject] = of_ms;
		istiod->asked_ms[subject] = w->now;
		istiod->known_ms[subject] = 0;
	}
	if (!answer(w, subject, &missing)) {
		istiod->known_ms[subject] = 0;
		return false;
	}
	if (istiod->known_ms[subject] == 0)
		istiod->known_ms[subject] = w->now + toy_roll(w, 200);
	if (w->now < istiod->known_ms[subject])
		return false;
	toy_fold(w, EVENT_TAKEN,
	    json_pack("{s:s, s:I, s:I, s:s, s:s}", "subject", mesh_subject_name(what), "of_ms",
		(json_int_t)of_ms, "since_ms", (json_int_t)w->now, "known",
		missing[0] ? "assumed" : "confirmed", "missing", missing));
	return true;
}

static bool
ask(struct toy *w)
{
	struct toy_istiod *istiod = &w->istiod;
	bool news = false, mute = istiod->silent || istiod->down;
	if (!mute)
		istiod->asking.heard_ms = w->now;
	for (int i = 0; i < MESH_SUBJECTS && istiod->asks; i++) {
		str_copy(istiod->asking.text[i], sizeof(istiod->asking.text[i]),
		    mute ? "istiod http://10.0.0.9:15014 does not answer" : "");
		if (!mute)
			news |= confirm(w, i);
	}
	return news;
}

bool
toy_istiod_run(struct toy *w)
{
	if (!w->istiod.down)
		debounce(w, learn(w) | churn(w));
	deliver(w);
	for (int i = 0; i < TOY_PROXIES; i++)
		check_requests(w, &w->istiod.proxies[i]);
	keep_places(w);
	return ask(w);
}

void
toy_use_istiod(struct toy *w, int64_t churn_ms, bool asks)
{
	w->istiod = (struct toy_istiod){
	    .on = true, .churn_ms = churn_ms, .late_ms = 5 + toy_roll(w, 60), .asks = asks};
	for (int i = 0; i < MESH_SUBJECTS; i++)
		w->istiod.asking.way[i] = asks ? MESH_ISTIOD : MESH_TIME;
	learn(w);
	for (int i = 0; i < TOY_PROXIES; i++)
		w->istiod.proxies[i].has = w->istiod.known;
}
