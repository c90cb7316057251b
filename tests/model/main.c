/* All reachable states of small worlds: model-check [--full] [--jobs=N] [WORLD...]
 *
 * One line for each world, in the order of the table, whatever order they end in; a counterexample
 * under the one that has one. Exits with 1 if there is any, with 2 if a world was too large to be
 * explored to its end (nothing is cut off silently). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "configs.h"
#include "search.h"

#define MOST_SHORT 4000000 /* states of one world */
#define MOST_FULL 40000000

struct work {
	const struct config *config;
	int number;
	pid_t pid; /* 0: not begun; -1: over */
	FILE *text;
};

struct plan {
	struct work *works;
	struct found *found; /* shared with the children, one for each work */
	int count, jobs;
	bool full;
};

/* 1234567 as 1,234,567. */
static void
grouped(uint64_t number, char *to, size_t size)
{
	char digits[24];
	str_print(digits, sizeof(digits), "%llu", (unsigned long long)number);
	size_t length = strlen(digits), at = 0;
	for (size_t i = 0; i < length && at + 2 < size; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			to[at++] = ',';
		to[at++] = digits[i];
	}
	to[at] = '\0';
}

static void
print_line(const struct work *work, const struct found *found)
{
	char states[32], transitions[32], budget[128];
	grouped(found->states, states, sizeof(states));
	grouped(found->transitions, transitions, sizeof(transitions));
	configs_budget(work->config, budget, sizeof(budget));
	printf("model: %d, %s (%s): %s states, %s transitions, longest way home %u steps, "
	       "%d violations%s\n",
	    work->number, work->config->name, budget, states, transitions, found->longest,
	    found->bad, found->whole ? "" : "; NOT EXPLORED TO ITS END");
}

static void
print_text(FILE *text)
{
	char part[4096];
	size_t length;
	rewind(text);
	while ((length = fread(part, 1, sizeof(part), text)) > 0)
		fwrite(part, 1, length, stdout);
	fclose(text);
}

static void
begin(struct plan *plan, int i)
{
	struct work *work = &plan->works[i];
	work->text = tmpfile();
	fflush(stdout);
	work->pid = fork();
	if (work->text == NULL || work->pid < 0) {
		fprintf(stderr, "model-check: %s\n", strerror(errno));
		exit(3);
	}
	if (work->pid > 0)
		return;
	search(work->config, plan->full ? MOST_FULL : MOST_SHORT, work->text, &plan->found[i]);
	fflush(work->text);
	_exit(0);
}

static void
end_one(struct plan *plan)
{
	int status = 0;
	pid_t pid = wait(&status);
	for (int i = 0; i < plan->count; i++)
		if (plan->works[i].pid == pid) {
			plan->works[i].pid = -1;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				plan->found[i].bad = true;
		}
}

static void
run(struct plan *plan)
{
	int begun = 0, running = 0, printed = 0;
	while (printed < plan->count) {
		while (begun < plan->count && running < plan->jobs) {
			begin(plan, begun++);
			running++;
		}
		end_one(plan);
		running--;
		for (; printed < plan->count && plan->works[printed].pid == -1; printed++) {
			print_line(&plan->works[printed], &plan->found[printed]);
			print_text(plan->works[printed].text);
		}
	}
}

static int
sum_up(const struct plan *plan)
{
	struct found all = {.whole = true};
	uint64_t states = 0;
	int bad = 0;
	char text[2][32];
	for (int i = 0; i < plan->count; i++) {
		const struct found *found = &plan->found[i];
		states += found->states;
		all.transitions += found->transitions;
		bad += found->bad;
		all.whole = all.whole && found->whole;
		if (found->longest > all.longest)
			all.longest = found->longest;
	}
	grouped(states, text[0], sizeof(text[0]));
	grouped(all.transitions, text[1], sizeof(text[1]));
	printf("model: %d worlds: %s states, %s transitions, longest way home %u steps, %d "
	       "violations%s\n",
	    plan->count, text[0], text[1], all.longest, bad,
	    all.whole ? "" : "; NOT ALL EXPLORED TO THEIR END");
	return bad > 0 ? 1 : all.whole ? 0 : 2;
}

static bool
is_wanted(int argc, char **argv, int number, bool full)
{
	bool any = false;
	for (int i = 1; i < argc; i++) {
		int64_t asked;
		if (str_number(argv[i], 0, configs_count() - 1, &asked) < 0)
			continue;
		any = true;
		if (asked == number)
			return true;
	}
	return !any && (full || !configs_get(number)->full_only);
}

int
main(int argc, char **argv)
{
	struct plan plan = {.jobs = (int)sysconf(_SC_NPROCESSORS_ONLN)};
	int64_t jobs;
	for (int i = 1; i < argc; i++) {
		plan.full |= strcmp(argv[i], "--full") == 0;
		if (str_starts(argv[i], "--jobs=") && str_number(argv[i] + 7, 1, 64, &jobs) == 0)
			plan.jobs = (int)jobs;
	}
	size_t count = (size_t)configs_count();
	plan.works = mem_array(count, sizeof(plan.works[0]));
	plan.found = mmap(NULL, count * sizeof(plan.found[0]), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (plan.found == MAP_FAILED)
		return 3;
	for (int i = 0; i < configs_count(); i++)
		if (is_wanted(argc, argv, i, plan.full))
			plan.works[plan.count++] =
			    (struct work){.config = configs_get(i), .number = i};
	run(&plan);
	return sum_up(&plan);
}
