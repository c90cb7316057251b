/* Counting: what was never hit was never tested. */
#include "summary.h"
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "shrink.h"

#define ENOUGH 1000 /* seeds in which every kind must have done something */

void
summary_add(struct counters *sum, const struct counters *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;
	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

static void
print_hits(const char *what, const struct counters *sum, int from, int to)
{
	printf("%s:", what);
	for (int i = from; i < to; i++)
		printf(" %s %llu%s", item_name((enum item_kind)i), (unsigned long long)sum->hits[i],
		    i + 1 < to ? "," : "\n");
}

/* A schedule has an app or several, of one strategy or several. How many have none of a strategy
 * that they should have is returned. */
static int
print_strategies(const struct counters *sum)
{
	static const char *const names[STRATEGY_KINDS] = {[CANARY_HOST] = "canary, mode host",
	    [CANARY_SUBSET] = "canary, mode subset",
	    [COLOURS_SWITCHED] = "blue-green behind a Service",
	    [COLOURS_WEIGHED] = "blue-green by weights",
	    [ROLLS_DEPLOYMENT] = "rolling, a Deployment",
	    [ROLLS_STATEFULSET] = "rolling, a StatefulSet",
	    [ROLLS_DAEMONSET] = "rolling, a DaemonSet",
	    [ROLLS_BACKED_UP] = "rolling, after a backup"};
	int unhit = 0;
	printf("%-28s %10s %10s\n", "strategy", "schedules", "apps");
	for (int i = 0; i < STRATEGY_KINDS; i++) {
		printf("%-28s %10llu %10llu\n", names[i], (unsigned long long)sum->schedules[i],
		    (unsigned long long)sum->apps[i]);
		unhit += sum->seeds >= ENOUGH && sum->schedules[i] == 0;
	}
	return unhit;
}

int
summary_print(const struct counters *sum, int64_t took_ms)
{
	int unhit = 0;
	print_hits("faults", sum, 0, FIRST_CRASH);
	print_hits("crash points", sum, FIRST_CRASH, FIRST_COMMAND);
	print_hits("commands", sum, FIRST_COMMAND, ITEM_KINDS);
	unhit += print_strategies(sum);
	printf("pods of their own: %llu stuck ones deleted, %llu replaced on their node; backups: "
	       "%llu succeeded, %llu failed\n",
	    (unsigned long long)sum->unstuck, (unsigned long long)sum->replaced,
	    (unsigned long long)sum->backups[0], (unsigned long long)sum->backups[1]);
	printf("rollouts: %llu succeeded, %llu aborted, %llu failed on the way home\n",
	    (unsigned long long)sum->phases[PHASE_SUCCEEDED],
	    (unsigned long long)sum->phases[PHASE_ABORTED],
	    (unsigned long long)sum->phases[PHASE_FAILED]);
	printf("%llu events, %llu commits, %llu writes, %llu crashes, %llu simulated hours\n",
	    (unsigned long long)sum->events, (unsigned long long)sum->commits,
	    (unsigned long long)sum->acts, (unsigned long long)sum->crashes,
	    (unsigned long long)(sum->simulated_ms / 3600000));
	for (int i = 0; i < ITEM_KINDS && sum->seeds >= ENOUGH; i++)
		if (sum->hits[i] == 0) {
			printf("%s was never hit\n", item_name((enum item_kind)i));
			unhit++;
		}
	printf("%llu seeds in %lld.%lld s (%lld a second): ", (unsigned long long)sum->seeds,
	    (long long)took_ms / 1000, (long long)took_ms % 1000 / 100,
	    (long long)(took_ms > 0 ? (int64_t)sum->seeds * 1000 / took_ms : 0));
	return unhit;
}

int
summary_kept(const char *folder)
{
	glob_t found;
	char *pattern = str_format("%s/*.schedule", folder);
	int failed = 0;
	if (folder == NULL || glob(pattern, 0, NULL, &found) != 0) {
		free(pattern);
		return 0;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct schedule schedule;
		struct violation violation = {.law = "unread"};
		struct err e = {""};
		FILE *file = fopen(found.gl_pathv[i], "re");
		if (file != NULL && schedule_read(file, &schedule, &e) == 0)
			run_apart(&schedule, &violation);
		if (file != NULL)
			fclose(file);
		if (violation.law[0] == '\0')
			continue;
		printf("%s: %s: %s%s\n", found.gl_pathv[i], violation.law, violation.text, e.text);
		failed++;
	}
	printf("%d kept schedules, %d failed\n", (int)found.gl_pathc, failed);
	globfree(&found);
	free(pattern);
	return failed;
}
