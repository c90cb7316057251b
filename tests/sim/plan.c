/* plan: a binary heap of due times. A task planned anew leaves its old entry in the heap,
 * which is recognised as stale when it comes up. */
#include "plan.h"

#include "util.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct entry {
	uint64_t due, seq;
	struct obj *o;
	enum task task;
	call_fn *fn;
	void *arg;
};

static pthread_mutex_t big = PTHREAD_MUTEX_INITIALIZER, queue = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static pthread_t worker;
static struct entry *heap;
static size_t nheap, capheap;
static uint64_t next_seq;
static bool stopping;
static task_fn *tasks[K_COUNT][T_COUNT];
static void (*before_unlock[4])(void);
static size_t nbefore;

/* Both take a place in the queue first, so that the worker, which comes back at once, cannot
 * overtake a request that is waiting. */
void
big_lock(void)
{
	pthread_mutex_lock(&queue);
	pthread_mutex_lock(&big);
	pthread_mutex_unlock(&queue);
}

void
big_unlock(void)
{
	for (size_t i = 0; i < nbefore; i++)
		before_unlock[i]();
	pthread_mutex_unlock(&big);
}

void
plan_before_unlock(void (*fn)(void))
{
	before_unlock[nbefore++] = fn;
}

void
plan_register(enum kind_id kind, enum task task, task_fn *fn)
{
	tasks[kind][task] = fn;
}

static bool
earlier(const struct entry *a, const struct entry *b)
{
	return a->due < b->due || (a->due == b->due && a->seq < b->seq);
}

static void
swap(size_t a, size_t b)
{
	struct entry t = heap[a];

	heap[a] = heap[b];
	heap[b] = t;
}

static void
push(struct entry e)
{
	size_t i = nheap;

	if (nheap == capheap) {
		capheap = capheap ? capheap * 2 : 256;
		heap = xgrow(heap, capheap * sizeof(*heap));
	}
	e.seq = next_seq++;
	heap[nheap++] = e;
	for (; i > 0 && earlier(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
	if (i == 0)
		pthread_cond_signal(&wake);
}

static struct entry
pop(void)
{
	struct entry top = heap[0];
	size_t i = 0, least;

	heap[0] = heap[--nheap];
	for (;;) {
		least = i;
		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < nheap; c++)
			if (earlier(&heap[c], &heap[least]))
				least = c;
		if (least == i)
			return top;
		swap(i, least);
		i = least;
	}
}

void
plan_task(struct obj *o, enum task task, uint64_t delay)
{
	uint64_t due = now_ms() + delay;

	if (o->dead || (o->due[task] != 0 && o->due[task] <= due))
		return;
	o->due[task] = due;
	push((struct entry){.due = due, .o = obj_ref(o), .task = task});
}

void
plan_call(uint64_t delay, call_fn *fn, void *arg)
{
	push((struct entry){.due = now_ms() + delay, .fn = fn, .arg = arg});
}

static void
run(struct entry *e)
{
	if (e->o == NULL) {
		e->fn(e->arg);
		return;
	}
	if (!e->o->dead && e->o->due[e->task] == e->due) {
		e->o->due[e->task] = 0;
		if (tasks[e->o->kind->id][e->task] != NULL)
			tasks[e->o->kind->id][e->task](e->o);
	}
	obj_unref(e->o);
}

static void
wait_until(uint64_t due)
{
	struct timespec ts = {(time_t)(due / 1000), (long)(due % 1000) * 1000000};

	pthread_cond_timedwait(&wake, &big, &ts);
}

static void *
work(void *arg)
{
	uint64_t turn;

	(void)arg;
	big_lock();
	while (!stopping) {
		turn = now_ms();
		while (nheap > 0 && heap[0].due <= turn && now_ms() <= turn + 1 && !stopping) {
			struct entry e = pop();

			run(&e);
		}
		big_unlock();
		big_lock();
		if (!stopping && (nheap == 0 || heap[0].due > now_ms()))
			wait_until(nheap > 0 ? heap[0].due : now_ms() + 1000);
	}
	big_unlock();
	return NULL;
}

void
plan_start(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&wake, &attr);
	pthread_create(&worker, NULL, work, NULL);
}

void
plan_stop(void)
{
	big_lock();
	stopping = true;
	pthread_cond_signal(&wake);
	big_unlock();
	pthread_join(worker, NULL);
	while (nheap > 0) {
		struct entry e = pop();

		if (e.o != NULL)
			obj_unref(e.o);
	}
	free(heap);
}
