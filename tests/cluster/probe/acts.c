/* A driver for daemon/cluster alone: follows one app on a real API server and performs every act in
 * a safe order, each twice (the second must find nothing to do), waiting in between for what the
 * caches show. Prints a line per step; exit status 0 when all went as expected.
 *
 *     acts KUBECONFIG APP.yaml NEW-IMAGE SETTLE-MS
 */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/yaml.h"
#include "cluster/cluster.h"

#define DEADLINE_MS 60000

enum until { UNTIL_NOTHING, UNTIL_CANARY_READY, UNTIL_STABLE_NEW, UNTIL_CANARY_GONE };

struct step {
	struct act act;
	enum until until;
	bool settle; /* the mesh has to learn it */
};

struct probe {
	struct loop *loop;
	struct cluster *cluster;
	struct cluster_port port;
	struct app *app;
	struct baseline baseline;
	struct observed seen;
	const char *image;
	int64_t settle_ms;
	struct step steps[32];
	int count, at;
	bool started, again; /* again: the step's act is being repeated */
	bool doubt;	     /* an answer was lost: it may be there already */
	bool waiting;	     /* for the step's condition */
	uint64_t number;
	int64_t since_ms;
	struct loop_timer *timer, *deadline;
	int failures;
};

static void
plan_add(struct probe *p, enum act_kind kind, int number, const char *text, enum until until)
{
	struct step *step = &p->steps[p->count++];

	step->act.kind = kind;
	step->act.number = number;
	str_copy(step->act.text, sizeof(step->act.text), text);
	step->until = until;
	step->settle = kind != ACT_HPA_FLOOR;
}

static void
plan_way(struct probe *p)
{
	bool subset = p->app->traffic.mode == TRAFFIC_SUBSET;
	int size = p->baseline.replicas;

	if (p->seen.hpa.exists)
		plan_add(p, ACT_HPA_FLOOR, size, "", UNTIL_NOTHING);
	plan_add(p, subset ? ACT_ADD_SUBSETS : ACT_CREATE_SERVICE, 0, "", UNTIL_NOTHING);
	if (subset)
		plan_add(p, ACT_NAME_STABLE, 0, "", UNTIL_NOTHING);
	plan_add(p, ACT_CREATE_CANARY, 1, p->image, UNTIL_CANARY_READY);
	plan_add(p, ACT_WEIGHT, 25, "", UNTIL_NOTHING);
	plan_add(p, ACT_SCALE_CANARY, size, "", UNTIL_CANARY_READY);
	plan_add(p, ACT_WEIGHT, 100, "", UNTIL_NOTHING);
	plan_add(p, ACT_SET_IMAGE, 0, p->image, UNTIL_STABLE_NEW);
	plan_add(p, ACT_WEIGHT, 0, "", UNTIL_NOTHING);
	plan_add(p, ACT_DELETE_CANARY, 0, "", UNTIL_CANARY_GONE);
	plan_add(p, ACT_ROUTE_HOME, 0, "", UNTIL_NOTHING);
	plan_add(p, subset ? ACT_REMOVE_SUBSETS : ACT_DELETE_SERVICE, 0, "", UNTIL_NOTHING);
	if (p->seen.hpa.exists)
		plan_add(p, ACT_HPA_FLOOR, p->baseline.hpa_min, "", UNTIL_NOTHING);
}

static void
print_seen(const struct probe *p)
{
	const struct observed *s = &p->seen;

	printf("    stable %d/%d new %d going %d image %s by '%s'; canary %s%s %d/%d going %d; "
	       "weight %d "
	       "%s%s%s by '%s'%s%s\n",
	    s->stable.ready, s->stable.replicas, s->stable.ready_new, s->stable.terminating,
	    s->stable.image, s->stable.edited_by, s->canary.exists ? "there" : "none",
	    s->canary.deleting ? " going" : "", s->canary.ready, s->canary.replicas,
	    s->canary.terminating, s->route.weight, s->route.names_canary ? "named" : "unnamed",
	    s->route.names_stable_subset ? " subset" : "", s->subsets.stable ? " subsets" : "",
	    s->route.edited_by, s->canary.problem.reason[0] != '\0' ? "; " : "",
	    s->canary.problem.reason);
}

static bool
reached(const struct probe *p, enum until until)
{
	const struct observed *s = &p->seen;

	switch (until) {
	case UNTIL_NOTHING:
		return true;
	case UNTIL_CANARY_READY:
		return s->canary.observed && s->canary.ready_new >= s->canary.replicas;
	case UNTIL_STABLE_NEW:
		return s->stable.observed && s->stable.ready_new == s->stable.replicas &&
		       s->stable.terminating == 0 && s->stable.ready == s->stable.ready_new;
	case UNTIL_CANARY_GONE:
		return !s->canary.exists;
	}
	return false;
}

static void
fail(struct probe *p, const char *why)
{
	printf("FAILED: %s\n", why);
	print_seen(p);
	p->failures++;
	loop_stop(p->loop);
}

static void
send_act(struct probe *p)
{
	if (p->at == p->count) {
		printf("all %d steps done\n", p->count);
		loop_stop(p->loop);
		return;
	}
	p->since_ms = clock_mono_ms();
	p->number = p->port.act(p->port.ctx, p->app, &p->baseline, &p->steps[p->at].act);
	loop_timer_set(p->deadline, DEADLINE_MS);
}

