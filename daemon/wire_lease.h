/* Who this airisd is for the Lease of a cluster. Part of the roof. */
#ifndef WIRE_LEASE_H
#define WIRE_LEASE_H

#include "cluster/lease.h"
#include "settings/settings.h"
#include "store/store.h"

struct wire_lease {
	char identity[128];
	struct lease_settings settings; /* texts: identity's, and the settings' */
};

/* database: its path. */
must_check int wire_lease(struct wire_lease *lease, const struct settings_cluster *cluster,
    struct store *store, const char *database, struct err *e);

#endif
