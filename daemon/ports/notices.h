/* The socket for who is told of notices: the engine asks it at the moment of the event, and writes
 * a row of the outbox for each name with the event itself. */
#ifndef PORTS_NOTICES_H
#define PORTS_NOTICES_H

#include "model/notice.h"

#define NOTICE_HOOKS 16

struct notice_port { /* hooks NULL: nobody is told */
	void *ctx;
	/* The names of those who want to know; how many. Borrowed until the call's end. */
	int (*hooks)(
	    void *ctx, const struct app *app, enum notice notice, const char *names[NOTICE_HOOKS]);
	/* There is a durable row for that one. */
	void (*written)(void *ctx, const char *hook);
};

#endif
