/* The writing thread. Always true: batches are finished in the order they were given; one is ok
 * only after its commit; the connection is used by this thread alone. What both threads see is
 * under the mutex, which is never held while the disk is waited for. */
#include "store/writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "store/crash.h"
#include "store/put.h"

#define NEVER INT64_MAX

struct store_writer {
	struct store_writer_settings settings;
	struct store_put *put; /* the thread's, as are: */
	bool full;	       /* sick for want of space */
	bool exhausted;	       /* and the reserve is used up */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t work;	 /* something was given, or stop */
	pthread_cond_t finished; /* something was finished */
	/* Under the mutex: */
	struct store_list waiting, done;
	uint64_t given, completed; /* batches that went through the thread */
	bool stopping;
	bool sick;	/* the last attempt to write failed; only the thread changes it */
	struct err why; /* while sick */
	int64_t probe_at_ms;
	int64_t busy_since_ms;	  /* the thread is in a transaction; 0: it is not */
	struct store_stats stats; /* the thread's part */
};

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A full eventfd counter would mean that nobody has listened for 2^64 rings. */
static void
ring(struct store_writer *writer)
{
	uint64_t one = 1;
	ssize_t count;

	do
		count = write(writer->settings.bell, &one, sizeof(one));
	while (count < 0 && errno == EINTR);
}

/* --- the thread ------------------------------------------------------------------------------- */

/* With the mutex. Returns when there is work, or a probe is due, or it is time to stop. */
static void
wait_for_work(struct store_writer *writer)
{
	while (writer->waiting.first == NULL && !writer->stopping) {
		struct timespec until = {.tv_sec = writer->probe_at_ms / 1000,
		    .tv_nsec = writer->probe_at_ms % 1000 * 1000000};

		if (!writer->sick || writer->probe_at_ms == NEVER)
			pthread_cond_wait(&writer->work, &writer->mutex);
		else if (clock_mono_ms() >= writer->probe_at_ms)
			return;
		else
			pthread_cond_timedwait(&writer->work, &writer->mutex, &until);
	}
}

/* With the mutex. As many as one transaction may have, but at least one. */
static void
take_group(struct store_writer *writer, struct store_list *group, int *writes)
{
	*writes = 0;
	while (writer->waiting.first != NULL) {
		int count = writer->waiting.first->count;

		if (*writes > 0 && *writes + count > writer->settings.group_limit)
			return;
		*writes += count;
		store_list_put(group, store_list_take(&writer->waiting));
	}
}

/* What is said while nothing can be written, and what to do. */
static void
explain(const struct store_writer *writer, const struct err *reason, struct err *why)
{
	const char *path = writer->settings.path;

	if (store_put_damaged(writer->put))
		err_set(why,
		    "the database %s is damaged: %s. Nothing is written any more; stop airisd, "
		    "move the file away and restore a backup",
		    path, reason->text);
	else if (writer->full)
		err_set(why,
		    "cannot write the database %s: %s. Nothing new is started and nothing goes on "
		    "until there is space again; aborts are done%s. Free space, it is tried again "
		    "every %lld ms",
		    path, reason->text,
		    writer->exhausted ? ", but not written down: the space kept for them is used up"
				      : " and written down into space kept for them",
		    (long long)writer->settings.probe_ms);
	else
		err_set(why,
		    "cannot write the database %s: %s. Nothing new is started until it can be "
		    "written; free space or mend the disk, it is tried again every %lld ms",
		    path, reason->text, (long long)writer->settings.probe_ms);
}

static void
fall_sick(struct store_writer *writer, bool full, const struct err *reason)
{
	bool was_sick;
	struct err why;

	writer->full = full;
	explain(writer, reason, &why);
	pthread_mutex_lock(&writer->mutex);
	was_sick = writer->sick;
	writer->sick = true;
	writer->why = why;
	writer->probe_at_ms =
	    store_put_damaged(writer->put) ? NEVER : clock_mono_ms() + writer->settings.probe_ms;
	pthread_mutex_unlock(&writer->mutex);
	if (!was_sick)
		log_error("store", "%s", why.text);
}

/* Full without a reserve is a disk that fails. */
static void
note_failure(struct store_writer *writer, const struct err *reason)
{
	fall_sick(writer,
	    store_put_full(writer->put) && store_reserve_wanted(writer->settings.reserve), reason);
}

