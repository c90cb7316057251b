/* Taking items out, by halves first and then one by one, and apps that nothing is done to. */
#include "shrink.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/str.h"

#define HANG_SECONDS 30

static void
run_inside(const struct schedule *schedule, int to)
{
	static struct counters counters;
	struct violation violation;
	uint64_t hash;
	alarm(HANG_SECONDS);
	world_run(schedule, NULL, &counters, &violation, &hash);
	_exit(write(to, &violation, sizeof(violation)) == (ssize_t)sizeof(violation) ? 0 : 1);
}

void
run_apart(const struct schedule *schedule, struct violation *violation)
{
	int ends[2], status = 0;
	*violation = (struct violation){.law = "crash"};
	if (pipe(ends) < 0)
		return;
	pid_t child = fork();
	if (child == 0)
		run_inside(schedule, ends[1]);
	close(ends[1]);
	ssize_t got = child < 0 ? -1 : read(ends[0], violation, sizeof(*violation));
	close(ends[0]);
	if (child > 0)
		waitpid(child, &status, 0);
	if (got == (ssize_t)sizeof(*violation))
		return;
	bool hangs = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
	str_copy(violation->law, sizeof(violation->law), hangs ? "hang" : "crash");
	str_print(violation->text, sizeof(violation->text), "signal %d",
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static bool
still_fails(const struct schedule *schedule, const struct violation *violation, int *runs)
{
	struct violation now;
	(*runs)++;
	run_apart(schedule, &now);
	return strcmp(now.law, violation->law) == 0;
}

static void
take_out(struct schedule *s, int from, int count)
{
	memmove(&s->items[from], &s->items[from + count],
	    (size_t)(s->count - from - count) * sizeof(s->items[0]));
	s->count -= count;
}

int
shrink(struct schedule *schedule, const struct violation *violation)
{
	int runs = 0;
	for (int size = schedule->count / 2; size >= 1; size /= 2)
		for (int from = 0; from + size <= schedule->count;) {
			struct schedule less = *schedule;
			take_out(&less, from, size);
			if (still_fails(&less, violation, &runs))
				*schedule = less;
			else
				from += size;
		}
	while (schedule->app_count > 1) {
		struct schedule less = *schedule;
		less.app_count--;
		for (int i = less.count - 1; i >= 0; i--)
			if (less.items[i].app == less.app_count)
				take_out(&less, i, 1);
		if (!still_fails(&less, violation, &runs))
			break;
		*schedule = less;
	}
	return runs;
}
