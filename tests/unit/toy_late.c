/* The late mesh: a weight counts some random time after its write, an endpoint a fifth of that. */
#include "toy_world.h"

#include <stdarg.h>
#include <stdio.h>
#include "base/str.h"

void
toy_lost(struct toy *w, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = str_vformat(format, args);
	va_end(args);
	if (w->lost++ == 0)
		str_print(w->why, sizeof(w->why), "at %lld ms, stage %d, %s: %s", (long long)w->now,
		    w->r->stage, phase_name(w->r->phase), text);
	free(text);
}

/* What the mesh believes must be servable: enough pods that are there for each side's share. */
static void
check_traffic(struct toy *w, bool canary, int percent)
{
	int alive = 0, dead = 0;
	for (int i = 0; i < TOY_PODS; i++)
		if (w->pods[i].mesh && w->pods[i].canary == canary) {
			alive += w->pods[i].there;
			dead += !w->pods[i].there;
		}
	if (percent == 0 || (dead == 0 && alive * 200 >= percent * w->full))
		return;
	toy_lost(w, "%s has %d%% and %d pods alive, %d gone", canary ? "canary" : "stable", percent,
	    alive, dead);
}

static void
learn_pods(struct toy *w)
{
	for (int i = 0; i < TOY_PODS; i++) {
		struct pod *pod = &w->pods[i];
		if (toy_serves(pod) == pod->mesh)
			pod->mesh_at = 0;
		else if (pod->mesh_at == 0)
			pod->mesh_at = w->now + w->mesh_late / 5;
		else if (w->now >= pod->mesh_at)
			pod->mesh = !pod->mesh, pod->mesh_at = 0;
	}
}

void
toy_late_run(struct toy *w)
{
	learn_pods(w);
	bool accepted = w->now >= w->accepted_at;
	if (w->mesh_weight != w->weight && w->mesh_weight_at == 0 && accepted)
		w->mesh_weight_at = w->now + w->mesh_late / 2 +
				    (int64_t)toy_roll(w, (unsigned)w->mesh_late / 2 + 1);
	if (w->mesh_weight_at != 0 && w->now >= w->mesh_weight_at) {
		w->mesh_weight = w->weight;
		w->mesh_weight_at = 0;
	}
	if (w->mesh_weight > 0 && !w->service) {
		toy_lost(w, "weight without a Service");
	}
	check_traffic(w, true, w->mesh_weight);
	check_traffic(w, false, 100 - w->mesh_weight);
}
