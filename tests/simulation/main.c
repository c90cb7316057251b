/* simulate: many seeds in a few processes, and one line that says what came of it; or one seed, or
 * one schedule, with everything that happens in it. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "disk.h"
#include "shrink.h"
#include "summary.h"
#include "virtual_loop.h"

/* One seed in so many is run again: the same seed, the same run. */
static uint64_t twice_in = 100;

struct options {
	uint64_t from, seeds;
	int jobs, most;
	bool one, trace, shrinks;
	const char *schedule, *kept;
};

static void
usage(void)
{
	fputs("simulate [--seeds N] [--from N] [--jobs N] [--kept FOLDER] [--most N]\n"
	      "         [--twice N]\n"
	      "         many seeds; those kept in FOLDER first; stops after N failures (1);\n"
	      "         one in N (100) is run twice and must do the same\n"
	      "simulate --seed N | --schedule FILE [--trace] [--shrink]\n"
	      "         one of them; --trace: everything that happens in it\n",
	    stderr);
	exit(2);
}

/* --- one ---------------------------------------------------------------------------------------
 */

static void
report_failure(
    const char *name, struct schedule *schedule, const struct violation *violation, bool shrinks)
{
	printf("%s: %s: %s\n", name, violation->law, violation->text);
	if (!shrinks)
		return;
	int before = schedule->count, runs = shrink(schedule, violation);
	printf("# %d of its %d items are enough (%d runs):\n", schedule->count, before, runs);
	schedule_write(schedule, stdout);
	fflush(stdout);
}

static int
read_schedule(const char *path, struct schedule *schedule)
{
	struct err e;
	FILE *file = fopen(path, "re");
	int rc = file == NULL ? err_set(&e, "%s", strerror(errno)) : 0;
	if (rc == 0)
		rc = schedule_read(file, schedule, &e);
	if (file != NULL)
		fclose(file);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", path, e.text);
	return rc;
}

static int
run_one(const struct options *o)
{
	struct schedule schedule;
	struct violation violation = {0};
	struct counters counters = {0};
	uint64_t hash = 0;
	char name[64];
	if (o->schedule == NULL)
		schedule_make(o->from, &schedule);
	else if (read_schedule(o->schedule, &schedule) < 0)
		return 2;
	if (o->trace) {
		schedule_write(&schedule, stdout);
		log_setup(LOG_INFO, LOG_TEXT, "simulate");
	}
	if (o->shrinks)
		run_apart(&schedule, &violation);
	if (violation.law[0] == '\0')
		world_run(&schedule, o->trace ? stdout : NULL, &counters, &violation, &hash);
	str_print(name, sizeof(name), "seed %llu", (unsigned long long)schedule.seed);
	if (violation.law[0] == '\0')
		printf("%s: no violation, %llu events, trace %016llx\n", name,
		    (unsigned long long)counters.events, (unsigned long long)hash);
	else
		report_failure(name, &schedule, &violation, o->shrinks);
	return violation.law[0] != '\0';
}

/* --- many --------------------------------------------------------------------------------------
 */

struct worker {
	pid_t pid;
	uint64_t at;	 /* the seed that it runs */
	uint64_t failed; /* failures so far */
	uint64_t failing[64];
	bool done;
	struct counters counters;
};

static bool
run_seed(uint64_t seed, struct counters *counters)
{
	struct schedule schedule;
	struct violation violation;
	uint64_t hash, again;
	schedule_make(seed, &schedule);
	world_run(&schedule, NULL, counters, &violation, &hash);
	if (violation.law[0] != '\0' || seed % twice_in != 0)
		return violation.law[0] == '\0';
	struct counters unused = {0};
	world_run(&schedule, NULL, &unused, &violation, &again);
	if (hash != again)
		printf("seed %llu: two runs of it differ\n", (unsigned long long)seed);
	return hash == again;
}

static void
work(struct worker *me, uint64_t end, uint64_t step, int most)
{
	for (; me->at < end && me->failed < (uint64_t)most && me->failed < 64; me->at += step) {
		alarm(60);
		if (run_seed(me->at, &me->counters))
			continue;
		me->failing[me->failed++] = me->at;
		fprintf(stderr, "seed %llu: a violation, shown at the end\n",
		    (unsigned long long)me->at);
	}
	me->done = true;
	fflush(stdout);
	_exit(0);
}

static void
start_worker(struct worker *worker, const struct options *o)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid != 0)
		worker->pid = pid; /* the memory is shared: the child must not write its 0 */
	else
		work(worker, o->from + o->seeds, (uint64_t)o->jobs, o->most);
}

