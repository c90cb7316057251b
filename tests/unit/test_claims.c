/* What tokens of CI systems claim: for whom, until when, and which rule they fit. */
#include "unit.h"
#include <string.h>
#include "access/claims.h"
#include "base/jsonx.h"
#include "base/str.h"

#define ISSUER "https://token.actions.example"
#define AUDIENCE "airis"
#define NOW 1700000000

/* As GitHub writes them; %s: more of them, or others instead. */
static json_t *
claims_with(const char *key, const char *value)
{
	json_t *claims = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s}", "iss", ISSUER,
	    "aud", AUDIENCE, "exp", (json_int_t)NOW + 300, "nbf", (json_int_t)NOW - 5, "iat",
	    (json_int_t)NOW, "sub", "repo:shop/web:ref:refs/heads/main", "repository_id", "74",
	    "ref", "refs/heads/main", "event_name", "push");
	struct err e;
	if (key == NULL)
		return claims;
	json_object_del(claims, key);
	if (value == NULL)
		return claims;
	char text[512];
	str_print(text, sizeof(text), "[%s]", value);
	json_t *list = jsonx_parse(text, strlen(text), sizeof(text), &e);
	assert_non_null(list);
	json_object_set(claims, key, json_array_get(list, 0));
	json_decref(list);
	return claims;
}

static void
says(const struct err *why, const char *expected)
{
	if (strstr(why->text, expected) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", why->text, expected);
}

/* expected NULL: taken. */
static void
check(const char *key, const char *value, const char *expected)
{
	json_t *claims = claims_with(key, value);
	struct err why = {.text = ""};
	int result = claims_check(claims, ISSUER, AUDIENCE, NOW, &why);
	json_decref(claims);
	if (expected == NULL && result != 0)
		fail_msg("%s %s is refused: %s", key, value, why.text);
	if (expected != NULL) {
		assert_int_equal(result, -1);
		says(&why, expected);
	}
}

static void
test_for_us(void **state)
{
	(void)state;
	check(NULL, NULL, NULL);
	check("iss", "\"" ISSUER "/\"", "of the issuer \"" ISSUER "/\"");
	check("iss", NULL, "of the issuer \"\"");
	check("iss", "[\"" ISSUER "\"]", "of the issuer");
	check("aud", "\"https://github.com/shop\"", "audience airis");
	check("aud", "\"airis2\"", "audience \"airis2\"");
	check("aud", NULL, "audience");
	check("aud", "[]", "audience");
	check("aud", "[\"other\", \"airis\"]", NULL);
	check("aud", "[[\"airis\"]]", "audience");
	check("aud", "{\"0\": \"airis\"}", "audience");
}

static void
test_times(void **state)
{
	(void)state;
	check("exp", NULL, "no time of expiry");
	check("exp", "\"1800000000\"", "no time of expiry");
	check("exp", "-5", "no time of expiry");
	check("exp", "1699999941", NULL); /* 59 s ago: clocks */
	check("exp", "1699999940", "expired 60 s ago");
	check("exp", "1700000300.5", NULL);
	check("exp", "1700086460", NULL);
	check("exp", "1700086461", "at most 86400");
	check("exp", "1e300", "no time of expiry");
	check("nbf", NULL, NULL);
	check("nbf", "1700000060", NULL);
	check("nbf", "1700000061", "its nbf is 61 s from now");
	check("nbf", "\"soon\"", "its nbf");
	check("iat", NULL, NULL);
	check("iat", "1700000061", "its iat");
	check("iat", "null", "its iat");
}

static void
fits(const char *key, const char *value, const struct claims_pin *pins, int count,
    const char *expected)
{
	json_t *claims = claims_with(key, value);
	struct err why = {.text = ""};
	bool good = claims_fit(claims, pins, count, &why);
	json_decref(claims);
	if (good != (expected == NULL))
		fail_msg("%s %s: %s", key ? key : "", value ? value : "", why.text);
	if (expected != NULL)
		says(&why, expected);
}

static void
test_rules(void **state)
{
	(void)state;
	const struct claims_pin pins[] = {
	    {"repository_id", "74"}, {"ref", "refs/heads/*"}, {"ref_protected", "true"}};
	fits(NULL, NULL, pins, 2, NULL);
	fits("repository_id", "\"740\"", pins, 2, "its repository_id is not 74");
	fits("repository_id", "74", pins, 2, NULL);
	fits("repository_id", "[\"74\"]", pins, 2, "repository_id");
	fits("repository_id", NULL, pins, 2, "repository_id");
	fits("ref", "\"refs/tags/v1\"", pins, 2, "its ref is not refs/heads/*");
	fits("ref", "\"x/refs/heads/main\"", pins, 2, "ref");
	fits(NULL, NULL, pins, 3, "ref_protected");
	fits("ref_protected", "true", pins, 3, NULL);
	fits("ref_protected", "\"true\"", pins, 3, NULL);
	fits("ref_protected", "false", pins, 3, "ref_protected");
	fits(NULL, NULL, pins, 0, "");
}

/* Proposals of strangers run in pipelines, too. */
static void
test_pull_requests(void **state)
{
	(void)state;
	const struct claims_pin pins[] = {{"repository_id", "74"}, {"event_name", "pull_request"}};
	fits("event_name", "\"pull_request\"", pins, 1, "only a rule that asks for it");
	fits("event_name", "\"pull_request_target\"", pins, 1, "only a rule that asks for it");
	fits("event_name", "\"pull_request\"", pins, 2, NULL);
	fits("event_name", "\"pull_request_target\"", pins, 2, "its event_name is not");
	fits("pipeline_source", "\"merge_request_event\"", pins, 1, "only a rule that asks for it");
	fits("pipeline_source", "\"push\"", pins, 1, NULL);
}

static void
test_rules_that_name_nobody(void **state)
{
	(void)state;
	const struct claims_pin good[] = {{"ref", "*"}, {"project_id", "22"}};
	const struct claims_pin starred[] = {{"sub", "repo:*"}};
	const struct claims_pin called[] = {
	    {"job_workflow_ref", "shop/ci/.github/workflows/deploy.yml@refs/heads/main"}};
	assert_null(claims_pins_wrong(good, 2));
	assert_non_null(claims_pins_wrong(good, 1));
	assert_non_null(claims_pins_wrong(starred, 1));
	/* Whose repository it is says nothing of it: any other may call a public workflow. */
	assert_non_null(claims_pins_wrong(called, 1));
	assert_non_null(claims_pins_wrong(NULL, 0));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_for_us),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_pull_requests),
	    cmocka_unit_test(test_rules_that_name_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
