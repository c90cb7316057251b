/* Told by systemd: the sockets that it has opened. Telling systemd: READY, STOPPING, RELOADING,
 * STATUS and the watchdog, as datagrams to NOTIFY_SOCKET. Without one nothing is sent. */
#ifndef TELEMETRY_SYSTEMD_H
#define TELEMETRY_SYSTEMD_H

#include <stdint.h>
#include "base/err.h"

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC and takes them out of the environment. */
void systemd_open(void);
void systemd_tell(const char *state); /* such as "READY=1\nSTATUS=…" */
int64_t systemd_watchdog_ms(void);    /* how often to say WATCHDOG=1; 0: not asked for */
void systemd_close(void);

/* Calls each for every socket that systemd passes (LISTEN_FDS), whose descriptor is its own from
 * then on; name is FileDescriptorName=, or the unit. Takes them out of the environment: the second
 * time there are none. -1: each said so, or they are not what systemd would write. */
must_check int systemd_sockets(
    int (*each)(void *ctx, int fd, const char *name, struct err *e), void *ctx, struct err *e);

#endif