static void
observe(struct probe *p)
{
	p->port.observe(p->port.ctx, p->app, p->image, &p->seen);
}

static void
next(void *ctx)
{
	struct probe *p = ctx;

	if (p->doubt) { /* the same act again */
		send_act(p);
		return;
	}
	p->at++;
	p->again = false;
	send_act(p);
}

static void
look(struct probe *p)
{
	const struct step *step = &p->steps[p->at];

	if (!p->waiting || !reached(p, step->until))
		return;
	p->waiting = false;
	printf("    reached after %lld ms\n", (long long)(clock_mono_ms() - p->since_ms));
	print_seen(p);
	loop_timer_set(p->timer, step->settle ? p->settle_ms : 0);
}

static void
on_acted(void *ctx, uint64_t number, enum act_outcome outcome, const char *text, int64_t retry_ms)
{
	struct probe *p = ctx;
	enum act_outcome expected = p->again ? ACT_ALREADY : ACT_DONE;
	char line[512];

	(void)retry_ms;
	if (number != p->number) {
		fail(p, "an answer to another act");
		return;
	}
	act_text(&p->steps[p->at].act, p->app, line, sizeof(line));
	printf("%-14s %-9s %4lld ms  %s %s\n", act_name(p->steps[p->at].act.kind),
	    act_outcome_name(outcome), (long long)(clock_mono_ms() - p->since_ms), line, text);
	observe(p);
	if (outcome == ACT_CONFLICT) { /* decided on what was older than the cluster */
		send_act(p);
		return;
	}
	if (outcome == ACT_UNKNOWN || outcome == ACT_UNREACHED) {
		p->doubt = true;
		loop_timer_set(p->timer, 500);
		return;
	}
	if (p->doubt && outcome == ACT_ALREADY)
		expected = ACT_ALREADY;
	p->doubt = false;
	if (outcome != expected) {
		fail(p, "not the outcome that was expected");
	} else if (!p->again) {
		p->again = true;
		send_act(p);
	} else {
		p->waiting = true;
		look(p);
	}
}

static void
on_changed(void *ctx, const char *name)
{
	struct probe *p = ctx;

	if (strcmp(name, p->app->name) != 0) {
		fail(p, "changed was told of another app");
		return;
	}
	observe(p);
	if (p->started) {
		look(p);
		return;
	}
	if (!p->seen.fresh)
		return;
	if (p->seen.verified_ms == 0) {
		p->port.verify(p->port.ctx, p->app);
		return;
	}
	p->started = true;
	print_seen(p);
	if (p->seen.preflight[0] != '\0') {
		fail(p, p->seen.preflight);
		return;
	}
	baseline_take(&p->baseline, &p->seen);
	plan_way(p);
	send_act(p);
}

static void
on_deadline(void *ctx)
{
	struct probe *p = ctx;

	fail(p, p->seen.fresh ? "nothing more happened for a minute" : p->seen.stale);
}

static struct app *
read_app(const char *file)
{
	static char text[65536];
	FILE *f = fopen(file, "re");
	size_t length = f != NULL ? fread(text, 1, sizeof(text), f) : 0;
	struct errlist errors;
	struct app *app = NULL;
	struct err e = {""};
	json_t *spec;

	if (f != NULL)
		fclose(f);
	if (yaml_parse(text, length, &spec, NULL, &e) < 0) {
		printf("%s: %s\n", file, e.text);
		return NULL;
	}
	errlist_init(&errors);
	app = app_parse(spec, &errors);
	for (size_t i = 0; i < errors.count; i++)
		printf("%s: %s\n", errors.items[i].path, errors.items[i].text);
	errlist_done(&errors);
	json_decref(spec);
	return app;
}

int
main(int argc, char **argv)
{
	static struct probe p;
	struct kube_settings settings = {.name = "probe"};
	struct cluster_events events = {&p, on_changed, on_acted};
	struct err e = {""};

	mem_json_hook();
	log_setup(LOG_INFO, LOG_TEXT, "probe");
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 5 || str_number(argv[4], 0, 60000, &p.settle_ms) < 0) {
		printf("usage: acts KUBECONFIG APP.yaml NEW-IMAGE SETTLE-MS\n");
		return 2;
	}
	p.image = argv[3];
	p.app = read_app(argv[2]);
	if (p.app == NULL)
		return 2;
	p.loop = loop_new();
	settings.kubeconfig = argv[1];
	p.cluster = cluster_new(p.loop, &settings, NULL, &events, &e);
	if (p.cluster == NULL) {
		printf("%s\n", e.text);
		return 2;
	}
	p.port = cluster_port(p.cluster);
	p.timer = loop_timer_new(p.loop, next, &p);
	p.deadline = loop_timer_new(p.loop, on_deadline, &p);
	loop_timer_set(p.deadline, DEADLINE_MS);
	p.port.follow(p.port.ctx, p.app, true);
	loop_run(p.loop);
	cluster_free(p.cluster);
	loop_timer_free(p.timer);
	loop_timer_free(p.deadline);
	loop_free(p.loop);
	app_free(p.app);
	return p.failures > 0;
}
