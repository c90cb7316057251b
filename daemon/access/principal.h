/* Who asks, what it was granted, and the one question whether it may. Nothing is allowed that no
 * grant allows. */
#ifndef ACCESS_PRINCIPAL_H
#define ACCESS_PRINCIPAL_H

#include "access/role.h"
#include "base/err.h"
#include "base/glob.h"

struct grant { /* a role over the apps whose namespace and name fit */
	enum role role;
	struct globs namespaces, apps;
};

enum principal_kind {
	PRINCIPAL_NOBODY, /* not known: nothing is allowed, whatever was granted */
	PRINCIPAL_USER,	  /* of this host, by the socket's peer */
	PRINCIPAL_FILE,	  /* who shows the token of the token file */
	PRINCIPAL_TOKEN,
	PRINCIPAL_CERTIFICATE,
	PRINCIPAL_OIDC
};

#define PRINCIPAL_ID 128
#define PRINCIPAL_GRANTS 64

struct principal {
	enum principal_kind kind;
	/* For certain, never what it says of itself: "uid=1000", "token", "token:ab12cd34",
	 * "certificate:spiffe://…", "oidc:…". */
	char id[PRINCIPAL_ID];
	char name[PRINCIPAL_ID]; /* for people; "" : the id says it all */
	char token[16];		 /* id of our token that it showed; "" : none */
	const struct grant *grants[PRINCIPAL_GRANTS]; /* borrowed */
	int grant_count;
	struct grant own; /* room for one that comes with the proof, as a token's */
};

/* One more grant, which must outlive it; more than there is room for are left out, which can only
 * forbid. */
void principal_grant(struct principal *who, const struct grant *grant);
extern const struct grant grant_everything; /* admin over all there is */

enum reach {
	REACH_ANY, /* something, no matter what: lists, which show what may be seen */
	REACH_ONE, /* this app */
	REACH_ALL  /* everything there is and will be */
};
struct subject {
	enum reach reach;
	const char *namespace, *app; /* of ONE; NULL: not known any more, so all is needed */
};

/* May it? If not, why (which may be NULL) says what would be needed. */
bool authorise(
    const struct principal *who, enum right right, const struct subject *subject, struct err *why);
json_t *grant_json(const struct grant *grant); /* {"role", "namespaces", "apps"} */

#endif
