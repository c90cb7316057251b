/* What the settings grant, and to whom. Nobody listed there at all: whoever may open the socket is
 * admin, as its mode says who that is. Plain data, copied whole. */
#ifndef ACCESS_POLICY_H
#define ACCESS_POLICY_H

#include <sys/types.h>
#include "access/principal.h"

#define POLICY_ENTRIES PRINCIPAL_GRANTS

struct policy_entry {
	char id[PRINCIPAL_ID]; /* of a principal; in that of a certificate * stands for any */
	struct grant grant;
};

struct policy {
	bool set;  /* there is a list: who is not on it has nothing */
	uid_t own; /* the daemon's own user is always admin, and so is root */
	struct policy_entry entries[POLICY_ENTRIES];
	int count;
};

/* NULL: there is no room for one more. */
struct grant *policy_add_user(struct policy *policy, uid_t uid);
struct grant *policy_add_certificate(struct policy *policy, const char *name);

void policy_user(const struct policy *policy, uid_t uid, struct principal *who);
/* name: of the certificate, verified. It has what the list says, and without one nothing. */
void policy_certificate(const struct policy *policy, const char *name, struct principal *who);

#endif
