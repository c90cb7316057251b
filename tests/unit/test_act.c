/* Acts: every kind and outcome has a name of its own that leads back to it, and a line to read. */
#include "unit.h"

#include <string.h>
#include "base/str.h"
#include "model/act.h"

static void
test_names_lead_back(void **state)
{
	(void)state;
	for (int i = 0; i < ACT_KINDS; i++)
		assert_int_equal(act_kind_of(act_name((enum act_kind)i)), i);
	for (int i = 0; i <= ACT_UNREACHED; i++)
		assert_int_equal(act_outcome_of(act_outcome_name((enum act_outcome)i)), i);
	assert_int_equal(act_kind_of("nonsense"), ACT_NONE);
	assert_int_equal(act_kind_of(NULL), ACT_NONE);
	assert_int_equal(act_outcome_of("nonsense"), ACT_UNKNOWN);
}

static void
test_text(void **state)
{
	static struct app app = {.namespace = "airis-mon", .workload = "web"};
	struct act act = {.kind = ACT_WEIGHT, .number = 25};
	char text[256];

	(void)state;
	str_copy(app.traffic.route, sizeof(app.traffic.route), "web");
	act_text(&act, &app, text, sizeof(text));
	assert_string_equal(text, "VirtualService airis-mon/web: canary weight 25, stable 75");
	for (int i = 1; i < ACT_KINDS; i++) {
		act.kind = (enum act_kind)i;
		act_text(&act, &app, text, sizeof(text));
		assert_non_null(strstr(text, "airis-mon/"));
	}
	act = (struct act){.kind = ACT_HPA_FLOOR, .number = 4, .text = "orders"};
	act_text(&act, &app, text, sizeof(text));
	assert_string_equal(text, "ScaledObject airis-mon/orders: minReplicaCount 4");
	act.number = ACT_AS_IT_WAS;
	act_text(&act, &app, text, sizeof(text));
	assert_string_equal(
	    text, "ScaledObject airis-mon/orders: the bounds of before the rollout");
	act = (struct act){.kind = ACT_FOLLOW_HPA, .text = "orders"};
	act_text(&act, &app, text, sizeof(text));
	assert_string_equal(text, "ScaledObject airis-mon/orders: scale web");
	act_text(&act, &app, text, 8);
	assert_int_equal(strlen(text), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names_lead_back),
	    cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
