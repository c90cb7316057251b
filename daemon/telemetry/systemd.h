/* Telling systemd: READY, STOPPING, RELOADING, STATUS and the watchdog, as datagrams to
 * NOTIFY_SOCKET. Without one nothing is sent. */
#ifndef TELEMETRY_SYSTEMD_H
#define TELEMETRY_SYSTEMD_H

#include <stdint.h>

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC and takes them out of the environment. */
void systemd_open(void);
void systemd_tell(const char *state); /* such as "READY=1\nSTATUS=…" */
int64_t systemd_watchdog_ms(void);    /* how often to say WATCHDOG=1; 0: not asked for */
void systemd_close(void);

#endif
