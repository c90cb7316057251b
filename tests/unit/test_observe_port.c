/* The port: a change is told to the apps that it matters to, once per burst; freshness and direct
 * reads are told as they are. */
#include "cluster_fake.h"

#include "base/clock.h"

static bool
is_changed(void)
{
	return room.changes > 0;
}

/* Was the app told, within a moment, of this event? */
static int
told_of(const char *plural, const char *type, const char *object)
{
	(void)run_until(room.loop, never, 30);
	room.changes = 0;
	room_event(plural, type, J(object));
	(void)run_until(room.loop, never, 60);
	return room.changes;
}

static void
test_changes_find_their_app(void **state)
{
	(void)state;
	room_begin(TRAFFIC_SUBSET);
	room_follow();
	assert_int_equal(told_of("deployments", "ADDED",
			     "{'metadata': {'name': 'web-canary',"
			     " 'namespace': 'prod', 'uid': 'd-c', 'resourceVersion': '1001'}}"),
	    1);
	assert_int_equal(told_of("deployments", "ADDED",
			     "{'metadata': {'name': 'other',"
			     " 'namespace': 'prod', 'uid': 'd-o', 'resourceVersion': '1002'}}"),
	    0);
	assert_int_equal(
	    told_of("replicasets", "ADDED",
		"{'metadata': {'name': 'web-5d9',"
		" 'namespace': 'prod', 'uid': 'r-1', 'resourceVersion': '1003', 'ownerReferences':"
		" [{'kind': 'Deployment', 'name': 'web', 'uid': 'd-web', 'controller': true}]}}"),
	    1);
	assert_int_equal(told_of("pods", "ADDED",
			     "{'metadata': {'name': 'p', 'namespace': 'prod',"
			     " 'uid': 'p-1', 'resourceVersion': '1004', 'ownerReferences': "
			     "[{'kind': 'ReplicaSet',"
			     " 'name': 'web-5d9', 'uid': 'r-1', 'controller': true}]}}"),
	    1);
	/* A pod of a ReplicaSet that is gone from the cache. */
	assert_int_equal(told_of("pods", "ADDED",
			     "{'metadata': {'name': 'q', 'namespace': 'prod',"
			     " 'uid': 'p-2', 'resourceVersion': '1005', 'ownerReferences': "
			     "[{'kind': 'ReplicaSet',"
			     " 'name': 'web-canary-77f', 'uid': 'r-2', 'controller': true}]}}"),
	    1);
	assert_int_equal(told_of("pods", "ADDED",
			     "{'metadata': {'name': 'r', 'namespace': 'prod',"
			     " 'uid': 'p-3', 'resourceVersion': '1006', 'ownerReferences': "
			     "[{'kind': 'ReplicaSet',"
			     " 'name': 'other-77f', 'uid': 'r-3', 'controller': true}]}}"),
	    0);
	room_end();
}

static void
test_changes_of_the_routing_find_their_app(void **state)
{
	(void)state;
	room_begin(TRAFFIC_SUBSET);
	room_follow();
	assert_int_equal(
	    told_of("endpointslices", "ADDED",
		"{'metadata': {'name': 'web-abc',"
		" 'namespace': 'prod', 'uid': 'e', 'resourceVersion': '1007', 'labels':"
		" {'kubernetes.io/service-name': 'web'}}, 'endpoints': null}"),
	    1);
	assert_int_equal(
	    told_of("endpointslices", "ADDED",
		"{'metadata': {'name': 'x-abc',"
		" 'namespace': 'prod', 'uid': 'f', 'resourceVersion': '1008', 'labels':"
		" {'kubernetes.io/service-name': 'x'}}, 'endpoints': null}"),
	    0);
	assert_int_equal(
	    told_of("horizontalpodautoscalers", "ADDED",
		"{'metadata': {'name': 'h',"
		" 'namespace': 'prod', 'uid': 'h', 'resourceVersion': '1009'}, 'spec':"
		" {'scaleTargetRef': {'kind': 'Deployment', 'name': 'web'}, 'maxReplicas': 4}}"),
	    1);
	assert_true(room_look().hpa.exists);
	/* It turns to another one: what it pointed to matters. */
	assert_int_equal(
	    told_of("horizontalpodautoscalers", "MODIFIED",
		"{'metadata': {'name': 'h',"
		" 'namespace': 'prod', 'uid': 'h', 'resourceVersion': '1010'}, 'spec':"
		" {'scaleTargetRef': {'kind': 'Deployment', 'name': 'other'}, 'maxReplicas': 4}}"),
	    1);
	assert_false(room_look().hpa.exists);
	assert_int_equal(told_of("destinationrules", "ADDED",
			     "{'metadata': {'name': 'web',"
			     " 'namespace': 'prod', 'uid': 'dr', 'resourceVersion': '1011'}}"),
	    1);
	assert_int_equal(told_of("virtualservices", "DELETED",
			     "{'metadata': {'name': 'web',"
			     " 'namespace': 'prod', 'uid': 'v-web', 'resourceVersion': '1012'}}"),
	    1);
	assert_false(room_look().route.exists);
	room_end();
}

