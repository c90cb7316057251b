/* Where a test kills the daemon, and all the places there are. Empty but in a build with CRASH=1.
 */
#include "base/failpoint.h"

#ifdef AIRIS_CRASH

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME 96
#define SOON_NS 2000000
#define STAY_NS 150000000 /* in a thread that dies */

/* A transaction with WHAT in it: before it begins, when all of it is written and not committed,
 * when it is committed and nobody knows. */
static const char *const commit_places[] = {"commit:before", "commit:inside", "commit:after", NULL};
static const char *const commits[] = {"app", "app.deleted", "release", "key", "created", "compiled",
    "phase.progressing", "phase.paused", "phase.succeeded", "phase.aborting", "phase.aborted",
    "phase.failed", "stage", "settled", "unsettled", "ready", "seen", "accepted", "taken",
    "act.hpa_floor", "act.create_service", "act.add_subsets", "act.name_stable",
    "act.create_canary", "act.scale_canary", "act.weight", "act.set_image", "act.route_home",
    "act.delete_canary", "act.remove_subsets", "act.delete_service", "act.point_service",
    "act.follow_hpa", "act.scale_stable", "act.create_budget", "act.delete_budget", "act.roll",
    "act.backup", "act.replace_pod", "act.delete_pod", "acted", "measured", "drift", "drift_over",
    "waits", "command.promote", "command.approve", "command.pause", "command.resume",
    "command.retry", "command.abort", "superseded", "fenced", "fence_over", NULL};

/* A write to the cluster: its intent is durable and nothing sent, it is being sent, it was answered
 * and nothing is known of that. */
static const char *const act_places[] = {"act:handed", "act:sent", "act:answered", NULL};
static const char *const acts[] = {"hpa_floor", "create_service", "add_subsets", "name_stable",
    "create_canary", "scale_canary", "weight", "set_image", "route_home", "delete_canary",
    "remove_subsets", "delete_service", "point_service", "follow_hpa", "scale_stable",
    "create_budget", "delete_budget", "roll", "backup", "replace_pod", "delete_pod", NULL};

/* A request of a client: read, about to be answered, answered. */
static const char *const request_places[] = {"request", "answer:before", "answer:after", NULL};
static const char *const requests[] = {"app", "app.deleted", "start", "command", NULL};

static const char *const others[] = {
    "migrate:before",
    "migrate:statement", /* before each, its COMMIT included */
    "migrate:after",
    "backup:before",
    "backup:copied",
    "backup:named",
    "checkpoint:before",
    "checkpoint:inside",
    "checkpoint:after",
    "start:opened",
    "start:recovered",
    "start:listening",
    "gate:asked",
    "gate:answered",
    "reload:before",
    "reload:after",
    "stop:before",
    "stop:flushed",
    "stop:answered",
    "stop:writer",
    "stop:closed",
    NULL,
};

static const struct {
	const char *const *places, *const *what;
} table[] = {{commit_places, commits}, {act_places, acts}, {request_places, requests}};

#define ROWS (sizeof(table) / sizeof(table[0]))

static bool
is_one_of(const char *name, const char *const *list)
{
	while (*list != NULL && strcmp(*list, name) != 0)
		list++;
	return *list != NULL;
}

static bool
is_known(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		for (const char *const *place = table[i].places; *place != NULL; place++) {
			size_t length = strlen(*place);

			if (strncmp(name, *place, length) == 0 && name[length] == ':' &&
			    is_one_of(name + length + 1, table[i].what))
				return true;
		}
	return is_one_of(name, others);
}

int
failpoint_print(void)
{
	for (size_t i = 0; i < ROWS; i++)
		for (const char *const *place = table[i].places; *place != NULL; place++)
			for (const char *const *what = table[i].what; *what != NULL; what++)
				printf("%s:%s\n", *place, *what);
	for (const char *const *name = others; *name != NULL; name++)
		printf("%s\n", *name);
	return fflush(stdout);
}

/* One write for a line, so that those of two threads are not mixed. */
static void
note(const char *name)
{
	const char *path = getenv("AIRIS_FAILPOINT_LOG");
	char line[NAME + 2];
	int length = snprintf(line, sizeof(line), "%s\n", name);
	int fd = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (write(fd, line, (size_t)length) != length)
		abort();
	close(fd);
}

/* True when it is the one to die at, for the time that was asked for. */
static bool
is_due(const char *name)
{
	static atomic_int hits;
	const char *wanted = getenv("AIRIS_FAILPOINT");
	size_t length = strlen(name);
	long at;

	if (!is_known(name)) {
		fprintf(stderr, "failpoint %s is not in the table\n", name);
		abort();
	}
	note(name);
	if (wanted == NULL || strncmp(wanted, name, length) != 0)
		return false;
	at = wanted[length] == ':' ? strtol(wanted + length + 1, NULL, 10) : 1;
	if (at < 1 || (wanted[length] != ':' && wanted[length] != '\0'))
		return false; /* a longer name that begins with this one */
	return atomic_fetch_add(&hits, 1) + 1 == at;
}

/* The other threads go on for a moment: what is not durable must not be seen outside by then. */
_Noreturn static void
die(void)
{
	nanosleep(&(struct timespec){.tv_nsec = STAY_NS}, NULL);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

void
failpoint(const char *name)
{
	if (is_due(name))
		die();
}

void
failpoint_of(const char *place, const char *what)
{
	char name[NAME];

	snprintf(name, sizeof(name), "%s:%s", place, what);
	failpoint(name);
}

static void *
die_soon(void *arg)
{
	nanosleep(&(struct timespec){.tv_nsec = SOON_NS}, NULL);
	(void)arg;
	kill(getpid(), SIGKILL);
	return NULL;
}

void
failpoint_soon(const char *name)
{
	pthread_t thread;

	if (is_due(name) && pthread_create(&thread, NULL, die_soon, NULL) != 0)
		die();
}

void
failpoint_soon_of(const char *place, const char *what)
{
	char name[NAME];

	snprintf(name, sizeof(name), "%s:%s", place, what);
	failpoint_soon(name);
}

#endif
