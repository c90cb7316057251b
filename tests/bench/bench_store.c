/* How many commits the store makes: `bench_store [FOLDER [SECONDS]]` keeps 1, 16 and 128 batches
 * waiting at all times, each of one event and its rollout's row, then the same with a row of the
 * audit in each, and prints what comes of it. The folder should lie on the disk that matters;
 * default: the current one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "store/store.h"

#define MOST 128

struct run {
	struct loop *loop;
	struct journal_port port;
	int64_t end_ms;
	int waiting;
	long batches;
	bool audit;
};

static void put(struct run *run, uint64_t slot);

static void
done(void *ctx, uint64_t slot, bool ok, const char *why)
{
	struct run *run = ctx;

	if (!ok) {
		fprintf(stderr, "bench_store: %s\n", why);
		exit(1);
	}
	run->batches++;
	if (clock_mono_ms() < run->end_ms)
		put(run, slot);
	else if (--run->waiting == 0)
		loop_stop(run->loop);
}

static void
put(struct run *run, uint64_t slot)
{
	static const char text[] =
	    "{\"act\":\"weight\",\"number\":25,\"object\":\"VirtualService "
	    "airis-mon/web\",\"was\":10,"
	    "\"resource_version\":\"123456\",\"attempt\":1,\"why\":\"stage 2 of 4: hold over, "
	    "gates "
	    "errors and latency passed\",\"gates\":[{\"name\":\"errors\",\"value\":0.01},{\"name\":"
	    "\"latency\",\"value\":0.118}]}";
	char id[32];
	struct chain_row row = {.at_ms = clock_wall_ms(),
	    .who = "airisd",
	    .what = "act weight",
	    .cluster = "lab",
	    .namespace = "airis-mon",
	    .app = "web",
	    .rollout = id,
	    .detail = "VirtualService airis-mon/web: canary weight 25, stable 75",
	    .outcome = "done"};
	struct journal_write writes[3];

	str_print(id, sizeof(id), "r-%llu", (unsigned long long)slot);
	writes[0] = (struct journal_write){.kind = JOURNAL_EVENT,
	    .key = id,
	    .name = "act_done",
	    .text = text,
	    .at_ms = clock_wall_ms()};
	writes[1] = (struct journal_write){.kind = JOURNAL_ROLLOUT,
	    .key = id,
	    .app = "web",
	    .cluster = "lab",
	    .name = "stepping",
	    .text = text,
	    .number = 1,
	    .at_ms = clock_wall_ms()};
	writes[2] = (struct journal_write){.kind = JOURNAL_AUDIT, .audit = &row};
	run->port.append(run->port.ctx, writes, run->audit ? 3 : 2, done, run, slot);
}

static void
measure(const char *path, int waiting, int seconds, bool audit)
{
	struct run run = {.loop = loop_new(), .waiting = waiting, .audit = audit};
	struct store_settings settings = {.path = path};
	struct store_stats stats;
	struct err e;
	struct store *store = store_open(&settings, run.loop, &e);

	if (store == NULL) {
		fprintf(stderr, "bench_store: %s\n", e.text);
		exit(1);
	}
	run.port = store_port(store);
	store_stats(store, &stats);
	int64_t before = stats.db_bytes;
	run.end_ms = clock_mono_ms() + seconds * 1000;
	for (int i = 0; i < waiting; i++)
		put(&run, (uint64_t)i);
	loop_run(run.loop);
	store_stats(store, &stats);
	printf("%3d waiting%s: %8.0f batches/s %8.0f commits/s, a commit %6.3f ms (longest %.1f), "
	       "log %lld KiB, %.0f bytes a batch\n",
	    waiting, audit ? ", audit" : "       ", (double)run.batches / seconds,
	    (double)stats.commits / seconds,
	    (double)stats.commit_took.sum_us / 1000.0 / (double)stats.commits,
	    (double)stats.commit_max_us / 1000.0, (long long)stats.wal_bytes / 1024,
	    (double)(stats.db_bytes - before) / (double)run.batches);
	store_close(store);
	loop_free(run.loop);
}

int
main(int argc, char **argv)
{
	static const int sizes[] = {1, 16, MOST};
	static const char *const suffixes[] = {"", ".lock", "-wal", "-shm"};
	const char *parent = argc > 1 ? argv[1] : ".";
	int seconds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 3;
	char *folder = str_format("%s/bench-store-XXXXXX", parent);
	char *path;

	if (seconds < 1 || mkdtemp(folder) == NULL) {
		perror(folder);
		return 1;
	}
	path = str_format("%s/db", folder);
	for (int i = 0; i < 6; i++)
		measure(path, sizes[i / 2], seconds, i % 2 == 1);
	for (int i = 0; i < 4; i++) {
		char *file = str_format("%s%s", path, suffixes[i]);

		unlink(file);
		free(file);
	}
	rmdir(folder);
	free(folder);
	free(path);
	return 0;
}
