/* Preflight: what the strategy and the cluster room find is one list, each thing once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/str.h"
#include "base/yaml.h"
#include "model/preflight.h"

#define HEAD "kind: App\nname: web\nnamespace: shop\nworkload: {kind: Deployment, name: web}\n"
#define CANARY                                                                                     \
	HEAD "traffic: {istio: {virtualService: web, mode: host}}\n"                               \
	     "strategy: {canary: {weights: [50, 100]}}\n"
#define GREEN                                                                                      \
	HEAD "traffic: {service: {name: web}}\n"                                                   \
	     "strategy: {blueGreen: {}}\n"

static struct app *
app_of(const char *text)
{
	struct errlist errors;
	struct app *app;
	json_t *spec;
	struct err e;

	assert_int_equal(yaml_parse(text, strlen(text), &spec, NULL, &e), 0);
	errlist_init(&errors);
	app = app_parse(spec, &errors);
	if (app == NULL)
		fail_msg("%s: %s", errors.items[0].path, errors.items[0].text);
	errlist_done(&errors);
	json_decref(spec);
	return app;
}

static void
expect(const char *spec, const struct observed *seen, const char *const *texts)
{
	struct app *app = app_of(spec);
	struct errlist found;
	size_t count = 0;

	errlist_init(&found);
	preflight_find(app, seen, NULL, &found);
	for (; texts[count] != NULL; count++)
		if (count >= found.count || strstr(found.items[count].text, texts[count]) == NULL)
			fail_msg("\"%s\" is not finding %zu: \"%s\"", texts[count], count,
			    count < found.count ? found.items[count].text : "");
	assert_int_equal(found.count, count);
	errlist_done(&found);
	app_free(app);
}

static void
finds_all_at_once(void **state)
{
	struct observed seen = {.stable = {.exists = true}};
	static const char *const canary[] = {
	    "0 replicas", "Service shop/web", "VirtualService shop/web", "is paused", NULL};

	(void)state;
	str_copy(seen.preflight, sizeof(seen.preflight), "Deployment web is paused");
	expect(CANARY, &seen, canary);
	str_copy(seen.stable.name, sizeof(seen.stable.name), "web");
	static const char *const green[] = {"0 replicas", "Service shop/web", "is paused", NULL};
	expect(GREEN, &seen, green);
}

static void
says_each_thing_once(void **state)
{
	struct observed seen = {0};
	static const char *const texts[] = {"Deployment shop/web does not exist; apply it",
	    "Service shop/web does not exist", "VirtualService shop/web does not exist",
	    "several HPAs", NULL};

	(void)state;
	str_copy(seen.preflight, sizeof(seen.preflight),
	    "Deployment shop/web does not exist\n"
	    "Service shop/web does not exist: set traffic.istio.service\n"
	    "VirtualService shop/web does not exist\nseveral HPAs\nseveral HPAs");
	expect(CANARY, &seen, texts);
}

static void
has_nothing_to_say(void **state)
{
	struct observed seen = {.service = true,
	    .stable = {.exists = true, .replicas = 2, .ready = 2},
	    .route = {.exists = true, .fits = true}};
	static const char *const none[] = {NULL};

	(void)state;
	expect(CANARY, &seen, none);
	expect(GREEN, &seen, none);
}

static void
one_text_of_all(void **state)
{
	struct errlist found;
	char text[160];

	(void)state;
	errlist_init(&found);
	errlist_add(&found, "", "the first");
	preflight_reason(&found, text, sizeof(text));
	assert_string_equal(text, "the first");
	errlist_add(&found, "", "the second");
	preflight_reason(&found, text, sizeof(text));
	assert_string_equal(text, "(1) the first; (2) the second");
	for (int i = 0; i < 8; i++)
		errlist_add(&found, "", "one of those that there is no room for, number %d", i);
	preflight_reason(&found, text, sizeof(text));
	assert_string_equal(text,
	    "(1) the first; (2) the second; (3) one of those that there is no room for, number 0; "
	    "and 7 more: see airisctl app preflight");
	errlist_done(&found);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_all_at_once),
	    cmocka_unit_test(says_each_thing_once),
	    cmocka_unit_test(has_nothing_to_say),
	    cmocka_unit_test(one_text_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
