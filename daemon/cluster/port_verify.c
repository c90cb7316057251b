/* Verifying: the objects that decide (routes, Deployments, endpoints) are read directly, and the
 * caches take what was read. It counts from when the first read went out, however long it waited
 * for the budget; and only a few apps at a time, so that it is not old before it can be used. Until
 * it succeeds it is repeated, with growing waits, as long as the app is followed. */
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "cluster/cluster.h"
#include "cluster/port_app.h"
#include "cluster/route_form.h"
#include "cluster/workload.h"

#define AT_ONCE 4
#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS 30000

static void begin(struct port_app *app);

/* --- turns --- */

static void
queue(struct port_turns *turns, struct port_app *app)
{
	app->verify.queued = true;
	app->verify.next = NULL;
	if (turns->last != NULL)
		turns->last->verify.next = app;
	else
		turns->first = app;
	turns->last = app;
}

static void
unqueue(struct port_turns *turns, struct port_app *app)
{
	struct port_app **at = &turns->first, *before = NULL;

	while (*at != app) {
		before = *at;
		at = &before->verify.next;
	}
	*at = app->verify.next;
	if (turns->last == app)
		turns->last = before;
	app->verify.queued = false;
}

static void
give_turns(struct port_turns *turns)
{
	while (turns->first != NULL && turns->under_way < AT_ONCE) {
		struct port_app *app = turns->first;

		unqueue(turns, app);
		turns->under_way++;
		begin(app);
	}
}

/* --- reads --- */

static void
settle(struct port_app *app)
{
	struct port_verify *v = &app->verify;
	struct port_turns *turns = cluster_turns(app->cluster);

	turns->under_way--;
	if (v->failed) {
		v->retry_ms = v->retry_ms == 0 ? RETRY_FIRST_MS : v->retry_ms * 2;
		if (v->retry_ms > RETRY_MOST_MS)
			v->retry_ms = RETRY_MOST_MS;
		loop_timer_set(v->retry, v->retry_ms);
	} else {
		app->verified_ms = v->sent_ms;
		app->unanswered[0] = '\0';
		v->retry_ms = 0;
		loop_timer_clear(v->retry);
		app->must_verify &= !v->covers;
	}
	port_changed(app->cluster, app->app->name);
	if (!v->failed && app->must_verify)
		port_verify(app);
	give_turns(turns);
}

static void
note_failure(struct port_app *app, const struct kube_answer *answer)
{
	app->verify.failed = true;
	if (app->unanswered[0] == '\0')
		app->unanswered_since_ms = clock_wall_ms();
	if (answer->outcome == KUBE_ANSWERED)
		str_print(app->unanswered, sizeof(app->unanswered),
		    "the API server answered HTTP %d %s to a direct read: %s", answer->status,
		    answer->reason, answer->message);
	else
		str_print(app->unanswered, sizeof(app->unanswered),
		    "the API server does not answer: %s", answer->message);
}

static void
on_read(void *ctx, const struct kube_answer *answer)
{
	struct port_app *app = ctx;
	struct port_verify *v = &app->verify;
	bool ok = answer->outcome == KUBE_ANSWERED &&
		  ((answer->status >= 200 && answer->status < 300) || answer->status == 404);

	for (int i = 0; i < PORT_READS; i++)
		if (v->reads[i] == answer->number)
			v->reads[i] = 0;
	if (!ok)
		note_failure(app, answer);
	if (v->sent_ms == 0 || answer->sent_ms < v->sent_ms)
		v->sent_ms = answer->sent_ms;
	if (--v->waiting == 0)
		settle(app);
}

static void
read_one(struct port_app *app, enum kube_kind kind, const char *name)
{
	struct port_verify *v = &app->verify;
	struct kube *kube = cluster_kube(app->cluster);

	if (name[0] == '\0') /* an app that rolls has none */
		return;
	v->reads[v->waiting++] =
	    kube_read(kube, KUBE_NORMAL, kind, app->app->namespace, name, on_read, app);
}

static void
read_slices(struct port_app *app, const char *service)
{
	struct port_verify *v = &app->verify;
	struct kube *kube = cluster_kube(app->cluster);
	char *labels;

	if (service[0] == '\0')
		return;
	labels = str_format("kubernetes.io/service-name=%s", service);

	v->reads[v->waiting++] = kube_read_list(
	    kube, KUBE_NORMAL, KUBE_ENDPOINTSLICES, app->app->namespace, labels, on_read, app);
	free(labels);
}

static void
retry(void *ctx)
{
	port_verify(ctx);
}

static void
begin(struct port_app *app)
{
	struct port_verify *v = &app->verify;
	const struct traffic_spec *traffic = &app->app->traffic;
	const char *workloads[APP_WORKLOADS];
	int count = app_workloads(app->app, workloads);

	v->failed = false;
	v->covers = true;
	v->sent_ms = 0;
	read_one(app, route_form(app->app)->kind, traffic->route);
	for (int i = 0; i < count; i++)
		read_one(app, workload_kind(app->app), workloads[i]);
	read_slices(app, traffic->service);
	if (traffic->mode == TRAFFIC_HOST)
		read_slices(app, traffic->canary_service);
	else
		read_one(app, KUBE_DESTINATIONRULES, traffic->destination_rule);
}

void
port_verify(struct port_app *app)
{
	struct port_verify *v = &app->verify;

	if (v->waiting > 0 || v->queued) /* verified_ms will say whether that was enough */
		return;
	if (v->retry == NULL)
		v->retry = loop_timer_new(cluster_loop(app->cluster), retry, app);
	loop_timer_clear(v->retry);
	queue(cluster_turns(app->cluster), app);
	give_turns(cluster_turns(app->cluster));
}

void
port_verify_cancel(struct port_app *app)
{
	struct port_turns *turns = cluster_turns(app->cluster);

	if (app->verify.queued)
		unqueue(turns, app);
	turns->under_way -= app->verify.waiting > 0;
	for (int i = 0; i < PORT_READS; i++)
		if (app->verify.reads[i] != 0)
			kube_cancel(cluster_kube(app->cluster), app->verify.reads[i]);
	loop_timer_free(app->verify.retry);
	memset(&app->verify, 0, sizeof(app->verify));
	give_turns(turns);
}
