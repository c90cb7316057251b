/* Who may do what, without a daemon: globs, the table of roles, authorise(), what the settings
 * grant, the text of tokens and what is kept of them. */
#include "unit.h"

#include <string.h>
#include "access/policy.h"
#include "access/token.h"
#include "base/jsonx.h"

static void
test_globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} cases[] = {
	    {"web", "web", true},
	    {"web", "web-1", false},
	    {"web", "we", false},
	    {"web", "", false},
	    {"web-*", "web-", true},
	    {"web-*", "web-1", true},
	    {"web-*", "web", false},
	    {"*-web", "a-web", true},
	    {"*-web", "a-web-b-web", true},
	    {"*-web", "a-web-b", false},
	    {"*a*b*", "xxaxxbxx", true},
	    {"*a*b*", "xxbxxaxx", false},
	    {"a*b*a", "aba", true},
	    {"a*b*a", "ab", false},
	    {"*", "", true},
	    {"**", "anything", true},
	    {"web.", "web1", false},
	    {"w?b", "web", false},
	    {"*", NULL, true},
	    {"**", NULL, true},
	    {"", NULL, false},
	    {"", "", true},
	    {"web", NULL, false},
	    {"*a", NULL, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (glob_matches(cases[i].pattern, cases[i].text) != cases[i].fits)
			fail_msg("\"%s\" and \"%s\"", cases[i].pattern,
			    cases[i].text ? cases[i].text : "(not known)");
	assert_true(glob_ok("web-*"));
	assert_false(glob_ok(""));
	assert_false(glob_ok("Web"));
	assert_false(glob_ok("a/b"));
	assert_false(glob_ok("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

/* Written again by hand: a right that moves from one role to another is seen here. */
static void
test_roles(void **state)
{
	static const char rights[ROLE_COUNT][RIGHT_COUNT + 1] = {
	    /* known, read, stop, release, approve, apps, admin */
	    [ROLE_VIEWER] = "yy-----",
	    [ROLE_DEPLOYER] = "yyyy---",
	    [ROLE_APPROVER] = "yyy-y--",
	    [ROLE_ADMIN] = "yyyyyyy",
	};
	(void)state;
	for (int role = 0; role < ROLE_COUNT; role++) {
		assert_int_equal(role_of(role_name((enum role)role)), role);
		for (int right = 0; right < RIGHT_COUNT; right++)
			assert_int_equal(role_has((enum role)role, (enum right)right),
			    rights[role][right] == 'y');
	}
	assert_int_equal(role_of("boss"), ROLE_COUNT);
	assert_int_equal(role_of(""), ROLE_COUNT);
}

static void
set(struct grant *grant, enum role role, const char *namespace, const char *app)
{
	grant->role = role;
	globs_set(&grant->namespaces, namespace);
	globs_set(&grant->apps, app);
}

static bool
may(const struct principal *who, enum right right, const char *namespace, const char *app)
{
	struct subject subject = {.reach = REACH_ONE, .namespace = namespace, .app = app};
	struct err why = {""};
	bool good = authorise(who, right, &subject, &why);
	assert_int_equal(good, why.text[0] == '\0');
	return good;
}

static bool
may_reach(const struct principal *who, enum right right, enum reach reach)
{
	struct subject subject = {.reach = reach};
	struct err why;
	return authorise(who, right, &subject, &why);
}

static void
test_authorise(void **state)
{
	struct principal who = {.kind = PRINCIPAL_TOKEN, .id = "token:x"};
	struct grant first, second;
	(void)state;
	assert_false(may(&who, RIGHT_READ, "shop", "web"));
	assert_false(may_reach(&who, RIGHT_READ, REACH_ANY));
	assert_true(may_reach(&who, RIGHT_KNOWN, REACH_ANY));
	set(&first, ROLE_DEPLOYER, "shop", "web-*");
	set(&second, ROLE_APPROVER, "mon-*", "*");
	principal_grant(&who, &first);
	principal_grant(&who, &second);
	assert_true(may(&who, RIGHT_RELEASE, "shop", "web-1"));
	assert_false(may(&who, RIGHT_RELEASE, "shop", "api"));
	assert_false(may(&who, RIGHT_RELEASE, "mon-1", "web-1"));
	assert_false(may(&who, RIGHT_APPROVE, "shop", "web-1"));
	assert_true(may(&who, RIGHT_APPROVE, "mon-1", "api"));
	assert_true(may(&who, RIGHT_STOP, "mon-1", "api"));
	assert_false(may(&who, RIGHT_APPS, "shop", "web-1"));
	/* Where it is is not known: only who has all namespaces. */
	assert_false(may(&who, RIGHT_READ, NULL, "web-1"));
	assert_true(may_reach(&who, RIGHT_RELEASE, REACH_ANY));
	assert_false(may_reach(&who, RIGHT_READ, REACH_ALL));
	principal_grant(&who, &grant_everything);
	assert_true(may(&who, RIGHT_APPS, NULL, "web-1"));
	assert_true(may_reach(&who, RIGHT_ADMIN, REACH_ALL));
	/* Nobody stays nobody. */
	who.kind = PRINCIPAL_NOBODY;
	assert_false(may(&who, RIGHT_READ, "shop", "web-1"));
	assert_false(may_reach(&who, RIGHT_KNOWN, REACH_ANY));
}

/* Admin of much is not admin of all: no token comes out of a part. */
static void
test_parts_are_not_all(void **state)
{
	static const char *const parts[][2] = {{"*", "web"}, {"shop", "*"}, {"*-*", "*"}};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct principal who = {.kind = PRINCIPAL_USER, .id = "uid=1"};
		struct grant grant;
		set(&grant, ROLE_ADMIN, parts[i][0], parts[i][1]);
		principal_grant(&who, &grant);
		assert_false(may_reach(&who, RIGHT_ADMIN, REACH_ALL));
		assert_true(may_reach(&who, RIGHT_ADMIN, REACH_ANY));
	}
}

static void
test_why_not(void **state)
{
	struct principal who = {.kind = PRINCIPAL_TOKEN, .id = "token:ab12cd34"};
	struct subject subject = {.reach = REACH_ONE, .namespace = "shop", .app = "web"};
	struct grant grant;
	struct err why;
	(void)state;
	assert_false(authorise(&who, RIGHT_APPROVE, &subject, &why));
	assert_string_equal(why.text,
	    "token:ab12cd34 may not approve here: that takes the role approver or admin over app "
	    "web in namespace shop, and it has none; who is admin gives roles");
	set(&grant, ROLE_VIEWER, "shop", "w*");
	principal_grant(&who, &grant);
	assert_false(authorise(&who, RIGHT_STOP, &subject, &why));
	assert_string_equal(why.text,
	    "token:ab12cd34 may not abort or pause here: that takes the role deployer, approver or "
	    "admin over app web in namespace shop; it has viewer (namespaces shop; apps w*)");
}

static void
test_policy(void **state)
{
	static struct policy policy = {.own = 990};
	struct principal who;
	(void)state;
	/* No list: the socket's mode has said who it is. */
	policy_user(&policy, 1000, &who);
	assert_string_equal(who.id, "uid=1000");
	assert_true(may(&who, RIGHT_APPS, "shop", "web"));
	policy_certificate(&policy, "spiffe://x/ci", &who);
	assert_false(may(&who, RIGHT_READ, "shop", "web"));
	set(policy_add_user(&policy, 1000), ROLE_DEPLOYER, "shop", "*");
	set(policy_add_user(&policy, 1000), ROLE_APPROVER, "mon", "*");
	set(policy_add_certificate(&policy, "spiffe://x/ci-*"), ROLE_DEPLOYER, "*", "*");
	policy_user(&policy, 1000, &who);
	assert_int_equal(who.grant_count, 2);
	assert_true(may(&who, RIGHT_RELEASE, "shop", "web"));
	assert_false(may(&who, RIGHT_RELEASE, "mon", "web"));
	policy_user(&policy, 100, &who);
	assert_false(may(&who, RIGHT_READ, "shop", "web"));
	policy_user(&policy, 990, &who);
	assert_true(may(&who, RIGHT_ADMIN, "shop", "web"));
	policy_user(&policy, 0, &who);
	assert_true(may(&who, RIGHT_ADMIN, "shop", "web"));
	policy_certificate(&policy, "spiffe://x/ci-1", &who);
	assert_string_equal(who.id, "certificate:spiffe://x/ci-1");
	assert_true(may(&who, RIGHT_RELEASE, "shop", "web"));
	policy_certificate(&policy, "spiffe://x/c", &who);
	assert_false(may(&who, RIGHT_READ, "shop", "web"));
	/* A certificate is not the user of that text, nor a user a certificate. */
	policy_certificate(&policy, "uid=1000", &who);
	assert_int_equal(who.grant_count, 0);
	/* Too long to be told from others that begin so. */
	char name[300];
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	set(policy_add_certificate(&policy, name), ROLE_ADMIN, "*", "*");
	policy_certificate(&policy, name, &who);
	assert_int_equal(who.kind, PRINCIPAL_NOBODY);
	while (policy_add_user(&policy, 7) != NULL)
		continue;
	assert_int_equal(policy.count, POLICY_ENTRIES);
	policy_user(&policy, 7, &who);
	assert_in_range(who.grant_count, 1, PRINCIPAL_GRANTS);
}

static void
test_secrets(void **state)
{
	char text[SECRET_TEXT], other[SECRET_TEXT], id[SECRET_ID];
	(void)state;
	secret_make(text);
	secret_make(other);
	assert_string_not_equal(text, other);
	assert_int_equal(strlen(text), SECRET_TEXT - 1);
	assert_int_equal(secret_read(text, id), SECRET_GOOD);
	assert_memory_equal(id, text + 6, 8);
	assert_true(secret_id_ok(id));
	assert_false(secret_id_ok("ab12cd3"));
	assert_false(secret_id_ok("AB12CD34"));
	assert_int_equal(secret_read("", id), SECRET_FOREIGN);
	assert_int_equal(secret_read("secret", id), SECRET_FOREIGN);
	assert_int_equal(secret_read("airis_", id), SECRET_MISTYPED);
	/* Any one character that is another, left out or more. */
	for (size_t i = 6; i < strlen(text); i++) {
		char wrong[SECRET_TEXT + 1];
		str_copy(wrong, sizeof(wrong), text);
		wrong[i] = text[i] == 'x' ? 'y' : 'x';
		assert_int_equal(secret_read(wrong, id), SECRET_MISTYPED);
		str_print(wrong, sizeof(wrong), "%.*s%s", (int)i, text, text + i + 1);
		assert_int_equal(secret_read(wrong, id), SECRET_MISTYPED);
		str_print(wrong, sizeof(wrong), "%.*sx%s", (int)i, text, text + i);
		assert_int_equal(secret_read(wrong, id), SECRET_MISTYPED);
	}
	/* The checksum is CRC-32 in base 62, as other programs that look for it compute it. */
	assert_int_equal(
	    secret_read("airis_00000000_00000000000000000000000000000000_2oNMuu", id), SECRET_GOOD);
}

static struct token
make(const char *secret, int64_t expires_ms)
{
	struct token token = {.note = "ci", .by = "ann", .created_ms = 1, .expires_ms = expires_ms};
	set(&token.grant, ROLE_DEPLOYER, "shop", "web-*");
	assert_int_equal(secret_read(secret, token.id), SECRET_GOOD);
	secret_digest(secret, token.digest);
	return token;
}

static void
test_tokens(void **state)
{
	char secret[SECRET_TEXT], other[SECRET_TEXT];
	struct principal who;
	struct token again;
	struct err e;
	(void)state;
	secret_make(secret);
	secret_make(other);
	struct token token = make(secret, 1000);
	assert_true(token_fits(&token, secret, 999));
	assert_false(token_fits(&token, secret, 1000));
	assert_false(token_fits(&token, other, 999));
	assert_false(token_fits(&token, "", 999));
	json_t *json = token_json(&token);
	char *text = jsonx_dump(json);
	assert_null(strstr(text, secret + 15));
	free(text);
	assert_int_equal(token_read(token.id, json, &again, &e), 0);
	assert_memory_equal(&again, &token, sizeof(token));
	token_principal(&again, &who);
	assert_true(may(&who, RIGHT_RELEASE, "shop", "web-1"));
	assert_false(may(&who, RIGHT_RELEASE, "shop", "api"));
	assert_int_equal(token_read("x", json, &again, &e), -1);
	static const char *const damaged[] = {"role", "namespaces", "apps", "sha256"};
	for (size_t i = 0; i < 4; i++) {
		json_t *copy = json_copy(json);
		json_object_set_new(copy, damaged[i], json_string("x"));
		assert_int_equal(token_read(token.id, copy, &again, &e), -1);
		assert_int_equal(json_object_del(copy, damaged[i]), 0);
		assert_int_equal(token_read(token.id, copy, &again, &e), -1);
		json_decref(copy);
	}
	json_object_del(json, "expires");
	assert_int_equal(token_read(token.id, json, &again, &e), 0);
	assert_false(token_fits(&again, secret, 1));
	json_decref(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_globs),
	    cmocka_unit_test(test_roles),
	    cmocka_unit_test(test_authorise),
	    cmocka_unit_test(test_parts_are_not_all),
	    cmocka_unit_test(test_why_not),
	    cmocka_unit_test(test_policy),
	    cmocka_unit_test(test_secrets),
	    cmocka_unit_test(test_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
