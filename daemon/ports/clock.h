/* The socket for time: production asks the system, simulation and tests move it by hand. */
#ifndef PORTS_CLOCK_H
#define PORTS_CLOCK_H

#include <stdint.h>

struct clock_port {
	void *ctx;
	int64_t (*wall_ms)(void *ctx); /* since 1970, kept monotonic by the engine against jumps */
	/* Never jumps, and counts the time that the machine sleeps: the cluster goes on then, and
	 * what was measured before is as old as it is. */
	int64_t (*mono_ms)(void *ctx);
};

#endif