/* The reserve first: with less space than that the next write may be the last. */
static void
probe(struct store_writer *writer)
{
	struct err e;

	if (store_reserve_take(writer->settings.reserve, &e) == RESERVE_SHORT) {
		fall_sick(writer, true, &e);
		return;
	}
	if (store_put_probe(writer->put, &e) != 0) {
		note_failure(writer, &e);
		return;
	}
	writer->full = writer->exhausted = false;
	pthread_mutex_lock(&writer->mutex);
	writer->sick = false;
	pthread_mutex_unlock(&writer->mutex);
	log_info("store", "the database %s can be written again", writer->settings.path);
}

static void
give_reserve(struct store_writer *writer)
{
	int64_t bytes = store_reserve_held(writer->settings.reserve);

	if (bytes == 0)
		return;
	store_reserve_give(writer->settings.reserve);
	/* An abort takes some 200 KiB of the log, and hardly any of a log that can be used again.
	 */
	store_put_checkpoint(writer->put);
	log_warn("store",
	    "the disk is full: the %lld bytes kept beside %s are given up to write an abort down",
	    (long long)bytes, writer->settings.path);
}

/* Of a group that could not be written, what brings traffic home. */
static bool
rescue(struct store_writer *writer, struct store_batch *first)
{
	bool any = false;
	struct err e;

	for (struct store_batch *b = first; b != NULL; b = b->next)
		if (b->urgent) {
			any = true;
			store_batch_forgive(b);
		}
	if (!any)
		return false;
	give_reserve(writer);
	if (store_put_urgent(writer->put, first, &e) == 0) {
		store_put_checkpoint(writer->put);
		return true;
	}
	if (!writer->exhausted && store_put_full(writer->put))
		log_error("store", "the space kept beside %s for aborts is used up: %s",
		    writer->settings.path, e.text);
	writer->exhausted = writer->exhausted || store_put_full(writer->put);
	fall_sick(writer, writer->full, &e);
	return false;
}

static void
count_commit(struct store_writer *writer, bool ok, int writes, int64_t us)
{
	struct store_stats *stats = &writer->stats;

	if (!ok) {
		stats->failed_commits++;
		return;
	}
	histogram_add(&stats->commit_took, &histogram_quick, us);
	stats->commits++;
	stats->writes += (uint64_t)writes;
	if (us > stats->commit_max_us)
		stats->commit_max_us = us;
}

static void
fail_group(struct store_writer *writer, struct store_batch *first)
{
	for (struct store_batch *b = first; b != NULL; b = b->next)
		store_batch_fail(b, writer->why.text);
}

static void
commit_group(struct store_writer *writer, struct store_batch *first, int writes)
{
	int64_t started = now_us();
	bool tried = !writer->sick, ok = false;
	struct err e;

	store_crash_commit("commit:before", first);
	if (!tried)
		fail_group(writer, first);
	else if (store_put_group(writer->put, first, &e) == 0)
		ok = true;
	else
		note_failure(writer, &e);
	if (!ok && writer->full)
		ok = rescue(writer, first);
	if (!ok && !tried)
		return;
	for (struct store_batch *b = first; b != NULL; b = b->next)
		if (!b->ok)
			writes -= b->count;
	pthread_mutex_lock(&writer->mutex);
	count_commit(writer, ok, writes, now_us() - started);
	pthread_mutex_unlock(&writer->mutex);
}

/* With the mutex. */
static void
hand_back(struct store_writer *writer, struct store_list *group)
{
	for (struct store_batch *b = group->first; b != NULL; b = b->next) {
		writer->completed++;
		if (!b->ok)
			writer->stats.failed_batches++;
	}
	store_list_move(group, &writer->done);
	pthread_cond_signal(&writer->finished);
	ring(writer);
}

static void *
run(void *arg)
{
	struct store_writer *writer = arg;
	struct store_list group = {NULL, NULL};
	int writes;

	pthread_mutex_lock(&writer->mutex);
	for (;;) {
		wait_for_work(writer);
		if (writer->waiting.first == NULL && writer->stopping)
			break;
		take_group(writer, &group, &writes);
		writer->busy_since_ms = clock_mono_ms();
		pthread_mutex_unlock(&writer->mutex);
		if (writer->sick && clock_mono_ms() >= writer->probe_at_ms)
			probe(writer);
		if (group.first != NULL)
			commit_group(writer, group.first, writes);
		pthread_mutex_lock(&writer->mutex);
		writer->busy_since_ms = 0;
		writer->stats.reserve_bytes = store_reserve_held(writer->settings.reserve);
		if (group.first != NULL)
			hand_back(writer, &group);
	}
	pthread_mutex_unlock(&writer->mutex);
	return NULL;
}

