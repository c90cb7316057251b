/* Settings: what is in force is read as the same again, and only what differs is said to. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include "settings/settings.h"

static void
check_nothing(const struct settings *settings, struct errlist *errors)
{
	(void)settings;
	(void)errors;
}

static struct settings *
settings_of(const char *text)
{
	struct errlist errors;
	struct settings *settings;

	errlist_init(&errors);
	settings = settings_parse(text, strlen(text), check_nothing, &errors);
	if (settings == NULL)
		fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
	errlist_done(&errors);
	return settings;
}

#define TCP "{listen: {tcp: '127.0.0.1:1', tokenFile: /t}"

static void
test_what_is_printed_is_the_same(void **state)
{
	struct settings *settings = settings_of(TCP ", clusters: [{name: a, istiod: {discover: "
						    "true}}], prometheus: [{name: p, "
						    "url: 'http://p', headers: {X: y}}]}");
	char *text = settings_print(settings), *again;
	struct settings *other = settings_of(text);

	(void)state;
	again = settings_print(other);
	assert_string_equal(text, again);
	settings_free(settings);
	settings_free(other);
	free(text);
	free(again);
}

static void
assert_fixed(const char *now, const char *next, size_t count, const char *path)
{
	struct settings *a = settings_of(now), *b = settings_of(next);
	struct errlist sentences;

	errlist_init(&sentences);
	settings_fixed(a, b, &sentences);
	assert_int_equal(sentences.count, count);
	if (count > 0)
		assert_string_equal(sentences.items[0].path, path);
	errlist_done(&sentences);
	settings_free(a);
	settings_free(b);
}

static void
refuse(const char *text, const char *path, const char *why)
{
	struct errlist errors;

	errlist_init(&errors);
	assert_null(settings_parse(text, strlen(text), check_nothing, &errors));
	assert_string_equal(errors.items[0].path, path);
	if (strstr(errors.items[0].text, why) == NULL)
		fail_msg("%s", errors.items[0].text);
	errlist_done(&errors);
}

static void
test_access(void **state)
{
	struct settings *settings = settings_of(
	    TCP ", access: [{user: 1000, role: deployer, namespaces: [shop, 'm-*']}, {user: ann, "
		"certificate: 'spiffe://x/*', role: admin, apps: [web]}]}");
	const struct settings_access *first = &settings->access[0], *second = &settings->access[1];

	(void)state;
	assert_int_equal(settings->access_count, 2);
	assert_string_equal(first->user, "1000");
	assert_string_equal(settings_roles[first->role], "deployer");
	assert_int_equal(first->namespaces.count, 2);
	assert_string_equal(first->namespaces.items[1], "m-*");
	assert_string_equal(first->apps.items[0], "*");
	assert_string_equal(second->user, "ann");
	assert_string_equal(second->certificate, "spiffe://x/*");
	assert_string_equal(second->namespaces.items[0], "*");
	assert_string_equal(second->apps.items[0], "web");
	settings_free(settings);
	refuse(TCP ", access: [{role: admin}]}", "access[0]", "does not say who");
	refuse(TCP ", access: [{user: ann}]}", "access[0].role", "missing");
	refuse(TCP ", access: [{user: ann, role: boss}]}", "access[0].role", "approver");
	refuse(TCP ", access: [{user: ann, role: admin, apps: []}]}", "access[0].apps", "1 to 16");
	refuse(TCP ", access: [{user: -1, role: admin}]}", "access[0].user", "name or number");
	refuse(TCP ", access: [{user: ann, role: admin, namespaces: [A]}]}",
	    "access[0].namespaces[0]", "a-z");
}

static void
test_only_what_differs_is_told(void **state)
{
	(void)state;
	/* No socket, before and after. */
	assert_fixed(TCP "}", TCP "}", 0, NULL);
	assert_fixed(TCP "}", "{listen: {tcp: '127.0.0.1:1', tokenFile: /t, socket: /s}}", 1,
	    "listen.socket");
	assert_fixed("{listen: {tcp: '127.0.0.1:1', tokenFile: /t, socket: /s}}", TCP "}", 1,
	    "listen.socket");
	assert_fixed(TCP "}", TCP ", log: {level: debug}}", 0, NULL);
	assert_fixed(TCP "}", TCP ", access: [{user: ann, role: admin}]}", 0, NULL);
	assert_fixed(TCP "}", TCP ", store: {path: /x}}", 1, "store.path");
}

static void
test_errors_have_lines(void **state)
{
	static const char text[] =
	    "listen:\n  socket: /s\nlimits:\n  connections: 1\n  bodi: 4096\n";
	struct errlist errors;

	(void)state;
	errlist_init(&errors);
	assert_null(settings_parse(text, strlen(text), check_nothing, &errors));
	assert_int_equal(errors.count, 2);
	assert_string_equal(errors.items[0].path, "limits.bodi");
	assert_int_equal(errors.items[0].line, 5);
	assert_string_equal(errors.items[1].path, "limits.connections");
	assert_int_equal(errors.items[1].line, 4);
	errlist_done(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_printed_is_the_same),
	    cmocka_unit_test(test_access),
	    cmocka_unit_test(test_only_what_differs_is_told),
	    cmocka_unit_test(test_errors_have_lines),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
