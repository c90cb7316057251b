/* Who may do what, as the settings have it, for the api. */
#ifndef WIRE_ACCESS_H
#define WIRE_ACCESS_H

#include "api/api.h"
#include "settings/settings.h"

/* An error for each user that this host does not know. */
void wire_access_check(const struct settings *settings, struct errlist *errors);
/* What was checked. A user that has gone meanwhile is left out, which can only forbid. */
void wire_access(const struct settings *settings, struct api *api);

#endif
