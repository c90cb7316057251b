/* Baseline: what is taken is what is read back; what is ours is not taken for the user's. */
#include "unit.h"

#include <string.h>
#include "base/jsonx.h"
#include "model/baseline.h"

static struct observed
seen_host(void)
{
	struct observed seen = {0};

	str_copy(seen.stable.image, sizeof(seen.stable.image), "shop:v1");
	str_copy(seen.stable.uid, sizeof(seen.stable.uid), "u-1");
	seen.stable.replicas = 4;
	seen.stable.pods = 5;
	seen.route.bare = 1;
	seen.route.with_subset = 2;
	return seen;
}

static void
test_round_trip(void **state)
{
	struct observed seen = seen_host();
	struct baseline taken, back;
	struct err e;
	json_t *json;
	char *text;

	(void)state;
	seen.hpa.exists = true;
	seen.hpa.min = 2;
	seen.subsets.exists = seen.subsets.stable = true;
	seen.route.names_stable_subset = true;
	seen.route.with_canary = 0x80000001U;
	baseline_take(&taken, &seen);
	json = baseline_json(&taken);
	text = jsonx_dump(json);
	json_decref(json);
	json = jsonx_parse(text, strlen(text), 4096, &e);
	assert_non_null(json);
	assert_int_equal(baseline_parse(json, &back, &e), 0);
	assert_string_equal(back.image, "shop:v1");
	assert_string_equal(back.uid, "u-1");
	assert_int_equal(back.replicas, 4);
	assert_int_equal(back.hpa_min, 2);
	assert_true(back.had_destination_rule && back.had_stable_subset);
	assert_true(back.had_stable_subset_named);
	assert_false(back.had_canary_subset || back.had_canary_destination);
	assert_int_equal(back.bare, 1);
	assert_int_equal(back.with_canary, 0x80000001U);
	assert_int_equal(back.with_subset, 2);
	json_decref(json);
	free(text);
}

static void
back_again(const struct observed *seen, struct baseline *back)
{
	struct baseline taken;
	struct err e;
	json_t *json;

	baseline_take(&taken, seen);
	json = baseline_json(&taken);
	assert_int_equal(baseline_parse(json, back, &e), 0);
	json_decref(json);
}

/* Absent is not 0, also after a crash. */
static void
test_a_scaled_objects_bounds(void **state)
{
	struct observed seen = seen_host();
	struct hpa_seen *hpa = &seen.hpa, now;
	struct baseline back;

	(void)state;
	*hpa = (struct hpa_seen){.exists = true, .keda = true, .bare = true, .max = 9};
	back_again(&seen, &back);
	assert_true(baseline_bounds(&back, hpa));
	now = *hpa;
	now.bare = false;
	assert_false(baseline_bounds(&back, &now));
	now.min = 4;
	assert_false(baseline_bounds(&back, &now));
	*hpa = (struct hpa_seen){.exists = true, .keda = true, .min = 2, .idles = true, .idle = 1};
	back_again(&seen, &back);
	assert_true(baseline_bounds(&back, hpa));
	now = *hpa;
	now.idle = 0;
	assert_false(baseline_bounds(&back, &now));
	now.idles = false;
	assert_false(baseline_bounds(&back, &now));
	/* An HPA of one's own is another one. */
	now = *hpa;
	now.keda = false;
	assert_false(baseline_scaler(&back, &now));
	hpa->keda = false;
	back_again(&seen, &back);
	assert_false(back.keda || back.keda_idles || !baseline_bounds(&back, hpa));
}

static void
test_a_bad_idle_count(void **state)
{
	struct observed seen = seen_host();
	struct baseline taken, back;
	struct err e;
	json_t *json;

	(void)state;
	seen.hpa = (struct hpa_seen){.exists = true, .keda = true, .idles = true};
	baseline_take(&taken, &seen);
	json = baseline_json(&taken);
	json_object_set_new(json_object_get(json, "keda"), "idle", json_integer(-2));
	assert_int_equal(baseline_parse(json, &back, &e), -1);
	assert_non_null(strstr(e.text, "baseline.idle is -2"));
	json_decref(json);
}

/* F35: no replicas in the spec is not 1. */
static void
test_F35_absent_replicas(void **state)
{
	struct observed seen = seen_host();
	struct baseline taken;

	(void)state;
	seen.stable.replicas = -1;
	baseline_take(&taken, &seen);
	assert_int_equal(taken.replicas, 5);
	assert_int_equal(taken.hpa_min, -1);
}

static void
test_ours_is_not_the_users(void **state)
{
	struct observed seen = seen_host();
	struct baseline taken;

	(void)state;
	seen.canary_service = seen.canary_service_ours = true;
	seen.subsets.exists = seen.subsets.ours = seen.subsets.stable = seen.subsets.canary = true;
	baseline_take(&taken, &seen);
	assert_false(taken.had_canary_service || taken.had_destination_rule);
	assert_false(taken.had_stable_subset || taken.had_canary_subset);
	seen.canary_service_ours = false;
	baseline_take(&taken, &seen);
	assert_true(taken.had_canary_service);
}

static void
test_bad_input_is_refused(void **state)
{
	static const char *const keys[] = {"image", "uid", "replicas", "hpa_min", "bare",
	    "with_canary", "with_subset", "had_canary_service", "had_destination_rule"};
	struct observed seen = seen_host();
	struct baseline taken, back;
	struct err e;

	(void)state;
	baseline_take(&taken, &seen);
	memset(&back, 7, sizeof(back));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *json = baseline_json(&taken);

		json_object_set_new(json, keys[i], json_real(1.5));
		assert_int_equal(baseline_parse(json, &back, &e), -1);
		assert_non_null(strstr(e.text, keys[i]));
		json_object_del(json, keys[i]);
		assert_int_equal(baseline_parse(json, &back, &e), -1);
		json_decref(json);
	}
	assert_int_equal(back.replicas, 0x07070707); /* untouched on failure */
	assert_int_equal(baseline_parse(NULL, &back, &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_a_scaled_objects_bounds),
	    cmocka_unit_test(test_a_bad_idle_count),
	    cmocka_unit_test(test_F35_absent_replicas),
	    cmocka_unit_test(test_ours_is_not_the_users),
	    cmocka_unit_test(test_bad_input_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