/* --- the loop thread -------------------------------------------------------------------------- */

/* Signals are the loop's business: the thread starts with all of them blocked. */
static int
start_thread(struct store_writer *writer)
{
	sigset_t all, before;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&writer->thread, NULL, run, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result == 0)
		pthread_setname_np(writer->thread, "airis-store");
	return result;
}

static void
free_list(struct store_list *list)
{
	struct store_batch *batch;

	while ((batch = store_list_take(list)) != NULL)
		store_batch_free(batch);
}

static void
free_writer(struct store_writer *writer)
{
	free_list(&writer->waiting);
	free_list(&writer->done);
	pthread_cond_destroy(&writer->work);
	pthread_cond_destroy(&writer->finished);
	pthread_mutex_destroy(&writer->mutex);
	store_put_free(writer->put);
	free(writer);
}

/* On a full disk it starts sick. What an earlier run has kept may have been needed to come so far;
 * what is left of it is the log's. */
static void
look_for_space(struct store_writer *writer)
{
	struct store_reserve *reserve = writer->settings.reserve;
	struct err e;

	if (store_reserve_take(reserve, &e) != RESERVE_SHORT)
		return;
	if (store_reserve_held(reserve) == 0)
		store_reserve_give(reserve);
	fall_sick(writer, true, &e);
}

struct store_writer *
store_writer_start(const struct store_writer_settings *settings, struct err *e)
{
	struct store_writer *writer = mem_alloc(sizeof(*writer));
	pthread_condattr_t monotonic;
	int result;

	writer->settings = *settings;
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->work, &monotonic);
	pthread_cond_init(&writer->finished, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (store_put_new(settings->db, &writer->put, e) == 0) {
		look_for_space(writer);
		writer->stats.reserve_bytes = store_reserve_held(settings->reserve);
		result = start_thread(writer);
		if (result == 0)
			return writer;
		err_set(e, "cannot start the thread that writes: %s", strerror(result));
	}
	free_writer(writer);
	return NULL;
}

void
store_writer_stop(struct store_writer *writer)
{
	int result;

	pthread_mutex_lock(&writer->mutex);
	writer->stopping = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->mutex);
	result = pthread_join(writer->thread, NULL);
	assert(result == 0);
	(void)result;
	free_writer(writer);
}

void
store_writer_give(struct store_writer *writer, struct store_batch *batch)
{
	pthread_mutex_lock(&writer->mutex);
	assert(!writer->stopping);
	writer->given++;
	store_list_put(&writer->waiting, batch);
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->mutex);
}

void
store_writer_refuse(struct store_writer *writer, struct store_batch *batch)
{
	pthread_mutex_lock(&writer->mutex);
	writer->stats.failed_batches++;
	store_list_put(&writer->done, batch);
	pthread_mutex_unlock(&writer->mutex);
	ring(writer);
}

void
store_writer_take(struct store_writer *writer, struct store_list *finished)
{
	pthread_mutex_lock(&writer->mutex);
	store_list_move(&writer->done, finished);
	pthread_mutex_unlock(&writer->mutex);
}

void
store_writer_wait(struct store_writer *writer)
{
	uint64_t until;

	pthread_mutex_lock(&writer->mutex);
	until = writer->given;
	while (writer->completed < until)
		pthread_cond_wait(&writer->finished, &writer->mutex);
	pthread_mutex_unlock(&writer->mutex);
}

bool
store_writer_healthy(struct store_writer *writer, struct err *why)
{
	int64_t busy_ms = 0;
	bool sick;

	pthread_mutex_lock(&writer->mutex);
	if (writer->busy_since_ms != 0)
		busy_ms = clock_mono_ms() - writer->busy_since_ms;
	sick = writer->sick;
	if (sick && why != NULL)
		*why = writer->why;
	pthread_mutex_unlock(&writer->mutex);
	if (sick || busy_ms <= writer->settings.stall_ms)
		return !sick;
	err_set(why,
	    "a write to the database %s has not come back for %lld ms; nothing new is started "
	    "until "
	    "it does. Look at the disk",
	    writer->settings.path, (long long)busy_ms);
	return false;
}

void
store_writer_stats(struct store_writer *writer, struct store_stats *stats)
{
	pthread_mutex_lock(&writer->mutex);
	*stats = writer->stats;
	pthread_mutex_unlock(&writer->mutex);
}
