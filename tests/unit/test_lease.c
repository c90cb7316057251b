/* What to do with a Lease, by a clock moved by hand. */
#include "unit.h"

#include "base/str.h"
#include "model/lease.h"

static const struct lease_terms terms = {
    .identity = "ops-1 aa", .holder = "ops-1 aa.01", .duration_ms = 15000};

static struct lease_seen
seen_as(const char *holder, const char *renewed, const char *version)
{
	struct lease_seen seen = {.known = true, .exists = true, .duration_ms = 10000};

	str_copy(seen.holder, sizeof(seen.holder), holder);
	str_copy(seen.renewed, sizeof(seen.renewed), renewed);
	str_copy(seen.version, sizeof(seen.version), version);
	return seen;
}

static int64_t at_ms;

static enum lease_move
next(const struct lease_state *state, int64_t now_ms)
{
	return lease_next(&terms, state, true, now_ms, &at_ms);
}

static void
saw(struct lease_state *state, const char *holder, const char *renewed, int64_t now_ms)
{
	struct lease_seen seen = seen_as(holder, renewed, "7");

	lease_saw(&terms, state, &seen, now_ms);
}

static void
took(struct lease_state *state, int64_t sent_ms)
{
	struct lease_seen seen = seen_as("ops-1 aa.01", "t", "8");

	lease_took(state, &seen, sent_ms);
}

static void
test_absent_is_made(void **unused)
{
	struct lease_state state = {.sent_ms = 0};

	(void)unused;
	assert_int_equal(next(&state, 100), LEASE_READ);
	lease_saw(&terms, &state, &(struct lease_seen){.exists = false}, 200);
	assert_int_equal(next(&state, 200), LEASE_CREATE);
	assert_int_equal(lease_until_ms(&terms, &state), 0);
	took(&state, 210);
	/* Four fifths of its duration, from when the request was sent. */
	assert_int_equal(lease_until_ms(&terms, &state), 210 + 12000);
	assert_int_equal(next(&state, 300), LEASE_REST);
	assert_int_equal(at_ms, 210 + 5000);
	assert_int_equal(next(&state, 5209), LEASE_REST);
	assert_int_equal(next(&state, 5210), LEASE_TAKE);
	assert_int_equal(next(&state, 60000), LEASE_TAKE); /* stopped, or no answer, for long */
}

static void
test_unwanted_nothing_is_done(void **unused)
{
	struct lease_state state = {.sent_ms = 0};

	(void)unused;
	assert_int_equal(lease_next(&terms, &state, false, 100, &at_ms), LEASE_REST);
	assert_int_equal(at_ms, 0);
	saw(&state, "ops-2 bb.02", "t", 100);
	assert_int_equal(lease_next(&terms, &state, false, 99999, &at_ms), LEASE_REST);
	took(&state, 100000);
	assert_int_equal(lease_next(&terms, &state, false, 100001, &at_ms), LEASE_GIVE);
	struct lease_seen given = seen_as("", "t", "9");
	lease_gave(&state, &given);
	assert_int_equal(lease_until_ms(&terms, &state), 0);
	assert_int_equal(lease_next(&terms, &state, false, 100002, &at_ms), LEASE_REST);
	assert_int_equal(at_ms, 0);
	/* What it left behind it takes again without looking. */
	assert_int_equal(next(&state, 200000), LEASE_TAKE);
}

static void
test_anothers_is_taken_when_it_stood_still(void **unused)
{
	struct lease_state state = {.sent_ms = 0};

	(void)unused;
	saw(&state, "ops-2 bb.02", "t1", 1000);
	assert_true(state.other);
	assert_int_equal(next(&state, 1000), LEASE_REST);
	assert_int_equal(at_ms, 1000 + 10000 / 6); /* by the other's duration */
	assert_int_equal(next(&state, 3000), LEASE_READ);
	saw(&state, "ops-2 bb.02", "t2", 6000);
	saw(&state, "ops-2 bb.02", "t2", 9000);
	saw(&state, "ops-2 bb.02", "t2", 15500);
	assert_int_equal(next(&state, 15500), LEASE_REST);
	assert_int_equal(at_ms, 16000); /* not later than it runs out */
	assert_int_equal(next(&state, 15999), LEASE_REST);
	assert_int_equal(next(&state, 16000), LEASE_TAKE);
	took(&state, 16000);
	assert_false(state.other);
}

/* The wall clocks of two hosts are not compared: a renewTime of long ago, or of tomorrow, says
 * nothing. */
static void
test_times_of_others_are_not_believed(void **unused)
{
	struct lease_state state = {.sent_ms = 0};

	(void)unused;
	saw(&state, "ops-2 bb.02", "1999-01-01T00:00:00.000000Z", 1000);
	assert_int_equal(next(&state, 10999), LEASE_READ);
	state.read_ms = 10999;
	assert_int_equal(next(&state, 11000), LEASE_TAKE);
}

