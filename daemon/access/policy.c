/* What the settings grant. */
#include "access/policy.h"

#include <string.h>

static struct policy_entry *
add(struct policy *policy)
{
	if (policy->count == POLICY_ENTRIES)
		return NULL;
	policy->set = true;
	struct policy_entry *entry = &policy->entries[policy->count++];
	*entry = (struct policy_entry){.id = ""};
	return entry;
}

struct grant *
policy_add_user(struct policy *policy, uid_t uid)
{
	struct policy_entry *entry = add(policy);
	if (entry == NULL)
		return NULL;
	str_print(entry->id, sizeof(entry->id), "uid=%u", (unsigned)uid);
	return &entry->grant;
}

struct grant *
policy_add_certificate(struct policy *policy, const char *name)
{
	struct policy_entry *entry = add(policy);
	if (entry == NULL)
		return NULL;
	/* A name that was cut must fit nobody. */
	if (!str_print(entry->id, sizeof(entry->id), "certificate:%s", name))
		entry->id[0] = '\0';
	return &entry->grant;
}

static void
grant_listed(const struct policy *policy, struct principal *who)
{
	for (int i = 0; i < policy->count; i++) {
		const struct policy_entry *entry = &policy->entries[i];
		bool same = who->kind == PRINCIPAL_CERTIFICATE ? glob_matches(entry->id, who->id)
							       : strcmp(entry->id, who->id) == 0;
		if (same)
			principal_grant(who, &entry->grant);
	}
}

void
policy_user(const struct policy *policy, uid_t uid, struct principal *who)
{
	*who = (struct principal){.kind = PRINCIPAL_USER};
	str_print(who->id, sizeof(who->id), "uid=%u", (unsigned)uid);
	if (!policy->set || uid == 0 || uid == policy->own)
		principal_grant(who, &grant_everything);
	grant_listed(policy, who);
}

void
policy_certificate(const struct policy *policy, const char *name, struct principal *who)
{
	*who = (struct principal){.kind = PRINCIPAL_CERTIFICATE};
	/* Two names that begin alike must not become one. */
	if (!str_print(who->id, sizeof(who->id), "certificate:%s", name))
		who->kind = PRINCIPAL_NOBODY;
	else
		grant_listed(policy, who);
}
