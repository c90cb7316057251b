/* Who may do what, as the settings have it, for the api. */
#ifndef WIRE_ACCESS_H
#define WIRE_ACCESS_H

#include "access/oidc.h"
#include "api/api.h"
#include "settings/settings.h"

/* Of what any host can check. */
void wire_oidc_check(const struct settings *settings, struct errlist *errors);
/* An error for each user and file that this host does not have. */
void wire_access_check(const struct settings *settings, struct errlist *errors);
/* What was checked. A user that has gone meanwhile is left out, which can only forbid. */
void wire_access(const struct settings *settings, struct api *api);
/* SIGHUP: the same, and the token file. */
void wire_access_reload(const struct settings *next, struct api *api);
/* The CI systems that are believed. A certificate file that cannot be read lets nobody in by its
 * issuer. */
struct oidc *wire_oidc(
    struct loop *loop, const struct clock_port *clock, const struct settings *settings);
void wire_oidc_reload(struct oidc *oidc, const struct settings *next);

#endif
