/* Handlers write one byte into a pipe, which both ends of never block. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include "base/log.h"

static int ends[2] = {-1, -1};
static volatile sig_atomic_t interrupted, resized, stop_asked;

static void
note(int number)
{
	int saved = errno;

	if (number == SIGWINCH)
		resized = 1;
	else if (number == SIGTSTP)
		stop_asked = 1;
	else
		interrupted = 1;
	if (write(ends[1], "", 1) < 0) {
		/* Full: the loop will wake up anyway. */
	}
	errno = saved;
}

/* Without SA_RESTART, so that a read from a terminal ends as well. What the parent has set to be
 * ignored (nohup, background jobs) stays ignored. */
static void
handle(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler}, old;

	sigemptyset(&action.sa_mask);
	if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(number, &action, NULL);
}

void
signals_init(void)
{
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		log_fatal("no pipe can be made");
	handle(SIGPIPE, SIG_IGN);
	handle(SIGINT, note);
	handle(SIGTERM, note);
	handle(SIGHUP, note);
	handle(SIGWINCH, note);
}

int
signals_fd(void)
{
	return ends[0];
}

void
signals_drain(void)
{
	char bytes[64];

	while (read(ends[0], bytes, sizeof(bytes)) > 0)
		continue;
}

bool
signals_interrupted(void)
{
	return interrupted != 0;
}

bool
signals_resized(void)
{
	bool was = resized != 0;

	resized = 0;
	return was;
}

void
signals_catch_stop(bool on)
{
	handle(SIGTSTP, on ? note : SIG_DFL);
}

bool
signals_stop_asked(void)
{
	bool was = stop_asked != 0;

	stop_asked = 0;
	return was;
}
