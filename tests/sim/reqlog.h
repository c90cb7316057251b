/* reqlog: who asked for what: counts, and the last 1000 requests. */
#ifndef SIM_REQLOG_H
#define SIM_REQLOG_H

#include "api.h"

/* Notes an answered request; status 0 means that the connection was dropped. */
void reqlog_add(const struct req *q, int status);
int reqlog_show(struct reply *r);
int reqlog_reset(struct reply *r);

#endif
