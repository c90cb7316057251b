/* Freshness: what is told when streams, servers and rights come and go. */
#include <time.h>
#include "base/clock.h"
#include "unit.h"
#include "kube_watch_lab.h"

/* --- the clocks as they are, and a machine that sleeps --- */

static int64_t slept_ms;

static int64_t
read_clock(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_wall_ms(void)
{
	return read_clock(CLOCK_REALTIME) + slept_ms;
}

int64_t
clock_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
clock_boot_ms(void)
{
	return read_clock(CLOCK_BOOTTIME) + slept_ms;
}

/* F63: half-open. The server goes on with its other connections, but this stream is dead. */
static void
test_half_open(void **state)
{
	struct kube_settings settings = {.kubeconfig = NULL, .idle_ms = 150, .backoff_ms = 20};
	struct err e;

	(void)state;
	begin(default_handler);
	kube_free(kube);
	settings.kubeconfig = file;
	kube = kube_new(loop, &settings, NULL, &e);
	start_watch();
	fake_chunk(stream, EVENT("ADDED", POD("c", "30")));
	assert_true(run_until(loop, second_watch, 3000));
	assert_non_null(strstr(last_watch, "resourceVersion=30&"));
	assert_int_equal(lists, 1);
	assert_int_equal(kube_stats(kube)->watch_cuts, 1);
	end();
}

static int hung;

static void
writes_hang(struct fake_conn *conn)
{
	if (strcmp(conn->method, "PATCH") == 0)
		hung++;
	else
		default_handler(conn);
}

static bool
four_hang(void)
{
	return hung == 4;
}

/* Four aborts at a webhook that hangs fill the urgent lane; the server is alive all the same. */
static void
test_hanging_writes_are_no_silence(void **state)
{
	(void)state;
	begin(writes_hang);
	start_watch();
	for (int i = 0; i < 4; i++)
		kube_request(kube, &(struct kube_call){.lane = KUBE_URGENT,
				       .method = "PATCH",
				       .path = "/x",
				       .body = "{}",
				       .deadline_ms = 5000});
	assert_true(run_until(loop, four_hang, 3000));
	assert_false(run_until(loop, is_stale, 1500)); /* several probes long */
	end();
}

static bool
told_thrice(void)
{
	return flips == 3;
}

static bool
asked_again(void)
{
	return watches == 2;
}

/* The server stops (SIGSTOP): connections stay open, nothing is answered. */
static void
test_silent_server(void **state)
{
	char text[512];
	int64_t since = 0;

	(void)state;
	begin(default_handler);
	start_watch();
	fake.deaf = true;
	assert_true(run_until(loop, is_stale, 3000));
	assert_false(kube_fresh(kube, KUBE_PODS, "x", text, sizeof text, &since));
	assert_non_null(strstr(text, "the API server of cluster test does not answer"));
	assert_true(since > 0);
	assert_non_null(kube_get(kube, KUBE_PODS, "x", "a"));
	fake.deaf = false;
	for (int i = 0; i < FAKE_CONNS; i++) /* what lay in its buffers */
		if (fake.conns[i].fd >= 0 && fake.conns[i].have)
			fake_close(&fake.conns[i]);
	hold_streams = true;
	assert_true(run_until(loop, asked_again, 5000));
	run_until(loop, never, 50);
	assert_false(is_fresh()); /* what was missed is not known before it is open again */
	hold_streams = false;
	fake_stream(stream);
	assert_true(run_until(loop, told_thrice, 5000));
	assert_true(is_open());
	end();
}

/* The stream looks as open as before, and the server lives: what happened meanwhile is unknown. */
static void
test_a_sleep(void **state)
{
	char text[512];

	(void)state;
	begin(default_handler);
	start_watch();
	assert_true(is_fresh());
	hold_streams = true;
	slept_ms += 600 * 1000;
	assert_false(kube_fresh(kube, KUBE_PODS, "x", text, sizeof text, NULL)); /* at once */
	assert_non_null(strstr(text, "cluster test: this machine slept; "));
	assert_non_null(kube_get(kube, KUBE_PODS, "x", "a"));
	assert_true(run_until(loop, asked_again, 3000));
	assert_int_equal(lists, 1); /* it goes on from where it was */
	assert_false(run_until(loop, is_fresh, 50));
	hold_streams = false;
	fake_stream(stream);
	assert_true(run_until(loop, is_open, 3000));
	assert_true(is_fresh());
	end();
}

/* Killed and started again. */
static void
test_killed_server(void **state)
{
	char text[512];

	(void)state;
	begin(default_handler);
	start_watch();
	fake_stop();
	assert_true(run_until(loop, is_stale, 3000));
	assert_false(kube_fresh(kube, KUBE_PODS, "x", text, sizeof text, NULL));
	assert_non_null(strstr(text, "cluster test"));
	fake_listen();
	assert_true(run_until(loop, is_open, 5000));
	end();
}

/* F64: the token a watch began with is refused, the file has a new one. */
static void
picky_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "watch=1") && !fake_has_header(conn, "Bearer second")) {
		free(write_file(folder, "token", "second"));
		fake_answer(conn, 401, "{\"kind\":\"Status\",\"code\":401}");
		return;
	}
	default_handler(conn);
}

