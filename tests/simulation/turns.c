/* Two stacks, one at a time. */
#include "turns.h"
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <ucontext.h>
#include "base/clock.h"
#include "base/mem.h"

#define STACK (1 << 20)

static ucontext_t home, away;
static void *(*run)(void *arg);
static void *run_arg;
static bool alive, inside;
static char *stack;
static int64_t now_ms;

int64_t
clock_mono_ms(void)
{
	return now_ms;
}

int64_t
clock_mono_us(void)
{
	return now_ms * 1000;
}

int64_t
clock_wall_ms(void)
{
	return now_ms;
}

int64_t
clock_boot_ms(void)
{
	return now_ms;
}

void
turns_clock(int64_t ms)
{
	now_ms = ms;
}

static void
begin(void)
{
	run(run_arg);
	alive = inside = false;
	setcontext(&home);
}

void
turns_give(void)
{
	if (!alive)
		return;
	assert(!inside);
	inside = true;
	swapcontext(&home, &away);
}

/* From either side: the other one goes on. */
static int
wait_for_other(pthread_mutex_t *mutex)
{
	pthread_mutex_unlock(mutex);
	if (inside) {
		inside = false;
		swapcontext(&away, &home);
	} else
		turns_give();
	return pthread_mutex_lock(mutex);
}

int __wrap_pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(
    pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);

int
__wrap_pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg)
{
	(void)attributes;
	assert(!alive);
	if (stack == NULL)
		stack = mem_alloc(STACK);
	getcontext(&away);
	away.uc_stack.ss_sp = stack;
	away.uc_stack.ss_size = STACK;
	away.uc_link = NULL;
	makecontext(&away, begin, 0);
	run = start;
	run_arg = arg;
	alive = true;
	*thread = pthread_self();
	return 0;
}

int
__wrap_pthread_join(pthread_t thread, void **result)
{
	(void)thread, (void)result;
	while (alive)
		turns_give();
	return 0;
}

int
__wrap_pthread_setname_np(pthread_t thread, const char *name)
{
	(void)thread, (void)name;
	return 0;
}

int
__wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	(void)condition;
	return wait_for_other(mutex);
}

int
__wrap_pthread_cond_timedwait(
    pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until)
{
	(void)condition, (void)until;
	return wait_for_other(mutex);
}
