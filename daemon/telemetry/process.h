/* What the kernel knows of this process, for the metrics that every Prometheus client has. */
#ifndef TELEMETRY_PROCESS_H
#define TELEMETRY_PROCESS_H

#include "base/err.h"

struct process_stats {
	double cpu_seconds, start_seconds; /* start: since 1970; the same in every call */
	double resident_bytes, virtual_bytes;
	int fds, max_fds;
};
/* -1: /proc cannot be read; nothing is filled in then. */
must_check int process_stats(struct process_stats *stats, struct err *e);

#endif