static void
test_watch_refused(void **state)
{
	char *token;

	(void)state;
	user = "{token: first, tokenFile: token}";
	begin(picky_handler);
	user = "{token: secret}";
	start_watch();
	assert_int_equal(watches, 1);
	assert_int_equal(kube_stats(kube)->refreshes, 1);
	token = str_format("%s/token", folder);
	unlink(token);
	free(token);
	end();
}

static void
test_forbidden(void **state)
{
	char text[512];

	(void)state;
	begin(default_handler);
	list_status = 403;
	list_body = "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\",\"message\":"
		    "\"pods is forbidden: User \\\"u\\\" cannot list\"}";
	kube_watch(kube, KUBE_PODS, "x");
	run_until(loop, never, 100);
	assert_false(kube_fresh(kube, KUBE_PODS, "x", text, sizeof text, NULL));
	assert_non_null(strstr(text, "cannot list; the role of airisd needs get, list and watch"));
	list_status = 200;
	list_body = LIST("10", POD("a", "5"));
	assert_true(run_until(loop, is_open, 5000));
	end();
}

/* --- Istio's kinds in the version that is there --- */

static void
istio_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "/networking.istio.io/v1/"))
		fake_answer(conn, 404, "{\"kind\":\"Status\",\"code\":404}");
	else
		default_handler(conn);
}

static bool
routes_fresh(void)
{
	return kube_fresh(kube, KUBE_VIRTUALSERVICES, "x", NULL, 0, NULL);
}

static void
test_older_istio(void **state)
{
	char *path;

	(void)state;
	begin(istio_handler);
	list_body = LIST("10", "");
	kube_watch(kube, KUBE_VIRTUALSERVICES, "x");
	assert_true(run_until(loop, routes_fresh, 3000));
	path = kube_path(kube, KUBE_VIRTUALSERVICES, "x", "web");
	assert_string_equal(
	    path, "/apis/networking.istio.io/v1beta1/namespaces/x/virtualservices/web");
	free(path);
	end();
}

/* --- a kind that few clusters have --- */

static int scaled_status;

static void
keda_handler(struct fake_conn *conn)
{
	if (strstr(conn->path, "/keda.sh/") != NULL && strstr(conn->path, "watch=1") == NULL &&
	    scaled_status != 200) {
		lists++;
		fake_answer(conn, scaled_status, "{\"kind\":\"Status\",\"code\":0}");
	} else {
		default_handler(conn);
	}
}

static bool
scaled_fresh(void)
{
	return kube_fresh(kube, KUBE_SCALEDOBJECTS, "x", NULL, 0, NULL);
}

static bool
scaled_watched(void)
{
	return scaled_fresh() && kube_stats(kube)->watches == 1;
}

static bool
asked_thrice(void)
{
	return lists >= 3;
}