/* One that died found something too; another goes on after that seed. */
static void
wait_for(struct worker *workers, const struct options *o)
{
	for (int i = 0; i < o->jobs; i++)
		start_worker(&workers[i], o);
	for (int i = 0; i < o->jobs;) {
		int status = 0;
		waitpid(workers[i].pid, &status, 0);
		if (workers[i].done || workers[i].failed >= 64) {
			i++;
			continue;
		}
		printf("seed %llu: its process died (signal %d)\n",
		    (unsigned long long)workers[i].at, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		workers[i].failing[workers[i].failed++] = workers[i].at;
		workers[i].at += (uint64_t)o->jobs;
		start_worker(&workers[i], o);
	}
}

static int
report_failing(const struct worker *workers, const struct options *o)
{
	int failed = 0;
	for (int i = 0; i < o->jobs; i++)
		for (uint64_t n = 0; n < workers[i].failed; n++) {
			struct schedule schedule;
			struct violation violation;
			char name[64];
			schedule_make(workers[i].failing[n], &schedule);
			run_apart(&schedule, &violation);
			str_print(name, sizeof(name), "seed %llu",
			    (unsigned long long)workers[i].failing[n]);
			report_failure(name, &schedule, &violation, failed++ < 3);
		}
	return failed;
}

static int64_t
now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
run_many(const struct options *o)
{
	size_t size = sizeof(struct worker) * (size_t)o->jobs;
	struct worker *workers =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct counters sum = {0};
	int64_t began_ms = now_ms();
	if (workers == MAP_FAILED)
		return 2;
	printf("simulate: seeds %llu to %llu, %d processes\n", (unsigned long long)o->from,
	    (unsigned long long)(o->from + o->seeds - 1), o->jobs);
	for (int i = 0; i < o->jobs; i++)
		workers[i].at = o->from + (uint64_t)i;
	wait_for(workers, o);
	for (int i = 0; i < o->jobs; i++)
		summary_add(&sum, &workers[i].counters);
	int64_t took_ms = now_ms() - began_ms;
	int failed = report_failing(workers, o);
	int unhit = summary_print(&sum, took_ms);
	printf("%d violations\n", failed);
	return failed > 0 || unhit > 0;
}

static void
parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"seeds", 1, NULL, 'n'}, {"from", 1, NULL, 'f'},
	    {"jobs", 1, NULL, 'j'}, {"kept", 1, NULL, 'k'}, {"seed", 1, NULL, 's'},
	    {"schedule", 1, NULL, 'S'}, {"trace", 0, NULL, 't'}, {"shrink", 0, NULL, 'r'},
	    {"most", 1, NULL, 'm'}, {"twice", 1, NULL, 'w'}, {NULL, 0, NULL, 0}};
	int letter;
	while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		int64_t number = 0;
		bool numeric = strchr("nfjsmw", letter) != NULL;
		if (numeric && str_number(optarg, 0, INT64_MAX / 2, &number) < 0)
			usage();
		if (letter == 'n')
			o->seeds = (uint64_t)number;
		else if (letter == 'f' || letter == 's')
			o->from = (uint64_t)number;
		else if (letter == 'j')
			o->jobs = (int)number;
		else if (letter == 'm')
			o->most = (int)number;
		else if (letter == 'w')
			twice_in = number > 0 ? (uint64_t)number : 1;
		else if (letter == 'k')
			o->kept = optarg;
		else if (letter == 'S')
			o->schedule = optarg;
		else if (letter == 't')
			o->trace = true;
		else if (letter == 'r')
			o->shrinks = true;
		else
			usage();
		o->one |= letter == 's' || letter == 'S';
	}
}

/* A database that is migrated already is what every run begins with. */
static void
prepare(void)
{
	static struct counters unused;
	struct violation violation;
	struct schedule schedule;
	uint64_t hash;
	disk_register();
	schedule_make(0, &schedule);
	schedule.count = schedule.app_count = 0;
	schedule.end_ms = 2000;
	world_run(&schedule, NULL, &unused, &violation, &hash);
	disk_keep();
}

int
main(int argc, char **argv)
{
	struct options o = {.seeds = 1000, .jobs = 2, .most = 1};
	if (getrandom(&o.from, 4, 0) != 4)
		return 2;
	o.from &= 0x7fffffff;
	parse(argc, argv, &o);
	log_setup(LOG_ERROR + 1, LOG_TEXT, "simulate");
	prepare();
	if (o.one)
		return run_one(&o);
	return summary_kept(o.kept) > 0 ? 1 : run_many(&o);
}
