/* TLS of the API, from the settings. Part of the roof. */
#ifndef WIRE_TLS_H
#define WIRE_TLS_H

#include "api/api.h"
#include "settings/settings.h"

/* Adds what is wrong with the files. One that is a credential of the unit, where none is known, is
 * not looked at. any_time: not, that a certificate is out of its time. */
void wire_tls_check(const struct settings *settings, bool any_time, struct errlist *errors);
/* Before api_listen_tcp; a certificate that has expired is taken and said, because airisd is for
 * more than who comes by TCP: an abort must not wait for a new one. Without a certificate in the
 * settings it does nothing. */
must_check int wire_tls_start(struct api *api, const struct settings *settings, struct err *e);
/* SIGHUP: takes the files anew, and the new names of files into now. Logs what is wrong; all is
 * then as it was. */
void wire_tls_reload(struct api *api, struct settings *now, const struct settings *next);

#endif