/* The label of a passer-by renews nothing. */
static void
test_only_the_holder_renews(void **unused)
{
	struct lease_state state = {.sent_ms = 0};
	struct lease_seen edited = seen_as("ops-2 bb.02", "t1", "99");

	(void)unused;
	saw(&state, "ops-2 bb.02", "t1", 1000);
	lease_saw(&terms, &state, &edited, 9000);
	assert_string_equal(state.seen.version, "99");
	assert_int_equal(next(&state, 11000), LEASE_TAKE);
}

static void
test_an_earlier_run_is_taken_over_at_once(void **unused)
{
	struct lease_state state = {.sent_ms = 0};
	struct lease_seen seen = seen_as("ops-1 aa.77", "t1", "3");

	(void)unused;
	saw(&state, "ops-1 aa.77", "t1", 1000);
	assert_false(state.other);
	assert_false(lease_is_mine(&terms, &state.seen));
	assert_int_equal(next(&state, 1000), LEASE_TAKE);
	assert_false(lease_changes_hands(&terms, &seen));
	assert_int_equal(lease_until_ms(&terms, &state), 0);
}

/* Something with the same identity that is alive, such as a cloned machine. */
static void
test_a_twin_is_another(void **unused)
{
	struct lease_state state = {.sent_ms = 0};

	(void)unused;
	took(&state, 1000);
	saw(&state, "ops-1 aa.77", "t1", 2000);
	assert_true(lease_is_anothers(&terms, &state));
	assert_int_equal(lease_until_ms(&terms, &state), 0);
	assert_int_equal(next(&state, 2000), LEASE_REST);
	assert_int_equal(next(&state, 12000), LEASE_TAKE);
}

static void
test_an_identity_that_begins_like_ours_is_another(void **unused)
{
	struct lease_state state = {.sent_ms = 0};

	(void)unused;
	saw(&state, "ops-1 aabb.01", "t1", 1000);
	assert_true(lease_is_anothers(&terms, &state));
	saw(&state, "ops-1 aa", "t1", 1000);
	assert_true(lease_is_anothers(&terms, &state));
}

/* Deleted under its holder, who goes on writing until its time is up. */
static void
test_deleted_it_is_waited_for_all_the_same(void **unused)
{
	struct lease_state state = {.sent_ms = 0};

	(void)unused;
	saw(&state, "ops-2 bb.02", "t1", 1000);
	lease_saw(&terms, &state, &(struct lease_seen){.exists = false}, 4000);
	assert_int_equal(next(&state, 4000), LEASE_REST);
	assert_int_equal(next(&state, 6000), LEASE_READ);
	assert_int_equal(next(&state, 11000), LEASE_CREATE);
	state = (struct lease_state){.sent_ms = 0};
	took(&state, 1000);
	lease_saw(&terms, &state, &(struct lease_seen){.exists = false}, 2000);
	assert_int_equal(next(&state, 2000), LEASE_CREATE); /* our own is made again at once */
}

/* Taken and given back by another while nobody looked: what is known may be old. */
static void
test_passing_through_other_hands_is_seen(void **unused)
{
	struct lease_state state = {.sent_ms = 0};
	struct lease_seen seen = seen_as("", "t5", "20");

	(void)unused;
	took(&state, 1000);
	seen.transitions = 2;
	lease_saw(&terms, &state, &seen, 90000);
	assert_true(state.other);
	assert_int_equal(next(&state, 90000), LEASE_TAKE);
	took(&state, 90000);
	struct lease_seen given = seen_as("", "t6", "21");
	given.transitions = 3;
	lease_gave(&state, &given);
	given.transitions = 4; /* nobody's again, but somebody was there */
	lease_saw(&terms, &state, &given, 95000);
	assert_true(state.other);
}

static void
test_after_a_failure_it_pauses(void **unused)
{
	struct lease_state state = {.again_ms = 5000};

	(void)unused;
	assert_int_equal(next(&state, 4000), LEASE_REST);
	assert_int_equal(at_ms, 5000);
	assert_int_equal(next(&state, 5000), LEASE_READ);
	took(&state, 6000);
	assert_int_equal(state.again_ms, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_absent_is_made),
	    cmocka_unit_test(test_unwanted_nothing_is_done),
	    cmocka_unit_test(test_anothers_is_taken_when_it_stood_still),
	    cmocka_unit_test(test_times_of_others_are_not_believed),
	    cmocka_unit_test(test_only_the_holder_renews),
	    cmocka_unit_test(test_an_earlier_run_is_taken_over_at_once),
	    cmocka_unit_test(test_a_twin_is_another),
	    cmocka_unit_test(test_an_identity_that_begins_like_ours_is_another),
	    cmocka_unit_test(test_deleted_it_is_waited_for_all_the_same),
	    cmocka_unit_test(test_passing_through_other_hands_is_seen),
	    cmocka_unit_test(test_after_a_failure_it_pauses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
