/* The lease in front of a cluster room: requests, answers of every kind, and what is written or
 * not. */
#include "lease_fake.h"

#include "base/clock.h"

/* --- the bench ----------------------------------------------------------------------------------
 */

static int
begin(void **state)
{
	static const struct lease_settings settings = {.namespace = "airis",
	    .name = "airisd",
	    .identity = "ops-1 aaaa",
	    .duration_ms = DURATION_MS};

	(void)state;
	memset(&server, 0, sizeof(server));
	server.namespace = true;
	server.version = 5;
	slept_ms = 0;
	writes = 0;
	room_lease = &settings;
	room_begin(TRAFFIC_HOST);
	room.elsewhere = lease_handler;
	room.write = write_app;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	room_end();
	return 0;
}

static bool
may_write(void)
{
	return lease_held(cluster_lease(room.cluster));
}

static bool
may_not(void)
{
	return !may_write();
}

static bool
given_back(void)
{
	return server.exists && server.holder[0] == '\0';
}

static void
wait(int64_t ms)
{
	(void)run_until(room.loop, never, ms);
}

static void
follow(void)
{
	room.port.follow(room.port.ctx, &room.app, true);
}

static void
held(void)
{
	follow();
	assert_true(run_until(room.loop, may_write, 3000));
	assert_true(run_until(room.loop, room_is_fresh, 3000));
}

static bool
has_acted(void)
{
	return room.answers > 0;
}

/* An abort's weight, which is what comes nearest to being let through. */
static void
act(void)
{
	struct baseline baseline = {.uid = "d-web"};
	struct act wanted = {.kind = ACT_WEIGHT, .number = 0, .urgent = true};

	room.answers = 0;
	(void)room.port.act(room.port.ctx, &room.app, &baseline, &wanted);
}

