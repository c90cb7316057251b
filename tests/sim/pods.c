/* pods: the nodes: kubelets that run nothing. They bind every pod to one of three nodes, give
 * it an address, and move it to the state that its image's tag asks for:
 *
 *	…-nopull  ImagePullBackOff            …-crash    CrashLoopBackOff, restarting
 *	…-never   running, never ready        …-slow     ready after 5 s
 *	…-flap    ready on and off, 4 s each  …-nosched  no node fits it
 *	…-fail    of a Job: fails, where it would succeed, after 1 s
 *
 * Any other pod is ready after the setting, or after its annotation lab/ready-after. */
#include "jx.h"
#include "plan.h"
#include "podmake.h"
#include "pods.h"
#include "util.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

struct state {
	const char *phase;
	bool ready;
	const char *waiting, *message; /* reason of a waiting container, or NULL */
	int restarts;
};

static const char *const node_names[] = {"lab-a", "lab-b", "lab-c"};
static uint64_t ready_after, turns;

struct podx *
pods_ext(struct obj *o)
{
	if (o->ext == NULL)
		o->ext = xalloc(sizeof(struct podx));
	return o->ext;
}

static json_t *
condition(const char *type, bool yes, const char *now)
{
	return json_pack("{s:s, s:s, s:n, s:s}", "type", type, "status", yes ? "True" : "False",
	    "lastProbeTime", "lastTransitionTime", now);
}

/* The conditions of a pod that has a node; pods of one second share them. */
static json_t *
conditions_of(bool ready, const char *now)
{
	static json_t *made[2];
	static char when[2][32];
	json_t *list;

	if (made[ready] == NULL || strcmp(when[ready], now) != 0) {
		json_decref(made[ready]);
		list = json_array();
		json_array_append_new(list, condition("PodScheduled", true, now));
		json_array_append_new(list, condition("Initialized", true, now));
		json_array_append_new(list, condition("ContainersReady", ready, now));
		json_array_append_new(list, condition("Ready", ready, now));
		made[ready] = list;
		snprintf(when[ready], sizeof(when[ready]), "%s", now);
	}
	return json_incref(made[ready]);
}

static json_t *
how_it_is(const struct state *s, const char *now)
{
	if (s->waiting != NULL)
		return json_pack(
		    "{s:{s:s, s:s}}", "waiting", "reason", s->waiting, "message", s->message);
	if (strcmp(s->phase, "Succeeded") == 0 || strcmp(s->phase, "Failed") == 0)
		return json_pack("{s:{s:i, s:s}}", "terminated", "exitCode",
		    strcmp(s->phase, "Failed") == 0, "finishedAt", now);
	return json_pack("{s:{s:s}}", "running", "startedAt", now);
}

static json_t *
container_statuses(const struct obj *o, const struct state *s, const char *now)
{
	json_t *list = json_array(), *c, *row;
	size_t i;

	json_array_foreach(jx_at(o->json, "spec.containers"), i, c)
	{
		const char *image = jx_str(c, "image");
		json_t *how = how_it_is(s, now);

		row = json_pack("{s:s, s:o, s:{}, s:b, s:i, s:s, s:s, s:b}", "name",
		    jx_str(c, "name"), "state", how, "lastState", "ready", (int)s->ready,
		    "restartCount", s->restarts, "image", image, "imageID", image, "started",
		    s->waiting == NULL);
		json_array_append_new(list, row);
	}
	return list;
}

static void
set_state(struct obj *o, const struct state *s)
{
	struct podx *x = pods_ext(o);
	json_t *next = json_copy(o->json), *status = jx_own(next, "status");
	char now[32];

	wall_text(now, sizeof(now));
	jx_set_str(status, "phase", s->phase);
	jx_set_str(status, "hostIP", "10.0.0.1");
	jx_set_str(status, "podIP", x->ip);
	json_object_set_new(status, "podIPs", json_pack("[{s:s}]", "ip", x->ip));
	if (json_object_get(status, "startTime") == NULL)
		jx_set_str(status, "startTime", now);
	json_object_set_new(status, "conditions", conditions_of(s->ready, now));
	json_object_set_new(status, "containerStatuses", container_statuses(o, s, now));
	if (s->ready && x->ready_ms == 0)
		x->ready_ms = now_ms();
	else if (!s->ready)
		x->ready_ms = 0;
	x->restarts = s->restarts;
	store_put(o->kind, o, next);
}

