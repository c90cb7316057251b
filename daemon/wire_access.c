/* Who may do what, from the settings to the api. Names of users become numbers here, at the start
 * and when the settings are read again, so that no request has to ask the host for them. */
#include "wire_access.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "http/httpc_ca.h"

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

static void
pins_of(const struct settings_pins *from, struct oidc_rule *to)
{
	for (to->pin_count = 0; to->pin_count < from->count; to->pin_count++) {
		const struct settings_pin *pin = &from->items[to->pin_count];
		struct claims_pin *copy = &to->pins[to->pin_count];
		str_copy(copy->claim, sizeof(copy->claim), pin->claim);
		str_copy(copy->value, sizeof(copy->value), pin->value);
	}
}

static void
check_rule(const struct settings_issuer *issuer, int index, int number, struct errlist *errors)
{
	struct oidc_rule rule = {0};
	char path[64];
	pins_of(&issuer->rules[number].pins, &rule);
	const char *wrong = claims_pins_wrong(rule.pins, rule.pin_count);
	str_print(path, sizeof(path), "oidc[%d].rules[%d].claims", index, number);
	if (wrong != NULL)
		errlist_add(errors, path, "%s", wrong);
}

static void
check_issuer(const struct settings *settings, int index, struct errlist *errors)
{
	const struct settings_issuer *issuer = &settings->issuers[index];
	struct issuer_settings wanted = {
	    .url = issuer->url, .keys = issuer->keys[0] != '\0' ? issuer->keys : NULL};
	char path[64];
	struct err e;
	str_print(path, sizeof(path), "oidc[%d]", index);
	if (issuer_check(&wanted, &e) < 0)
		errlist_add(errors, path, "%s", e.text);
	for (int i = 0; i < index; i++)
		if (strcmp(settings->issuers[i].name, issuer->name) == 0 ||
		    strcmp(settings->issuers[i].url, issuer->url) == 0)
			errlist_add(errors, path, "has the name or the issuer of oidc[%d]", i);
	for (int i = 0; i < issuer->rule_count; i++)
		check_rule(issuer, index, i, errors);
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
	for (int i = 0; i < settings->issuer_count; i++) {
		const char *file = settings->issuers[i].ca_file;
		str_print(path, sizeof(path), "oidc[%d].caFile", i);
		if (file[0] != '\0' && access(file, R_OK) < 0)
			errlist_add(errors, path, "%s: %s", file, strerror(errno));
	}
}

void
wire_oidc_check(const struct settings *settings, struct errlist *errors)
{
	for (int i = 0; i < settings->issuer_count; i++)
		check_issuer(settings, i, errors);
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

static void
add_rule(struct oidc_settings *to, int issuer, const struct settings_rule *from)
{
	struct oidc_rule *rule = &to->rules[to->rule_count++];
	*rule = (struct oidc_rule){.issuer = issuer,
	    .grant = {.role = role_of(settings_roles[from->role]),
		.namespaces = from->namespaces,
		.apps = from->apps}};
	pins_of(&from->pins, rule);
}

_Static_assert(OIDC_ISSUERS >= SETTINGS_ISSUERS &&
		   OIDC_RULES >= SETTINGS_ISSUERS * SETTINGS_RULES && CLAIMS_PINS >= SETTINGS_PINS,
    "there is room for all that the settings may have");

static struct oidc_settings *
oidc_settings(const struct settings *settings)
{
	struct oidc_settings *to = mem_alloc(sizeof(*to));
	for (; to->issuer_count < settings->issuer_count; to->issuer_count++) {
		const struct settings_issuer *from = &settings->issuers[to->issuer_count];
		struct oidc_issuer *issuer = &to->issuers[to->issuer_count];
		str_copy(issuer->name, sizeof(issuer->name), from->name);
		str_copy(issuer->url, sizeof(issuer->url), from->url);
		str_copy(issuer->keys, sizeof(issuer->keys), from->keys);
		str_copy(issuer->audience, sizeof(issuer->audience), from->audience);
		issuer->ca_pem = httpc_ca_read(from->ca_file, from->name);
		issuer->life_ms = from->life_ms;
		for (int i = 0; i < from->rule_count; i++)
			add_rule(to, to->issuer_count, &from->rules[i]);
	}
	return to;
}

static void
oidc_settings_free(struct oidc_settings *settings)
{
	for (int i = 0; i < settings->issuer_count; i++)
		free(settings->issuers[i].ca_pem);
	free(settings);
}

struct oidc *
wire_oidc(struct loop *loop, const struct clock_port *clock, const struct settings *settings)
{
	struct oidc_settings *from = oidc_settings(settings);
	struct oidc *oidc = oidc_new(loop, clock, from);
	oidc_settings_free(from);
	return oidc;
}

void
wire_oidc_reload(struct oidc *oidc, const struct settings *next)
{
	struct oidc_settings *from = oidc_settings(next);
	oidc_set(oidc, from);
	oidc_settings_free(from);
}

void
wire_access_reload(const struct settings *next, struct api *api)
{
	struct err e;
	wire_access(next, api);
	if (api_reload(api, next->token_file[0] != '\0' ? next->token_file : NULL, &e) < 0)
		log_error("airisd", "%s; until then nobody is let in by it", e.text);
}
