/* Why the rights lie where they do:
 *
 * - Whoever may release or approve may stop: abort and pause. In an incident nobody looks for
 *   somebody with the right role; what stops a release is safe, what goes on with it is not.
 * - A deployer does not approve, and an approver does not release: that is what an approval is for.
 *   Who shall do both is given both roles; a rollout of one's own stays forbidden (model/command).
 * - Only an admin changes apps. The app says which gates, holds and approvals a release must pass,
 *   so who could change it would not need any other right.
 * - An admin may do everything where it is one. Tokens have no namespace, so they are for those
 *   who are admin over everything: nobody makes a token that may do more than themselves. */
#include "access/role.h"

#include <string.h>

#define OF(right) (1u << RIGHT_##right)

const char *const role_names[ROLE_COUNT + 1] = {[ROLE_VIEWER] = "viewer",
    [ROLE_DEPLOYER] = "deployer",
    [ROLE_APPROVER] = "approver",
    [ROLE_ADMIN] = "admin"};

static const unsigned rights[ROLE_COUNT] = {
    [ROLE_VIEWER] = OF(READ),
    [ROLE_DEPLOYER] = OF(READ) | OF(STOP) | OF(RELEASE),
    [ROLE_APPROVER] = OF(READ) | OF(STOP) | OF(APPROVE),
    [ROLE_ADMIN] = OF(READ) | OF(STOP) | OF(RELEASE) | OF(APPROVE) | OF(APPS) | OF(ADMIN),
};

static const char *const texts[RIGHT_COUNT] = {
    [RIGHT_KNOWN] = "be known",
    [RIGHT_READ] = "look",
    [RIGHT_STOP] = "abort or pause",
    [RIGHT_RELEASE] = "release",
    [RIGHT_APPROVE] = "approve",
    [RIGHT_APPS] = "change or delete apps",
    [RIGHT_ADMIN] = "manage tokens",
};

const char *
role_name(enum role role)
{
	return role_names[role];
}

enum role
role_of(const char *name)
{
	int i = 0;
	while (i < ROLE_COUNT && strcmp(role_names[i], name) != 0)
		i++;
	return (enum role)i;
}

bool
role_has(enum role role, enum right right)
{
	return right == RIGHT_KNOWN || (rights[role] >> right & 1) != 0;
}

const char *
right_text(enum right right)
{
	return texts[right];
}

void
right_roles(enum right right, struct str *to)
{
	int left = 0;
	for (int i = 0; i < ROLE_COUNT; i++)
		left += role_has((enum role)i, right);
	for (int i = 0; i < ROLE_COUNT; i++) {
		if (!role_has((enum role)i, right))
			continue;
		left--;
		str_addf(to, "%s%s", role_names[i], left > 1 ? ", " : left == 1 ? " or " : "");
	}
}
