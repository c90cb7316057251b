/* How large a side must be: what loses traffic sets the size, as it is now, not as it was. */
#include "unit.h"
#include <string.h>
#include "base/str.h"
#include "model/converge.h"

static struct app app = {
    .name = "web", .namespace = "shop", .workload = "web", .canary = "web-canary"};
static struct rollout rollout;
static struct observed seen;

static struct step
look(struct target target)
{
	struct step step;
	struct view view = {.rollout = &rollout,
	    .seen = &seen,
	    .target = target,
	    .now_ms = 1000000,
	    .settle_ms = 0};
	converge(&view, &step);
	return step;
}

/* Four when it began; an HPA has made it six since. */
static int
setup(void **state)
{
	(void)state;
	rollout = (struct rollout){.app = &app, .baseline.replicas = 4, .baseline.hpa_min = 2};
	str_copy(rollout.release.image, APP_IMAGE, "web:2");
	seen = (struct observed){.fresh = true, .service = true, .canary_service = true};
	seen.stable = (struct workload_seen){.exists = true,
	    .observed = true,
	    .replicas = 6,
	    .pods = 6,
	    .updated = 6,
	    .ready = 6,
	    .image = "web:1"};
	seen.canary = (struct workload_seen){
	    .exists = true, .ours = true, .replicas = 4, .ready = 4, .image = "web:2"};
	seen.route = (struct route_seen){
	    .exists = true, .fits = true, .even = true, .names_canary = true, .weight = 50};
	seen.hpa = (struct hpa_seen){.exists = true, .min = 4, .max = 10};
	rollout.sides[SIDE_CANARY].ready = 4;
	rollout.seen = 50;
	return 0;
}

static void
weight_100_needs_as_many_as_lose_it_now(void **state) /* F36 */
{
	(void)state;
	struct target full = {.weight = 100, .canary = 100};
	struct step step = look(full);
	assert_int_equal(step.kind, STEP_ACT);
	assert_int_equal(step.act.kind, ACT_SCALE_CANARY);
	assert_int_equal(step.act.number, 6);
	seen.canary.replicas = 6;
	step = look(full);
	assert_int_equal(step.kind, STEP_BLOCKED);
	assert_non_null(strstr(step.waiting.what, "4 of 6 endpoints ready"));
	seen.canary.ready = rollout.sides[SIDE_CANARY].ready = 6;
	step = look(full);
	assert_int_equal(step.act.kind, ACT_WEIGHT);
	assert_int_equal(step.act.number, 100);
}

static void
the_floor_is_the_size_and_not_the_minimum(void **state) /* F36 */
{
	(void)state;
	seen.hpa.min = 2;
	struct step step = look((struct target){.weight = 50, .canary = 50});
	assert_int_equal(step.act.kind, ACT_HPA_FLOOR);
	assert_int_equal(step.act.number, 4);
}

/* KEDA goes to an idle count whatever the floor is, and floor and all are in force when its HPA has
 * them. */
static void
a_scaled_objects_floor(void **state)
{
	struct target half = {.weight = 50, .canary = 50};
	(void)state;
	rollout.baseline.keda = true;
	seen.hpa = (struct hpa_seen){
	    .exists = true, .keda = true, .name = "s", .min = 4, .max = 10, .idles = true};
	struct step step = look(half);
	assert_int_equal(step.act.kind, ACT_HPA_FLOOR);
	assert_int_equal(step.act.number, 4);
	assert_string_equal(step.act.text, "s");
	seen.hpa.idles = false;
	str_copy(seen.hpa.lags, APP_NAME, "keda-hpa-s");
	rollout.canary = 0;
	step = look(half);
	assert_int_equal(step.kind, STEP_BLOCKED);
	assert_string_equal(step.waiting.object, "ScaledObject shop/s");
	rollout.canary = 2; /* later on it is no reason to stop */
	step = look(half);
	assert_true(step.kind != STEP_BLOCKED || strstr(step.waiting.what, "KEDA") == NULL);
	seen.hpa.keda = rollout.baseline.keda = false;
	seen.hpa.min = 2; /* not what it was about at the start */
	rollout.baseline.keda = true;
	step = look(half);
	assert_true(step.kind != STEP_ACT || step.act.kind != ACT_HPA_FLOOR);
}

static void
a_share_is_rounded_up(void **state)
{
	(void)state;
	struct view view = {.rollout = &rollout, .seen = &seen};
	assert_int_equal(size_for(&view, 10), 1);
	assert_int_equal(size_for(&view, 50), 3);
	assert_int_equal(size_for(&view, 51), 4);
	assert_int_equal(percent_of(&view, 3), 50);
	assert_int_equal(percent_of(&view, 9), 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(weight_100_needs_as_many_as_lose_it_now, setup),
	    cmocka_unit_test_setup(the_floor_is_the_size_and_not_the_minimum, setup),
	    cmocka_unit_test_setup(a_scaled_objects_floor, setup),
	    cmocka_unit_test_setup(a_share_is_rounded_up, setup),
	};
	return cmocka_run_group_tests_name("size", tests, NULL, NULL);
}
