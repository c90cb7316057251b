/* A fence in front of writes: asked when they leave their lane, and once more when the connection
 * is there. And the lane that everything hangs on. */
#include "unit.h"
#include "base/clock.h"
#include "cluster/kube.h"
#include "cluster/kube_stats.h"
#include "kube_fake.h"

static struct loop *loop;
static struct kube *kube;
static char *folder, *file;
static int done;
static struct kube_answer got;
static bool shut;
static int asked, open_for; /* it is open for so many questions */

static bool
fence_open(void *ctx, char *why, size_t size)
{
	(void)ctx;
	asked++;
	if (!shut && asked <= open_for)
		return true;
	str_copy(why, size, "another one holds it");
	return false;
}

static void
on_answer(void *ctx, const struct kube_answer *answer)
{
	(void)ctx;
	done++;
	got = *answer;
	got.body = NULL;
}

static bool
is_done(void)
{
	return done > 0;
}

/* Whatever is urgent hangs. */
static void
handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "hangs") == NULL)
		fake_answer(conn, 200, "{}");
}

static void
call(enum kube_lane lane, const char *path, bool fenced)
{
	struct kube_call call = {
	    .lane = lane, .method = "PATCH", .path = path, .body = "{}", .done = on_answer};

	if (fenced)
		call.fence.open = fence_open;
	(void)kube_request(kube, &call);
}

static int
begin(void **state)
{
	struct kube_settings settings = {.name = "test"};
	struct err e;

	(void)state;
	loop = loop_new();
	fake_start(loop, handler);
	folder = make_folder();
	char *text = str_format("current-context: c\n"
				"contexts: [{name: c, context: {cluster: k, user: u}}]\n"
				"clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
				"users: [{name: u, user: {token: secret}}]\n",
	    fake.port);
	file = write_file(folder, "config", text);
	free(text);
	settings.kubeconfig = file;
	kube = kube_new(loop, &settings, NULL, &e);
	assert_non_null(kube);
	done = asked = 0;
	shut = false;
	open_for = 1000;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	kube_free(kube);
	fake_stop();
	loop_free(loop);
	unlink(file);
	rmdir(folder);
	free(file);
	free(folder);
	return 0;
}

static void
assert_barred(void)
{
	assert_true(run_until(loop, is_done, 3000));
	assert_int_equal(got.outcome, KUBE_NOT_SENT);
	assert_string_equal(got.message, "another one holds it");
	(void)run_until(loop, never, 50);
	assert_int_equal(done, 1);
	assert_int_equal(fake.requests, 0);
	assert_int_equal(kube_stats(kube)->cells, 0); /* nothing was sent, nothing is counted */
	assert_int_equal(kube_stats(kube)->under_way, 0);
}

static void
test_open(void **state)
{
	(void)state;
	call(KUBE_URGENT, "/x", true);
	assert_true(run_until(loop, is_done, 3000));
	assert_int_equal(got.status, 200);
	assert_int_equal(asked, 2);
}

static void
test_shut_before_it_leaves_the_lane(void **state)
{
	(void)state;
	shut = true;
	call(KUBE_URGENT, "/x", true);
	assert_barred();
	assert_int_equal(asked, 1);
}

/* It left its lane in time; then the process was stopped, or the connection took long. */
static void
test_shut_before_it_is_sent(void **state)
{
	(void)state;
	open_for = 1;
	call(KUBE_NORMAL, "/x", true);
	assert_barred();
	assert_int_equal(asked, 2);
	/* The connection that was made for it serves the next. */
	done = 0;
	open_for = 1000;
	call(KUBE_NORMAL, "/x", true);
	assert_true(run_until(loop, is_done, 3000));
	assert_int_equal(got.status, 200);
}

static bool
four_hang(void)
{
	return fake.requests == 4;
}

static void
test_shut_while_the_lane_is_full(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		call(KUBE_URGENT, "/hangs", false);
	assert_true(run_until(loop, four_hang, 3000));
	call(KUBE_URGENT, "/x", true);
	(void)run_until(loop, never, 50);
	assert_int_equal(done, 0);
	shut = true;
	for (int i = 0; i < FAKE_CONNS; i++)
		if (fake.conns[i].fd >= 0 && fake.conns[i].busy) {
			fake_answer(&fake.conns[i], 200, "{}");
			break;
		}
	(void)run_until(loop, never, 100);
	assert_int_equal(done, 2);
	assert_int_equal(got.outcome, KUBE_NOT_SENT);
	assert_int_equal(fake.requests, 4);
}

/* What all writes hang on is not behind writes that hang. */
static void
test_vital_passes(void **state)
{
	int64_t began = clock_mono_ms();

	(void)state;
	for (int i = 0; i < 6; i++)
		call(KUBE_URGENT, "/hangs", false);
	assert_true(run_until(loop, four_hang, 3000));
	call(KUBE_VITAL, "/x", false);
	assert_true(run_until(loop, is_done, 3000));
	assert_int_equal(got.status, 200);
	assert_true(clock_mono_ms() - began < 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_open, begin, end),
	    cmocka_unit_test_setup_teardown(test_shut_before_it_leaves_the_lane, begin, end),
	    cmocka_unit_test_setup_teardown(test_shut_before_it_is_sent, begin, end),
	    cmocka_unit_test_setup_teardown(test_shut_while_the_lane_is_full, begin, end),
	    cmocka_unit_test_setup_teardown(test_vital_passes, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
