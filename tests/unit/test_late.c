/* Writes that were given up: until when they may come, and what says that they do not. */
#include "unit.h"

#include "model/late.h"

static const struct past_act weight = {
    .kind = ACT_WEIGHT, .number = 50, .attempt = 3, .sent_ms = 1000};
static const struct past_act deletion = {
    .kind = ACT_DELETE_CANARY, .urgent = true, .attempt = 4, .sent_ms = 2000};
static const struct past_act creation = {.kind = ACT_CREATE_SERVICE, .attempt = 5, .sent_ms = 3000};

static void
test_it_may_come_so_long(void **state)
{
	struct late_acts late = {0};
	(void)state;
	assert_int_equal(late_away_ms(&late, 0), 0);
	late_add(&late, &weight, true, 2000); /* given up after a second */
	assert_int_equal(late_away_ms(&late, 2000), 2000 + ACT_LATE_MS);
	assert_int_equal(late_away_ms(&late, 2000 + ACT_LATE_MS), 0);
	assert_non_null(late_find(&late, 3)); /* it may have come meanwhile */
	assert_null(late_find(&late, 4));
}

static void
test_kinds(void **state)
{
	struct late_acts late = {0};
	(void)state;
	late_add(&late, &deletion, false, 3000);
	assert_int_equal(late_away_ms(&late, 3000), 0); /* at home it is welcome */
	assert_int_equal(late_kind_ms(&late, 3000, act_deletes), 3000 + ACT_LATE_MS);
	assert_int_equal(late_kind_ms(&late, 3000 + ACT_LATE_MS, act_deletes), 0);
	late = (struct late_acts){0};
	late_add(&late, &weight, true, 3000);
	assert_int_equal(late_kind_ms(&late, 3000, act_deletes), 0);
}

static void
answered(struct late_acts *late, enum act_kind kind, enum act_outcome outcome)
{
	late_answered(late, &(struct past_act){.kind = kind, .attempt = 9}, outcome);
}

static void
test_answers(void **state)
{
	struct late_acts late = {0};
	(void)state;
	late_add(&late, &weight, true, 2000);
	answered(&late, ACT_SET_IMAGE, ACT_DONE);     /* another object */
	answered(&late, ACT_ROUTE_HOME, ACT_ALREADY); /* nothing was written */
	answered(&late, ACT_WEIGHT, ACT_ALREADY);     /* it was 0 already, not 50 */
	assert_int_not_equal(late_away_ms(&late, 2000), 0);
	answered(&late, ACT_ROUTE_HOME, ACT_DONE);
	assert_int_equal(late_away_ms(&late, 2000), 0);
	late_add(&late, &creation, true, 3000);
	answered(&late, ACT_DELETE_SERVICE, ACT_DONE); /* it would be made anew */
	assert_int_not_equal(late_away_ms(&late, 3000), 0);
	answered(&late, ACT_CREATE_SERVICE, ACT_DONE); /* and the first comes after a deletion */
	assert_int_not_equal(late_away_ms(&late, 3000), 0);
	answered(&late, ACT_CREATE_SERVICE, ACT_ALREADY);
	assert_int_equal(late_away_ms(&late, 3000), 0);
	late_add(&late, &creation, true, 3000);
	late_answered(&late, &creation, ACT_DONE); /* read back */
	assert_int_equal(late_away_ms(&late, 3000), 0);
}

/* The same again takes the place of the first, and waits for both. */
static void
test_the_same_twice(void **state)
{
	struct late_acts late = {0};
	struct past_act again = weight;
	(void)state;
	again.attempt = 6;
	again.sent_ms = 2000;
	late_add(&late, &weight, true, 2500);
	late_add(&late, &again, true, 2600);
	assert_null(late_find(&late, 3));
	assert_non_null(late_find(&late, 6));
	assert_int_equal(late_away_ms(&late, 2600), 2600 + ACT_LATE_MS);
}

/* Of two creations only one can be read back. */
static void
test_two_creations(void **state)
{
	struct late_acts late = {0};
	struct past_act again = creation;
	(void)state;
	again.attempt = 6;
	late_add(&late, &creation, true, 3500);
	late_add(&late, &again, true, 4000);
	late_answered(&late, &again, ACT_DONE);
	assert_int_equal(late_away_ms(&late, 4000), 4000 + ACT_LATE_MS);
}

/* What does not fit is kept as something of which nothing is known: it may be anything. */
static void
test_too_many(void **state)
{
	struct late_acts late = {0};
	(void)state;
	late_add(&late, &weight, true, 2000);
	late_add(&late, &deletion, false, 3000);
	late_add(&late, &creation, true, 4000);
	assert_int_equal(late_away_ms(&late, 4000), 4000 + ACT_LATE_MS);
	assert_int_equal(late_kind_ms(&late, 4000, act_deletes), 4000 + ACT_LATE_MS);
	/* One that is over makes room, an empty place comes before it. */
	late = (struct late_acts){0};
	late_add(&late, &weight, true, 2000);
	late_add(&late, &deletion, false, 50000);
	assert_non_null(late_find(&late, 3));
	late_add(&late, &creation, true, 50000);
	assert_null(late_find(&late, 3));
	assert_non_null(late_find(&late, 4));
	assert_non_null(late_find(&late, 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_may_come_so_long),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_the_same_twice),
	    cmocka_unit_test(test_two_creations),
	    cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