#define SCALED(version, target, status)                                                            \
	"{'metadata': {'name': 's', 'namespace': 'prod', 'uid': 's', 'resourceVersion': '" version \
	"'}, 'spec': {'scaleTargetRef': {'name': '" target "'}}, 'status': {'x': '" status "'}}"
#define KEDAS_HPA                                                                                  \
	"{'metadata': {'name': 'keda-hpa-s', 'namespace': 'prod', 'uid': 'h', "                    \
	"'resourceVersion': '1019', 'ownerReferences': [{'apiVersion': 'keda.sh/v1alpha1', "       \
	"'kind': 'ScaledObject', 'name': 's', 'controller': true}]}, 'spec': {'scaleTargetRef': "  \
	"{'kind': 'Deployment', 'name': 'web'}, 'minReplicas': 1, 'maxReplicas': 4}}"

/* Whenever KEDA looks at its triggers, its status changes: that is no news. */
static void
test_scaled_objects_find_their_app(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	assert_int_equal(told_of("scaledobjects", "ADDED", SCALED("1013", "other", "a")), 0);
	assert_int_equal(told_of("scaledobjects", "MODIFIED", SCALED("1014", "web", "a")), 1);
	assert_true(room_look().hpa.exists && room_look().hpa.keda);
	assert_int_equal(told_of("scaledobjects", "MODIFIED", SCALED("1015", "web", "b")), 0);
	assert_int_equal(told_of("horizontalpodautoscalers", "ADDED", KEDAS_HPA), 1);
	assert_string_equal(room_look().hpa.name, "s");
	assert_string_equal(room_look().preflight, "");
	/* It has gone to another workload, and KEDA's HPA is a moment behind. */
	assert_int_equal(told_of("scaledobjects", "MODIFIED", SCALED("1020", "other", "b")), 1);
	assert_false(room_look().hpa.exists);
	assert_int_equal(told_of("scaledobjects", "MODIFIED", SCALED("1021", "web", "b")), 1);
	assert_int_equal(told_of("scaledobjects", "DELETED", SCALED("1022", "web", "b")), 1);
	/* Its HPA is there until it is collected: that is not ours to write to. */
	assert_true(room_look().hpa.exists && room_look().hpa.keda);
	room_end();
}

/* A Role of before they were looked at. */
static void
test_scaled_objects_that_may_not_be_read(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room.refused = "scaledobjects";
	room_follow();
	assert_true(run_until(room.loop, room_is_fresh, 2000));
	assert_string_equal(room_look().preflight, "");
	assert_int_equal(told_of("horizontalpodautoscalers", "ADDED", KEDAS_HPA), 1);
	assert_non_null(strstr(room_look().preflight, "which airisd does not see"));
	room_end();
}

#define BUDGET(version, most, allowed)                                                             \
	"{'metadata': {'name': 'pdb', 'namespace': 'prod', 'uid': 'b', 'resourceVersion': "        \
	"'" version "'}, 'spec': {'maxUnavailable': " most ", 'selector': {'matchLabels': "        \
	"{'app': 'web'}}}, 'status': {'disruptionsAllowed': " allowed "}}"

/* Whenever a pod gets ready, its status changes: that is no news. */
static void
test_budgets_matter_to_two_colours(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room.app.colours = room.app.sided = true;
	room.app.traffic.kind = TRAFFIC_SERVICE;
	room.app.traffic.route[0] = '\0';
	room_follow();
	assert_int_equal(told_of("poddisruptionbudgets", "ADDED", BUDGET("1013", "1", "0")), 1);
	assert_true(room_look().budgets.stable);
	assert_false(room_look().budgets.canary);
	assert_int_equal(told_of("poddisruptionbudgets", "MODIFIED", BUDGET("1014", "1", "1")), 0);
	assert_int_equal(told_of("poddisruptionbudgets", "MODIFIED", BUDGET("1015", "2", "1")), 1);
	assert_int_equal(told_of("poddisruptionbudgets", "DELETED", BUDGET("1016", "2", "1")), 1);
	room_end();
	room_begin(TRAFFIC_HOST);
	room_follow();
	assert_null(map_get(room.streams, "poddisruptionbudgets"));
	room_end();
}

