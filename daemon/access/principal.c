/* Who asks, and whether it may. */
#include "access/principal.h"

const struct grant grant_everything = {.role = ROLE_ADMIN,
    .namespaces = {.items = {"*"}, .count = 1},
    .apps = {.items = {"*"}, .count = 1}};

void
principal_grant(struct principal *who, const struct grant *grant)
{
	if (who->grant_count < PRINCIPAL_GRANTS)
		who->grants[who->grant_count++] = grant;
}

static bool
covers(const struct grant *grant, enum right right, const struct subject *subject)
{
	if (!role_has(grant->role, right))
		return false;
	switch (subject->reach) {
	case REACH_ANY:
		return grant->namespaces.count > 0 && grant->apps.count > 0;
	case REACH_ONE:
		return globs_match(&grant->namespaces, subject->namespace) &&
		       globs_match(&grant->apps, subject->app);
	case REACH_ALL:
		return globs_match_all(&grant->namespaces) && globs_match_all(&grant->apps);
	}
	return false;
}

static void
add_globs(struct str *to, const char *what, const struct globs *globs)
{
	str_addf(to, "%s ", what);
	for (int i = 0; i < globs->count; i++)
		str_addf(to, "%s%s", i > 0 ? ", " : "", globs->items[i]);
}

static void
add_grants(struct str *to, const struct principal *who)
{
	for (int i = 0; i < who->grant_count; i++) {
		str_addf(to, "%s%s (", i > 0 ? ", " : "", role_name(who->grants[i]->role));
		add_globs(to, "namespaces", &who->grants[i]->namespaces);
		add_globs(to, "; apps", &who->grants[i]->apps);
		str_add(to, ")");
	}
}

static void
add_subject(struct str *to, const struct subject *subject)
{
	if (subject->reach == REACH_ALL)
		str_add(to, " over all namespaces and apps");
	else if (subject->reach == REACH_ONE && subject->namespace == NULL)
		str_addf(to, " over app %s in all namespaces", subject->app);
	else if (subject->reach == REACH_ONE)
		str_addf(to, " over app %s in namespace %s", subject->app, subject->namespace);
}

static bool
refuse(
    const struct principal *who, enum right right, const struct subject *subject, struct err *why)
{
	struct str text;
	str_init(&text, sizeof(why->text) - 1);
	str_addf(&text, "%s may not %s here: that takes the role ", who->id, right_text(right));
	right_roles(right, &text);
	add_subject(&text, subject);
	if (who->grant_count == 0)
		str_add(&text, ", and it has none; who is admin gives roles");
	else
		str_add(&text, "; it has ");
	add_grants(&text, who);
	err_set(why, "%s", str_text(&text));
	str_done(&text);
	return false;
}

bool
authorise(
    const struct principal *who, enum right right, const struct subject *subject, struct err *why)
{
	if (who->kind == PRINCIPAL_NOBODY) {
		if (why != NULL)
			err_set(why, "it is not known who asks");
		return false;
	}
	if (right == RIGHT_KNOWN)
		return true;
	for (int i = 0; i < who->grant_count; i++)
		if (covers(who->grants[i], right, subject))
			return true;
	return why != NULL && refuse(who, right, subject, why);
}

json_t *
grant_json(const struct grant *grant)
{
	return json_pack("{s:s, s:o, s:o}", "role", role_name(grant->role), "namespaces",
	    globs_json(&grant->namespaces), "apps", globs_json(&grant->apps));
}