static void
assert_refused(const char *words)
{
	int before = writes;

	act();
	assert_true(run_until(room.loop, has_acted, 3000));
	assert_int_equal(room.outcome, ACT_UNREACHED);
	if (strstr(room.text, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, room.text);
	assert_int_equal(writes, before);
}

static void
give_canary_traffic(void)
{
	room_put("virtualservices/web",
	    web_routes("[{'route': [{'destination': {'host': 'web'}, 'weight': 50},"
		       " {'destination': {'host': 'web-canary'}, 'weight': 50}]}]"));
}

static void
assert_writes(void)
{
	int before = writes;

	act();
	assert_true(run_until(room.loop, has_acted, 3000));
	assert_int_equal(room.outcome, ACT_DONE);
	assert_int_equal(writes, before + 1);
}

static void
assert_fenced(const char *words)
{
	struct observed seen = room_look();

	if (strstr(seen.fence.why, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, seen.fence.why);
	assert_string_equal(seen.fence.object, "Lease airis/airisd");
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void
test_idle_it_asks_for_nothing(void **state)
{
	(void)state;
	wait(DURATION_MS);
	assert_int_equal(fake.requests, 0);
	/* A plan looks, and writes nothing. */
	room.port.follow(room.port.ctx, &room.app, false);
	assert_true(run_until(room.loop, room_is_fresh, 3000));
	wait(DURATION_MS);
	assert_int_equal(server.gets + server.posts, 0);
}

static void
test_taken_renewed_given_back(void **state)
{
	(void)state;
	give_canary_traffic();
	follow();
	assert_fenced("lease airis/airisd is being asked for");
	held();
	assert_int_equal(server.gets, 1);
	assert_int_equal(server.posts, 1);
	assert_true(str_starts(server.holder, "ops-1 aaaa."));
	assert_int_equal(server.seconds, 1);
	assert_int_equal(strlen(server.renewed), strlen("2026-01-02T03:04:05.123456Z"));
	assert_string_equal(room_look().fence.why, "");
	wait(DURATION_MS * 2);
	assert_in_range(server.patches, 4, 6); /* every third */
	assert_true(may_write());
	assert_writes();
	room.port.unfollow(room.port.ctx, "shop");
	wait(300);
	assert_true(may_write()); /* the next rollout may be about to begin */
	assert_true(run_until(room.loop, given_back, 3000));
	assert_true(may_not());
	wait(100);
	int before = fake.requests;
	wait(DURATION_MS * 2);
	assert_int_equal(server.gets, 1);
	assert_in_range(fake.requests - before, 0, 1); /* is it alive? */
	held();
	assert_int_equal(server.gets, 1); /* it knew what it left */
}

static void
test_not_given_back_under_a_write(void **state)
{
	(void)state;
	give_canary_traffic();
	held();
	room.write = NULL; /* hangs up: what it did is not known, and is read back */
	room.down = true;
	act();
	room.port.unfollow(room.port.ctx, "shop");
	wait(100);
	assert_false(given_back());
	room.down = false;
	assert_true(run_until(room.loop, has_acted, 5000));
	assert_true(run_until(room.loop, given_back, 3000));
}

static void
test_anothers(void **state)
{
	int64_t began;

	(void)state;
	give_canary_traffic();
	other_writes(OTHER);
	follow();
	assert_true(run_until(room.loop, room_is_fresh, 3000));
	wait(100);
	assert_fenced("another airisd (" OTHER ") holds lease airis/airisd");
	assert_true(room_look().fence.other);
	assert_refused("another airisd (" OTHER ")");
	other_writes(OTHER); /* it lives */
	began = clock_mono_ms();
	assert_true(run_until(room.loop, may_write, 5000));
	assert_in_range(clock_mono_ms() - began, 1000, 1500); /* its duration, and a look */
	assert_int_equal(server.conflicts, 0);
	/* What was known until now may be old: it is read first. */
	assert_false(room_look().fresh);
	assert_true(run_until(room.loop, room_is_fresh, 3000));
	assert_true(room.reads >= 5);
	assert_writes();
}

static void
test_given_back_by_another(void **state)
{
	(void)state;
	other_writes(OTHER);
	follow();
	wait(150);
	assert_true(may_not());
	other_writes("");
	assert_true(run_until(room.loop, may_write, 600));
	assert_int_equal(server.transitions, 3);
}

static void
test_an_earlier_run(void **state)
{
	int64_t began = clock_mono_ms();

	(void)state;
	other_writes("ops-1 aaaa.99");
	held();
	assert_true(clock_mono_ms() - began < 500);
	assert_int_equal(server.transitions, 1); /* the same hands */
	assert_false(room_look().fence.other);
}

static void
test_somebody_was_faster(void **state)
{
	(void)state;
	held();
	other_writes(OTHER); /* as if ours had run out there */
	assert_true(run_until(room.loop, may_not, DURATION_MS));
	assert_int_equal(server.conflicts, 1);
	assert_fenced("another airisd (" OTHER ")");
	assert_refused("another airisd");
	assert_int_equal(server.gets, 2);
	assert_int_equal(lease_lost(cluster_lease(room.cluster)), 1);
}

static void
test_refused(void **state)
{
	(void)state;
	str_copy(server.refuse, sizeof(server.refuse), "GET");
	server.status = 403;
	follow();
	assert_true(run_until(room.loop, room_is_fresh, 3000));
	wait(100);
	assert_fenced("lease airis/airisd: HTTP 403 no; apply config/rbac.yaml, or set "
		      "clusters[].lease.enabled: false");
	assert_false(room_look().fence.other);
	assert_refused("config/rbac.yaml");
	server.refuse[0] = '\0';
	assert_true(run_until(room.loop, may_write, 8000));
}

static void
test_no_namespace(void **state)
{
	(void)state;
	server.namespace = false;
	follow();
	wait(200);
	assert_fenced("namespaces \"airis\" not found; apply config/rbac.yaml");
	assert_int_equal(server.posts, 1); /* and not over and over */
	assert_refused("not found");
}

/* Not renewed it runs out, a fifth before others may take it; and is ours again as soon as it can
 * be. */
static void
test_outage(void **state)
{
	int64_t began;

	(void)state;
	give_canary_traffic();
	held();
	server.hangs = true;
	began = clock_mono_ms();
	assert_true(run_until(room.loop, may_not, 3000));
	assert_in_range(clock_mono_ms() - began, DURATION_MS / 4, DURATION_MS * 4 / 5 + 50);
	wait(300);
	assert_fenced("does not answer");
	assert_refused("does not answer");
	assert_int_equal(lease_lost(cluster_lease(room.cluster)), 1);
	server.hangs = false;
	began = clock_mono_ms();
	assert_true(run_until(room.loop, may_write, 3000));
	assert_true(clock_mono_ms() - began < DURATION_MS);
	assert_string_equal(room_look().fence.why, "");
	assert_true(room_look().fresh); /* it was in nobody's hands */
	assert_writes();
}

/* The answer was lost, the renewal was not. */
static void
test_answer_lost(void **state)
{
	(void)state;
	held();
	server.version++; /* as if a renewal had been taken: ours, with another version */
	wait(DURATION_MS);
	assert_true(may_write());
	assert_in_range(server.conflicts, 1, 1);
	assert_int_equal(lease_lost(cluster_lease(room.cluster)), 0);
}

/* The machine slept: no timer has fired, and nothing is sent all the same. */
static void
test_suspended(void **state)
{
	(void)state;
	give_canary_traffic();
	held();
	slept_ms = 60000;
	assert_false(may_write());
	assert_refused("lease airis/airisd has run out and is being renewed");
	/* Nobody took it: it is renewed by the version, and all goes on. */
	assert_true(run_until(room.loop, may_write, 1000));
	assert_int_equal(server.conflicts, 0);
	assert_writes();
	slept_ms = 120000;
	other_writes(OTHER);
	assert_refused("lease airis/airisd has run out and is being renewed");
	wait(100);
	assert_int_equal(server.conflicts, 1);
	assert_refused("another airisd (" OTHER ")");
}

static int retired;

static void
on_retired(void *ctx)
{
	(void)ctx;
	retired++;
}

static bool
is_retired(void)
{
	return retired > 0;
}

static struct fake_conn *kept;

static int
keep(struct fake_conn *conn)
{
	writes++;
	kept = conn;
	return 0;
}

/* What was sent is answered first; nothing is sent any more; then it is given back. */
static void
test_retire(void **state)
{
	(void)state;
	give_canary_traffic();
	held();
	retired = 0;
	room.write = keep;
	act();
	wait(50);
	assert_int_equal(writes, 1);
	cluster_retire(room.cluster, on_retired, NULL);
	assert_int_equal(retired, 0);
	wait(100);
	assert_int_equal(retired, 0);
	assert_false(given_back());
	assert_string_equal(room_look().fence.why, "airisd is stopping");
	fake_answer(kept, 200, "{\"metadata\":{\"name\":\"web\"}}");
	assert_true(run_until(room.loop, is_retired, 1000));
	assert_true(given_back());
	assert_refused("airisd is stopping");
	wait(100);
	assert_int_equal(retired, 1);
}

static void
test_retire_with_nothing(void **state)
{
	(void)state;
	retired = 0;
	cluster_retire(room.cluster, on_retired, NULL);
	assert_int_equal(retired, 0);
	assert_true(run_until(room.loop, is_retired, 100));
	assert_int_equal(fake.requests, 0);
}

static void
test_identity(void **state)
{
	char one[128], same[128], other[128];

	(void)state;
	lease_identity("ops-1", "id", "machine 7", "default", one, sizeof(one));
	lease_identity("ops-1", "id", "machine 7", "default", same, sizeof(same));
	assert_string_equal(one, same);
	assert_int_equal(strlen(one), strlen("ops-1 ") + 16);
	lease_identity("ops-1", "id", "machine 8", "default", other, sizeof(other));
	assert_string_not_equal(one, other);
	lease_identity("ops-1", "id", "machine 7", "more", other, sizeof(other));
	assert_string_not_equal(one, other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_idle_it_asks_for_nothing),
	    TEST(test_taken_renewed_given_back),
	    TEST(test_not_given_back_under_a_write),
	    TEST(test_anothers),
	    TEST(test_given_back_by_another),
	    TEST(test_an_earlier_run),
	    TEST(test_somebody_was_faster),
	    TEST(test_refused),
	    TEST(test_no_namespace),
	    TEST(test_outage),
	    TEST(test_answer_lost),
	    TEST(test_suspended),
	    TEST(test_retire),
	    TEST(test_retire_with_nothing),
	    cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
