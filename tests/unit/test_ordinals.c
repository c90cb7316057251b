/* A StatefulSet's pods, and the Job of a backup, as the API has them. */
#include "base/jsonx.h"
#include "cluster/backup.h"
#include "cluster/workload.h"
#include "model/pace.h"
#include "rolling_bench.h"

static struct app *app;

static int
setup(void **state)
{
	json_t *spec = spec_of("{kind: App, name: db, namespace: shop, workload: {kind: "
			       "StatefulSet, name: db}, strategy: {rolling: {}}}");
	struct errlist errors;
	(void)state;
	errlist_init(&errors);
	app = app_parse(spec, &errors);
	errlist_done(&errors);
	json_decref(spec);
	return app != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	app_free(app);
	return 0;
}

#define SET(partition, wanted, generation)                                                         \
	"{metadata: {name: db, uid: u1, generation: 2}, spec: {replicas: 3, updateStrategy: "      \
	"{type: RollingUpdate, rollingUpdate: {partition: " partition "}}}, "                      \
	"status: {observedGeneration: " generation ", updateRevision: " wanted "}}"
#define POD(name, hash, image, ready, more)                                                        \
	"{metadata: {name: " name ", labels: {controller-revision-hash: " hash "}" more            \
	"}, spec: {containers: [{name: db, image: '" image "'}]}, "                                \
	"status: {conditions: [{type: Ready, status: '" ready "'}]}}"

static const char *
stuck_of(const char *set, const char *pods)
{
	static char name[APP_NAME];
	json_t *stateful = spec_of(set), *list = spec_of(pods);
	str_copy(
	    name, sizeof(name), jsonx_text_or(workload_stuck(stateful, list), "metadata.name", ""));
	json_decref(stateful);
	json_decref(list);
	return name;
}

static void
F82_what_is_stuck(void **state)
{
	static const char old_and_bad[] = "[" POD("db-0", "db-a", "db:1", "True", "") ", " POD(
	    "db-1", "db-b", "db:2", "False", "") ", " POD("db-2", "db-b", "db:2", "False", "") "]";
	static const char going[] =
	    "[" POD("db-2", "db-b", "db:2", "False", ", deletionTimestamp: now") "]";
	static const char ready[] = "[" POD("db-2", "db-b", "db:2", "True", "") "]";
	static const char others[] = "[" POD("db-x", "db-b", "db:2", "False", "") ", " POD(
	    "d-2", "db-b", "db:2", "False", "") "]";
	(void)state;
	assert_string_equal(stuck_of(SET("0", "db-a", "2"), old_and_bad), "db-2"); /* the last */
	assert_string_equal(stuck_of(SET("0", "db-b", "2"), old_and_bad), "");
	assert_string_equal(stuck_of(SET("3", "db-a", "2"), old_and_bad), ""); /* it may stay */
	assert_string_equal(stuck_of(SET("2", "db-a", "2"), old_and_bad), "db-2");
	assert_string_equal(stuck_of(SET("0", "db-a", "1"), old_and_bad), ""); /* not known yet */
	assert_string_equal(stuck_of(SET("0", "db-a", "2"), going), "");
	assert_string_equal(stuck_of(SET("0", "db-a", "2"), ready), "");
	assert_string_equal(stuck_of(SET("0", "db-a", "2"), others), "");
}

static int
broken_of(const char *pods)
{
	json_t *stateful = spec_of(SET("0", "db-a", "2")), *list = spec_of(pods);
	int broken = workload_broken_last(stateful, list, "", "db:2");
	json_decref(stateful);
	json_decref(list);
	return broken;
}

static void
broken_ones_count_from_the_last_ordinal(void **state)
{
	(void)state;
#define OLD(name, ready) POD(name, "db-a", "db:1", ready, "")
#define NEW(name, ready) POD(name, "db-b", "db:2", ready, "")
	assert_int_equal(broken_of("[" OLD("db-0", "True") ", " OLD("db-1", "True") ", " OLD(
			     "db-2", "False") "]"),
	    1);
	assert_int_equal(broken_of("[" OLD("db-0", "False") ", " OLD("db-1", "True") ", " OLD(
			     "db-2", "True") "]"),
	    0);
	assert_int_equal(broken_of("[" OLD("db-0", "True") ", " OLD("db-1", "False") ", " NEW(
			     "db-2", "True") "]"),
	    1);
	assert_int_equal(broken_of("[" OLD("db-0", "True") "]"), 2); /* F83: not there */
	assert_int_equal(broken_of("[]"), 1); /* a bound, whatever the size is */
}