static void
unschedulable(struct obj *o)
{
	json_t *next = json_copy(o->json), *c;
	char now[32];

	wall_text(now, sizeof(now));
	c = condition("PodScheduled", false, now);
	jx_set_str(c, "reason", "Unschedulable");
	jx_set_str(c, "message", "0/3 nodes are available: 3 Insufficient cpu.");
	json_object_set_new(jx_own(next, "status"), "conditions", json_pack("[o]", c));
	store_put(o->kind, o, next);
}

static void
bind(struct obj *o)
{
	struct podx *x = pods_ext(o);
	json_t *next;
	uint64_t turn = ++turns;
	const char *node;

	snprintf(x->ip, sizeof(x->ip), "10.%u.%u.%u", (unsigned)(244 + turn / 62500 % 10),
	    (unsigned)(turn / 250 % 250), (unsigned)(turn % 250 + 1));
	if (jx_str(o->json, "spec.nodeName") != NULL)
		return;
	next = json_copy(o->json);
	node = pod_node(o);
	jx_set_str(jx_own(next, "spec"), "nodeName", node != NULL ? node : node_names[turn % 3]);
	store_put(o->kind, o, next);
}

static void
step_crash(struct obj *o, int step)
{
	int round = step / 2;

	if (step % 2 == 0)
		set_state(o, &(struct state){"Running", round % 2 == 0, NULL, NULL, round});
	else
		set_state(o, &(struct state){"Running", false, "CrashLoopBackOff",
				 "back-off restarting failed container", round + 1});
	plan_task(o, T_STEP, 1500);
}

static void
step_good(struct obj *o, const char *image, int step)
{
	const char *text = jx_annotation(o->json, "lab/ready-after");
	int64_t after = duration_ms(text);

	if (after < 0)
		after = (int64_t)ready_after;
	if (strstr(image, "-slow") != NULL)
		after = 5000;
	set_state(o, &(struct state){"Running", step > 0, NULL, NULL, 0});
	if (step == 0)
		plan_task(o, T_STEP, (uint64_t)after);
}

static bool
is_of_job(const struct obj *o)
{
	const char *kind =
	    jx_str(json_array_get(jx_at(o->json, "metadata.ownerReferences"), 0), "kind");

	return kind != NULL && strcmp(kind, "Job") == 0;
}

static void
step_job(struct obj *o, const char *image, int step)
{
	bool fails = strstr(image, "-fail") != NULL;

	if (step == 0) {
		set_state(o, &(struct state){"Running", true, NULL, NULL, 0});
		plan_task(o, T_STEP, 1000);
	} else {
		set_state(o, &(struct state){fails ? "Failed" : "Succeeded", false, NULL, NULL, 0});
	}
}

static void
live(struct obj *o)
{
	struct podx *x = pods_ext(o);
	const char *image = jx_str(json_array_get(jx_at(o->json, "spec.containers"), 0), "image");
	char message[300];
	int step = x->step++;

	if (image == NULL || jx_str(o->json, "metadata.deletionTimestamp") != NULL)
		return;
	if (strstr(image, "-nosched") != NULL) {
		unschedulable(o);
		return;
	}
	if (step == 0)
		bind(o);
	if (is_of_job(o)) {
		step_job(o, image, step);
	} else if (strstr(image, "-nopull") != NULL) {
		snprintf(message, sizeof(message), "Back-off pulling image %.200s", image);
		set_state(o, &(struct state){"Pending", false, "ImagePullBackOff", message, 0});
	} else if (strstr(image, "-crash") != NULL) {
		step_crash(o, step);
	} else if (strstr(image, "-never") != NULL) {
		set_state(o, &(struct state){"Running", false, NULL, NULL, 0});
	} else if (strstr(image, "-flap") != NULL) {
		set_state(o, &(struct state){"Running", step % 2 == 0, NULL, NULL, 0});
		plan_task(o, T_STEP, 4000);
	} else {
		step_good(o, image, step);
	}
}

static void
changed(struct obj *o, enum change change, json_t *before)
{
	(void)before;
	if (o->kind->id == K_POD && change == ADDED)
		plan_task(o, T_STEP, 5);
}

void
pods_init(uint64_t ready_after_ms)
{
	ready_after = ready_after_ms;
	store_listen(changed);
	plan_register(K_POD, T_STEP, live);
}