/* Not known, or not spoken of in the Role: there are none, at once and for good, but for a look now
 * and then, which finds them when they have come. */
static void
test_a_kind_that_is_absent(void **state)
{
	static const int answers[] = {404, 403};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct kube_settings settings = {.backoff_ms = 20, .absent_ms = 60 * 1000};
		struct err e;

		begin(keda_handler);
		kube_free(kube);
		settings.kubeconfig = file;
		kube = kube_new(loop, &settings, NULL, &e);
		scaled_status = answers[i];
		kube_watch(kube, KUBE_SCALEDOBJECTS, "x");
		assert_true(run_until(loop, scaled_fresh, 3000));
		assert_false(run_until(loop, asked_thrice, 300));
		assert_int_equal(lists, 1);
		assert_int_equal(watches, 0);
		assert_true(scaled_fresh());
		end();
	}
}

static void
test_an_absent_kind_that_comes(void **state)
{
	struct kube_settings settings = {.backoff_ms = 20, .absent_ms = 50};
	struct err e;

	(void)state;
	begin(keda_handler);
	kube_free(kube);
	settings.kubeconfig = file;
	kube = kube_new(loop, &settings, NULL, &e);
	scaled_status = 404;
	kube_watch(kube, KUBE_SCALEDOBJECTS, "x");
	assert_true(run_until(loop, asked_thrice, 3000));
	scaled_status = 200;
	list_body = LIST("10", "{\"metadata\":{\"name\":\"s\",\"namespace\":\"x\",\"uid\":\"u\","
			       "\"resourceVersion\":\"5\"},\"spec\":{\"scaleTargetRef\":{\"name\":"
			       "\"web\"},\"triggers\":[]}}");
	assert_true(run_until(loop, scaled_watched, 3000));
	assert_int_equal(kube_find(kube, KUBE_SCALEDOBJECTS, "x", "Deployment/web").count, 1);
	end();
}

/* Rights that go are another matter: what was there is there still, and it is said. */
static void
test_rights_to_a_kind_that_go(void **state)
{
	char text[512];

	(void)state;
	begin(keda_handler);
	scaled_status = 200;
	list_body = LIST("10", "");
	kube_watch(kube, KUBE_SCALEDOBJECTS, "x");
	assert_true(run_until(loop, scaled_watched, 3000));
	scaled_status = 403;
	fake_chunk(stream, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n");
	(void)run_until(loop, never, 400);
	assert_false(kube_fresh(kube, KUBE_SCALEDOBJECTS, "x", text, sizeof text, NULL));
	end();
}

static bool
nothing_cached(void)
{
	return kube_stats(kube)->caches == 0;
}

static void
test_linger(void **state)
{
	struct kube_settings settings = {.linger_ms = 50, .backoff_ms = 20};
	struct err e;

	(void)state;
	begin(default_handler);
	kube_free(kube);
	settings.kubeconfig = file;
	kube = kube_new(loop, &settings, NULL, &e);
	start_watch();
	kube_unwatch(kube, KUBE_PODS, "x");
	kube_unwatch(kube, KUBE_PODS, "x"); /* once too often: ignored */
	assert_non_null(kube_get(kube, KUBE_PODS, "x", "a"));
	assert_true(run_until(loop, nothing_cached, 3000));
	assert_int_equal(kube_stats(kube)->watches, 0);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_half_open),
	    cmocka_unit_test(test_hanging_writes_are_no_silence),
	    cmocka_unit_test(test_silent_server),
	    cmocka_unit_test(test_a_sleep),
	    cmocka_unit_test(test_killed_server),
	    cmocka_unit_test(test_watch_refused),
	    cmocka_unit_test(test_forbidden),
	    cmocka_unit_test(test_older_istio),
	    cmocka_unit_test(test_a_kind_that_is_absent),
	    cmocka_unit_test(test_an_absent_kind_that_comes),
	    cmocka_unit_test(test_rights_to_a_kind_that_go),
	    cmocka_unit_test(test_linger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
