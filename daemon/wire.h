/* The roof: builds every room in order and tears it down in reverse. Exports nothing downwards. */
#ifndef WIRE_H
#define WIRE_H

#include "base/err.h"
#include "settings/settings.h"

/* What only the rooms know to be wrong with settings: addresses, data sources. */
void wire_check(const struct settings *settings, struct errlist *errors);
/* The same for who is going to run: credentials must be there, too. */
void wire_check_run(const struct settings *settings, struct errlist *errors);
/* Runs the daemon until it is told to stop; takes the settings, which wire_check_run has seen. 0,
 * or -1 with what kept it from starting. path is read again on SIGHUP. */
must_check int wire_run(struct settings *settings, const char *path, struct err *e);

#endif
