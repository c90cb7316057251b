/* From /proc/self, which is memory: reading it does not keep the loop waiting for a disk. */
#include "telemetry/process.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double
now_of(clockid_t which)
{
	struct timespec now = {0};
	clock_gettime(which, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Fields 22 to 24 of proc(5), counted behind the name, which may have blanks and brackets. */
static int
read_stat(double *started, double *virtual_bytes, double *pages, struct err *e)
{
	char text[2048];
	FILE *file = fopen("/proc/self/stat", "re");
	if (file == NULL)
		return err_set(e, "/proc/self/stat: %s", strerror(errno));
	size_t length = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[length] = '\0';
	const char *rest = strrchr(text, ')');
	if (rest == NULL || sscanf(rest + 1,
				" %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				"%*s %*s %*s %lf %lf %lf",
				started, virtual_bytes, pages) != 3)
		return err_set(e, "/proc/self/stat is not as proc(5) has it");
	return 0;
}

/* Without the one that counting takes; -1: they cannot be counted. */
static int
count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	int count = -1;
	if (folder == NULL)
		return -1;
	/* cppcheck-suppress readdirCalled; the folder is this thread's alone */
	while ((entry = readdir(folder)) != NULL)
		count += entry->d_name[0] != '.';
	(void)closedir(folder);
	return count;
}

int
process_stats(struct process_stats *stats, struct err *e)
{
	static double
	    start; /* seconds; worked out once, so that a clock that is set does not move it */
	double ticks, virtual_bytes, pages;
	struct rlimit limit = {0};
	int fds = count_fds();
	if (read_stat(&ticks, &virtual_bytes, &pages, e) < 0)
		return -1;
	if (fds < 0)
		return err_set(e, "/proc/self/fd: %s", strerror(errno));
	if (start == 0)
		start = now_of(CLOCK_REALTIME) - now_of(CLOCK_BOOTTIME) +
			ticks / (double)sysconf(_SC_CLK_TCK);
	getrlimit(RLIMIT_NOFILE, &limit);
	*stats = (struct process_stats){.cpu_seconds = now_of(CLOCK_PROCESS_CPUTIME_ID),
	    .start_seconds = start,
	    .resident_bytes = pages * (double)sysconf(_SC_PAGESIZE),
	    .virtual_bytes = virtual_bytes,
	    .fds = fds,
	    .max_fds = (int)limit.rlim_cur};
	return 0;
}
