/* Who may do what, from the settings to the api. Names of users become numbers here, at the start
 * and when the settings are read again, so that no request has to ask the host for them. */
#include "wire_access.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -1: there is no such user. */
static int
find_user(const char *name, uid_t *uid, struct err *e)
{
	char room[16384];
	struct passwd entry, *found = NULL;
	int64_t number;
	if (str_number(name, 0, UINT32_MAX - 1, &number) == 0) {
		*uid = (uid_t)number;
		return 0;
	}
	int code = getpwnam_r(name, &entry, room, sizeof(room), &found);
	if (found != NULL) {
		*uid = found->pw_uid;
		return 0;
	}
	if (code != 0)
		return err_set(e, "user \"%s\" cannot be looked up: %s", name, strerror(code));
	return err_set(e,
	    "there is no user \"%s\" on this host; make one, or give a number (id -u NAME)", name);
}

void
wire_access_check(const struct settings *settings, struct errlist *errors)
{
	char path[64];
	struct err e;
	uid_t uid;
	for (int i = 0; i < settings->access_count; i++) {
		str_print(path, sizeof(path), "access[%d].user", i);
		if (settings->access[i].user[0] != '\0' &&
		    find_user(settings->access[i].user, &uid, &e) < 0)
			errlist_add(errors, path, "%s", e.text);
	}
}

_Static_assert(POLICY_ENTRIES >= 2 * SETTINGS_ACCESS, "each entry may be a user and a certificate");

static void
fill(const struct settings_access *access, struct grant *grant)
{
	if (grant != NULL)
		*grant = (struct grant){.role = role_of(settings_roles[access->role]),
		    .namespaces = access->namespaces,
		    .apps = access->apps};
}

static void
add(struct policy *policy, const struct settings_access *access)
{
	struct err e;
	uid_t uid;
	if (access->certificate[0] != '\0')
		fill(access, policy_add_certificate(policy, access->certificate));
	if (access->user[0] != '\0' && find_user(access->user, &uid, &e) == 0)
		fill(access, policy_add_user(policy, uid));
}

void
wire_access(const struct settings *settings, struct api *api)
{
	struct policy *policy = mem_alloc(sizeof(*policy));
	/* Also if every entry is left out: a list that fits nobody is not no list. */
	*policy = (struct policy){.own = geteuid(), .set = settings->access_count > 0};
	for (int i = 0; i < settings->access_count; i++)
		add(policy, &settings->access[i]);
	api_policy_set(api, policy);
	free(policy);
}