static void
a_stateful_set_is_seen(void **state)
{
	json_t *stateful = spec_of(SET("2", "db-b", "2"));
	json_t *pods =
	    spec_of("[" OLD("db-0", "True") ", " OLD("db-1", "True") ", " NEW("db-2", "False") "]");
	struct workload_side side = {.workload = stateful, .pods = pods};
	struct workload_seen found = {.exists = false};
	(void)state;
	workload_look(&side, app, "db:2", &found);
	assert_true(found.exists && found.observed && found.pace.ordinals);
	assert_int_equal(found.pace.partition, 2);
	assert_int_equal(found.ready, 2);
	assert_int_equal(found.ready_new, 0);
	assert_string_equal(found.stuck, "");
	json_object_set_new(
	    jsonx_at(stateful, "spec.updateStrategy"), "type", json_string("OnDelete"));
	found = (struct workload_seen){.exists = false};
	workload_look(&side, app, "db:2", &found);
	assert_false(pace_is_known(&found.pace));
	json_decref(pods);
	json_decref(stateful);
}

/* --- the backup's Job ------------------------------------------------------------------------ */

static void
a_job_is_made_of_the_cronjob(void **state)
{
	json_t *cronjob = spec_of("{metadata: {name: db-backup, uid: c1}, spec: {schedule: '* * * "
				  "* *', jobTemplate: {metadata: {labels: {app: b}, annotations: "
				  "{note: n}}, spec: {backoffLimit: 2}}}}");
	json_t *job = backup_job(app, cronjob, "db-backup-x");
	(void)state;
	assert_string_equal(jsonx_text(job, "kind"), "Job");
	assert_string_equal(jsonx_text(job, "metadata.name"), "db-backup-x");
	assert_string_equal(jsonx_text(job, "metadata.labels.app"), "b");
	assert_string_equal(jsonx_text(job, "metadata.annotations.note"), "n");
	assert_true(workload_is_ours(job, "db"));
	json_t *owner = json_array_get(jsonx_at(job, "metadata.ownerReferences"), 0);
	assert_string_equal(jsonx_text(owner, "uid"), "c1");
	assert_true(jsonx_bool(owner, "controller", false));
	assert_int_equal(jsonx_int(job, "spec.backoffLimit", 0), 2);
	json_decref(job);
	json_decref(cronjob);
}

#define JOB(name, made, by, condition)                                                             \
	"{metadata: {name: " name ", creationTimestamp: '" made                                    \
	"', labels: {app.kubernetes.io/managed-by: " by "}, annotations: {airis.io/app: db}}, "    \
	"status: {conditions: [{type: " condition ", status: 'True', reason: Why, message: m}]}}"

static void
look_at(const char *jobs, struct backup_seen found[BACKUPS_SEEN])
{
	struct observe_objects objects;
	memset(found, 0, BACKUPS_SEEN * sizeof(found[0]));
	observe_init(&objects);
	json_decref(objects.jobs);
	objects.jobs = spec_of(jobs);
	backup_look(app, &objects, found);
	observe_done(&objects);
}

static void
the_newest_jobs_of_ours_are_seen(void **state)
{
	struct backup_seen found[BACKUPS_SEEN];
	look_at("[" JOB("a", "2026-01-01T10:00:00Z", "airisd", "Complete") ", " JOB(
		    "b", "2026-01-01T10:00:01Z", "airisd", "Failed") ", " JOB("c",
		    "2026-01-01T10:00:02Z", "Helm",
		    "Complete") ", " JOB("d", "2026-01-01T10:00:01Z", "airisd", "Suspended") "]",
	    found);
	(void)state;
	assert_string_equal(found[0].job, "b");
	assert_int_equal(found[0].state, JOB_FAILED);
	assert_string_equal(found[0].why, "Why: m");
	assert_string_equal(found[1].job, "d"); /* of the same second */
	assert_int_equal(found[1].state, JOB_RUNS);
	assert_string_equal(found[2].job, "a");
	assert_int_equal(found[2].state, JOB_SUCCEEDED);
	assert_int_equal(found[3].state, JOB_NONE);
}

#define AT(second) JOB("j" second, "2026-01-01T10:00:0" second "Z", "airisd", "Complete")

static void
the_oldest_jobs_are_left_out(void **state)
{
	struct backup_seen found[BACKUPS_SEEN];
	static const char *const names[] = {"j5", "j4", "j3", "j2"};
	(void)state;
	look_at("[" AT("2") ", " AT("5") ", " AT("1") ", " AT("4") ", " AT("3") "]", found);
	for (int i = 0; i < BACKUPS_SEEN; i++)
		assert_string_equal(found[i].job, names[i]);
	look_at("[]", found);
	assert_int_equal(found[0].state, JOB_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(F82_what_is_stuck),
	    cmocka_unit_test(broken_ones_count_from_the_last_ordinal),
	    cmocka_unit_test(a_stateful_set_is_seen),
	    cmocka_unit_test(a_job_is_made_of_the_cronjob),
	    cmocka_unit_test(the_newest_jobs_of_ours_are_seen),
	    cmocka_unit_test(the_oldest_jobs_are_left_out),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