static bool
is_unknown(void)
{
	return room_look().fresh && room_look().budgets_unknown[0] != '\0';
}

/* A Role of before they were looked at: all else is known, and it is said why they are not. */
static void
test_budgets_that_may_not_be_read(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room.app.colours = room.app.sided = true;
	room.refused = "poddisruptionbudgets";
	room_follow();
	assert_true(run_until(room.loop, is_unknown, 2000));
	assert_non_null(strstr(room_look().budgets_unknown, "poddisruptionbudgets"));
	assert_string_equal(room_look().stale, "");
	room_end();
	room_begin(TRAFFIC_HOST);
	room.app.colours = room.app.sided = true;
	room.refused = "services";
	room.port.follow(room.port.ctx, &room.app, true);
	assert_false(run_until(room.loop, room_is_fresh, 300));
	room_end();
}

static void
test_a_burst_is_told_once(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	(void)run_until(room.loop, never, 30);
	room.changes = 0;
	for (int i = 0; i < 20; i++) {
		json_t *deployment = web_deployment();

		json_object_set_new(json_object_get(deployment, "metadata"), "resourceVersion",
		    json_sprintf("%d", 1100 + i));
		room_event("deployments", "MODIFIED", deployment);
	}
	assert_true(run_until(room.loop, is_changed, 2000));
	(void)run_until(room.loop, never, 60);
	assert_in_range(room.changes, 1, 5);
	room_end();
}

static void
test_unfollowed_is_not_told(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	room.port.unfollow(room.port.ctx, "shop");
	room.port.unfollow(room.port.ctx, "nobody");
	room.changes = 0;
	assert_int_equal(told_of("deployments", "DELETED",
			     "{'metadata': {'name': 'web',"
			     " 'namespace': 'prod', 'uid': 'd-web', 'resourceVersion': '1001'}}"),
	    0);
	room_end();
}

/* An app followed anew under other names is found by these, and by the old ones no more. */
static void
test_following_again_replaces(void **state)
{
	struct app anew;

	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	anew = room.app;
	anew.shares = 0;
	str_copy(anew.workload, sizeof(anew.workload), "api");
	room.port.follow(room.port.ctx, &anew, true);
	assert_int_equal(told_of("deployments", "ADDED",
			     "{'metadata': {'name': 'api',"
			     " 'namespace': 'prod', 'uid': 'd-a', 'resourceVersion': '1001'}}"),
	    1);
	assert_int_equal(told_of("deployments", "DELETED",
			     "{'metadata': {'name': 'web',"
			     " 'namespace': 'prod', 'uid': 'd-web', 'resourceVersion': '1002'}}"),
	    0);
	assert_true(room_look().fresh);
	room_end();
}

static void
test_not_followed_is_not_fresh(void **state)
{
	(void)state;
	room_begin(TRAFFIC_HOST);
	assert_false(room_look().fresh);
	assert_non_null(strstr(room_look().stale, "not watched"));
	assert_true(room_look().stale_since_ms > 0);
	room_end();
}

static bool
is_verified(void)
{
	return room_look().verified_ms > 0;
}

static bool
is_unanswered(void)
{
	return !room_look().fresh;
}

static void
test_verify(void **state)
{
	int64_t before;

	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	assert_true(room_look().verified_ms == 0);
	before = clock_wall_ms();
	room_put(
	    "deployments/web-canary", J("{'metadata': {'name': 'web-canary', 'namespace': 'prod',"
					" 'uid': 'd-c', 'resourceVersion': '1001', " OURS "}}"));
	free(map_remove(room.objects, "virtualservices/web"));
	room.changes = room.reads = 0;
	room.port.verify(room.port.ctx, &room.app);
	assert_int_equal(room.changes, 0);
	assert_true(run_until(room.loop, is_verified, 2000));
	assert_true(room_look().verified_ms >= before);
	assert_int_equal(room.reads, 5);
	(void)run_until(room.loop, never, 20);
	assert_true(room.changes > 0);
	/* The watches said nothing of this. */
	assert_true(room_look().canary.exists && room_look().canary.ours);
	assert_false(room_look().route.exists);
	room_end();
}

