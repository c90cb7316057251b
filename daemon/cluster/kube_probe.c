/* Is the server alive? Watches notice nothing when it stops answering. So, while something is being
 * watched and nothing was heard for a while, a cheap request; two failures in a row and everything
 * cached counts as stale, until one answers again. Nor do they notice that the machine slept: what
 * they told before that counts as stale at once, and they begin again. */
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "cluster/kube_caches.h"

enum { AGAIN_MS = 500, DEAD_EVERY_MS = 1000, LOOK_MS = 1000, SLEPT_MS = 2000 };

static void
set_timer(struct kube *kube)
{
	struct kube_probe *probe = &kube->probe;
	int64_t wait = probe->heard_ms + kube->settings.probe_ms - clock_mono_ms();

	if (probe->dead)
		wait = DEAD_EVERY_MS;
	else if (probe->failures)
		wait = AGAIN_MS;
	if (wait > LOOK_MS) /* its clock stands still in a sleep: soon after it */
		wait = LOOK_MS;
	loop_timer_set(probe->timer, wait > 0 ? wait : 0);
}

static int64_t
asleep_ms(void)
{
	return clock_boot_ms() - clock_mono_ms();
}

bool
kube_probe_slept(const struct kube *kube)
{
	return asleep_ms() - kube->probe.asleep_ms > SLEPT_MS;
}

/* As after a time in which the server was dead: fresh is what is open again. */
static void
wake_up(struct kube *kube)
{
	int64_t slept_ms = asleep_ms() - kube->probe.asleep_ms;

	kube->probe.asleep_ms += slept_ms;
	log_info("kube", "cluster %s: the machine slept for %lld s; everything is looked at again",
	    kube->name, (long long)(slept_ms / 1000));
	kube_watch_again(kube);
	kube_cache_look_all(kube);
}

static void
set_dead(struct kube *kube, const char *why)
{
	struct kube_probe *probe = &kube->probe;

	probe->dead = true;
	probe->dead_since_ms = clock_wall_ms();
	str_copy(probe->why, sizeof probe->why, why);
	log_debug("kube", "cluster %s is taken for dead: %s", kube->name, why);
	kube_cache_look_all(kube);
}

static void
set_alive(struct kube *kube)
{
	kube->probe.dead = false;
	log_debug("kube", "cluster %s answers again", kube->name);
	kube_send_wake(kube);
	kube_watch_again(kube);
	kube_cache_look_all(kube);
}

static void
on_probed(void *ctx, const struct kube_answer *answer)
{
	struct kube *kube = ctx;
	struct kube_probe *probe = &kube->probe;
	struct err why;

	probe->number = 0;
	if (answer->outcome == KUBE_ANSWERED && answer->status < 500) {
		probe->failures = 0;
		probe->heard_ms = clock_mono_ms();
		if (probe->dead)
			set_alive(kube);
	} else if (++probe->failures >= 2 && !probe->dead) {
		if (answer->outcome == KUBE_ANSWERED)
			err_set(&why,
			    "the API server of cluster %s says that it is not well: "
			    "/livez answered %d",
			    kube->name, answer->status);
		else
			err_set(&why, "%.1000s", answer->message);
		set_dead(kube, why.text);
	}
	set_timer(kube);
}

static bool
is_watching(const struct kube *kube)
{
	for (int kind = 0; kind < KUBE_KINDS; kind++)
		if (map_count(kube->caches[kind]))
			return true;
	return false;
}

static void
on_timer(void *ctx)
{
	struct kube *kube = ctx;
	struct kube_probe *probe = &kube->probe;

	if (probe->number)
		return;
	if (!is_watching(kube)) {
		probe->failures = 0;
		probe->dead = false;
		return; /* kube_probe_need starts it again */
	}
	if (kube_probe_slept(kube))
		wake_up(kube);
	if (!probe->dead && !probe->failures &&
	    clock_mono_ms() - probe->heard_ms < kube->settings.probe_ms) {
		set_timer(kube);
		return;
	}
	probe->number =
	    kube_send(kube, &(struct kube_sending){.call = {.lane = KUBE_VITAL,
						       .method = "GET",
						       .path = "/livez",
						       .deadline_ms = kube->settings.probe_ms / 4,
						       .done = on_probed,
						       .ctx = kube},
				.attempt_ms = kube->settings.probe_ms / 4,
				.once = true,
				.raw = true});
}

void
kube_probe_start(struct kube *kube)
{
	kube->probe.heard_ms = clock_mono_ms();
	kube->probe.asleep_ms = asleep_ms();
	kube->probe.timer = loop_timer_new(kube->loop, on_timer, kube);
}

void
kube_probe_done(struct kube *kube)
{
	loop_timer_free(kube->probe.timer);
}

void
kube_probe_need(struct kube *kube)
{
	if (!kube->probe.number)
		set_timer(kube);
}

void
kube_probe_heard(struct kube *kube)
{
	struct kube_probe *probe = &kube->probe;

	probe->heard_ms = clock_mono_ms();
	/* Back to life is said by the probe only, so that it is said once. */
	if (!probe->dead)
		probe->failures = 0;
}
