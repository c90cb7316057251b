/* Roles, and the one table of which right each of them has. */
#ifndef ACCESS_ROLE_H
#define ACCESS_ROLE_H

#include <stdbool.h>
#include "base/str.h"

enum role { ROLE_VIEWER, ROLE_DEPLOYER, ROLE_APPROVER, ROLE_ADMIN, ROLE_COUNT };

enum right {
	RIGHT_KNOWN,   /* whoever it is, if we know who: what the daemon itself is */
	RIGHT_READ,    /* apps, rollouts, events, plans of what runs */
	RIGHT_STOP,    /* abort and pause */
	RIGHT_RELEASE, /* start, promote, resume, retry, and plans of what is not started */
	RIGHT_APPROVE,
	RIGHT_APPS,  /* put and delete apps */
	RIGHT_ADMIN, /* tokens */
	RIGHT_COUNT
};

extern const char *const role_names[ROLE_COUNT + 1]; /* ends with NULL */
const char *role_name(enum role role);
enum role role_of(const char *name); /* ROLE_COUNT: no such */
bool role_has(enum role role, enum right right);
const char *right_text(enum right right);	    /* what one may do: "approve" */
void right_roles(enum right right, struct str *to); /* who may: "approver or admin" */

#endif