/* The API server answers the watches' silence and nothing else: that is not fresh, until a read
 * comes through again. */
static void
test_verify_fails_and_recovers(void **state)
{
	int64_t verified;

	(void)state;
	room_begin(TRAFFIC_HOST);
	room_follow();
	room.port.verify(room.port.ctx, &room.app);
	assert_true(run_until(room.loop, is_verified, 2000));
	verified = room_look().verified_ms;
	room.down = true;
	room.port.verify(room.port.ctx, &room.app);
	assert_true(run_until(room.loop, is_unanswered, 3000));
	assert_true(room_look().verified_ms == verified);
	assert_non_null(strstr(room_look().stale, "500"));
	assert_true(room_look().stale_since_ms > 0);
	room.down = false;
	assert_true(run_until(room.loop, room_is_fresh, 5000));
	assert_true(room_look().verified_ms > verified);
	room_end();
}

#define MANY 12

static struct app many[MANY];

static void
make_many(void)
{
	for (int i = 0; i < MANY; i++) {
		many[i] = room.app;
		str_print(many[i].name, sizeof(many[i].name), "web-%d", i);
	}
}

static struct observed
look_at(const struct app *app)
{
	struct observed seen;

	room.port.observe(room.port.ctx, app, "", &seen);
	return seen;
}

static bool
are_verified(void)
{
	for (int i = 0; i < MANY; i++)
		if (look_at(&many[i]).verified_ms == 0)
			return false;
	return true;
}

/* A budget that many apps share makes them wait. What was read is as old as the reads are, not as
 * old as the wish, or the last would never be new enough; and no read waits longer than it may. */
static void
test_many_verify_in_turns(void **state)
{
	int64_t before, last_ms = 0;

	(void)state;
	room_begin_within(TRAFFIC_HOST, 100, 10);
	room.many = true;
	room_follow();
	make_many();
	for (int i = 0; i < MANY; i++)
		room.port.follow(room.port.ctx, &many[i], true);
	before = clock_wall_ms();
	for (int i = 0; i < MANY; i++) {
		room.port.verify(room.port.ctx, &many[i]);
		room.port.verify(room.port.ctx, &many[i]);
	}
	assert_true(run_until(room.loop, are_verified, 10000));
	assert_int_equal(room.reads, MANY * 5);
	for (int i = 0; i < MANY; i++) {
		assert_true(look_at(&many[i]).fresh);
		if (look_at(&many[i]).verified_ms > last_ms)
			last_ms = look_at(&many[i]).verified_ms;
	}
	/* 60 reads, 10 of them at once, the others 10 ms apart; the last app's are the last. */
	assert_true(last_ms >= before + 300);
	room_end();
}

/* Who waits for its turn or reads may go; the others have theirs all the same. */
static void
test_turns_of_those_that_go(void **state)
{
	(void)state;
	room_begin_within(TRAFFIC_HOST, 100, 10);
	room.many = true;
	room_follow();
	make_many();
	for (int i = 0; i < MANY; i++) {
		room.port.follow(room.port.ctx, &many[i], true);
		room.port.verify(room.port.ctx, &many[i]);
	}
	for (int i = 0; i < MANY - 1; i++)
		room.port.unfollow(room.port.ctx, many[(i * 5) % (MANY - 1)].name);
	room.port.verify(room.port.ctx, &room.app);
	assert_true(run_until(room.loop, is_verified, 2000));
	assert_true(look_at(&many[MANY - 1]).verified_ms > 0);
	room_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_changes_find_their_app),
	    cmocka_unit_test(test_changes_of_the_routing_find_their_app),
	    cmocka_unit_test(test_scaled_objects_find_their_app),
	    cmocka_unit_test(test_scaled_objects_that_may_not_be_read),
	    cmocka_unit_test(test_budgets_matter_to_two_colours),
	    cmocka_unit_test(test_budgets_that_may_not_be_read),
	    cmocka_unit_test(test_a_burst_is_told_once),
	    cmocka_unit_test(test_unfollowed_is_not_told),
	    cmocka_unit_test(test_following_again_replaces),
	    cmocka_unit_test(test_not_followed_is_not_fresh),
	    cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_verify_fails_and_recovers),
	    cmocka_unit_test(test_many_verify_in_turns),
	    cmocka_unit_test(test_turns_of_those_that_go),
	};

	mem_json_hook();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
