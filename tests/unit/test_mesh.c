/* Questions to istiods that are made up here: what is confirmed, what is only assumed and names who
 * is missing, and what is not known at all. */
#include "mesh_fake.h"
#include <stdlib.h>
#include <sys/stat.h>

static void
test_weight(void **state)
{
	(void)state;
	open_with((struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1});
	struct mesh_port port = mesh_port(mesh);
	assert_int_equal(port.way(port.ctx, "elsewhere", MESH_WEIGHT), MESH_TIME);
	assert_int_equal(port.way(port.ctx, "no such", MESH_WEIGHT), MESH_TIME);
	uint64_t number = ask_of(MESH_WEIGHT, "8");
	must_be_silent(150); /* it has not read it */
	fakes[0].version = 9;
	must_be_silent(150); /* it has, but pushed nothing */
	push(&fakes[0]);
	fakes[0].proxies[0].acked--;
	must_be_silent(150); /* its proxy has not acknowledged */
	fakes[0].proxies[0].acked++;
	must_answer(MESH_CONFIRMED, "");
	assert_int_equal(answered.number, number);
	uint64_t before = mesh_requests(mesh);
	must_be_silent(300); /* and nobody asks any more */
	assert_int_equal(mesh_requests(mesh), before);
}

/* Under churn pushes go on that were begun before the write: they are newer, acknowledged, and say
 * nothing. */
static void
test_weight_under_churn(void **state)
{
	(void)state;
	open_with((struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1});
	fakes[0].version = 8;
	int64_t wrote_ms = clock_wall_ms();
	ask_of(MESH_WEIGHT, "8");
	lab_for(30);
	fakes[0].pushes++; /* counted already when it was read */
	fakes[0].proxies[0].push = fakes[0].proxies[0].acked = fakes[0].pushes - 1;
	fakes[0].proxies[0].sent_ms = wrote_ms + 300;
	must_be_silent(300);
	fakes[0].proxies[0].push = fakes[0].proxies[0].acked = fakes[0].pushes;
	fakes[0].proxies[0].sent_ms = wrote_ms + 60; /* sooner than the debounce allows */
	must_be_silent(200);
	push(&fakes[0]);
	must_answer(MESH_CONFIRMED, "");
}

static void
test_several_istiods(void **state)
{
	(void)state;
	open_with((struct mesh_cluster){.urls = {fakes[0].url, fakes[1].url}, .url_count = 2});
	fakes[0].version = fakes[1].version = 8;
	ask_of(MESH_WEIGHT, "8");
	lab_for(120);
	push(&fakes[0]);
	must_be_silent(200);
	push(&fakes[1]);
	must_answer(MESH_CONFIRMED, "");
}

/* Its Sidecar scope leaves the route out: it is never sent a newer push. */
static void
test_bounded_and_named(void **state)
{
	(void)state;
	open_with(
	    (struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1, .patience_ms = 600});
	fakes[0].proxies[1] = (struct proxy){.name = "scoped.other", .push = 2, .acked = 2};
	fakes[0].version = 8;
	ask_of(MESH_WEIGHT, "8");
	lab_for(120);
	push(&fakes[0]);
	fakes[0].proxies[1].push = fakes[0].proxies[1].acked = 2;
	must_answer(MESH_ASSUMED, "scoped.other");
	assert_null(strstr(answered.text, "web-1.shop"));
	/* What it has not even read is never assumed. */
	ask_of(MESH_WEIGHT, "9");
	must_answer(MESH_UNREACHABLE, "has not read");
}

static void
test_unreachable(void **state)
{
	(void)state;
	open_with(
	    (struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1, .patience_ms = 2100});
	fakes[0].dead = true;
	ask_of(MESH_WEIGHT, "7");
	must_answer(MESH_UNREACHABLE, "503");
	fakes[0].dead = false;
	fakes[0].hangs = true;
	ask_of(MESH_WEIGHT, "7");
	must_answer(MESH_UNREACHABLE, fakes[0].url);
	fakes[0].hangs = false;
}

static void
test_token_asked_for(void **state)
{
	(void)state;
	open_with((struct mesh_cluster){.urls = {fakes[0].url},
	    .url_count = 1,
	    .patience_ms = 2100,
	    .service_account = "airisd-mesh"});
	fakes[0].wants = "good";
	ask_of(MESH_WEIGHT, "7");
	must_be_silent(100);
	assert_int_equal(needs.tokens, 1);
	assert_int_equal(fakes[0].requests, 0); /* not without a token */
	mesh_token(mesh, "default", NULL, 0, "forbidden: create serviceaccounts/token");
	must_answer(MESH_UNREACHABLE, "create serviceaccounts/token");
	ask_of(MESH_WEIGHT, "7");
	mesh_token(mesh, "default", "good", clock_wall_ms() + 3600000, NULL);
	lab_for(200);
	push(&fakes[0]);
	must_answer(MESH_CONFIRMED, "");
	assert_int_equal(fakes[0].forbidden, 0);
	fakes[0].wants = "other"; /* it is not valid any more */
	ask_of(MESH_WEIGHT, "7");
	must_answer(MESH_UNREACHABLE, "token");
}

static void
test_token_file(void **state)
{
	char path[] = "/tmp/airis-mesh-XXXXXX";
	int fd = mkstemp(path);
	(void)state;
	assert_int_equal(write(fd, "bad\n", 4), 4);
	open_with((struct mesh_cluster){
	    .urls = {fakes[0].url}, .url_count = 1, .patience_ms = 2100, .token_file = path});
	fakes[0].wants = "good";
	ask_of(MESH_WEIGHT, "7");
	must_answer(MESH_UNREACHABLE, "HTTP 401");
	assert_int_equal(pwrite(fd, "good\n", 5, 0), 5);
	ask_of(MESH_WEIGHT, "7");
	lab_for(150);
	push(&fakes[0]);
	must_answer(MESH_CONFIRMED, "");
	close(fd);
	unlink(path);
}

static void
test_cancel(void **state)
{
	struct mesh_port port;
	(void)state;
	open_with((struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1});
	port = mesh_port(mesh);
	uint64_t first = ask_of(MESH_WEIGHT, "7"), second = ask_of(MESH_WEIGHT, "7");
	port.cancel(port.ctx, first);
	port.cancel(port.ctx, 99999);
	lab_for(120);
	push(&fakes[0]);
	must_answer(MESH_CONFIRMED, "");
	assert_int_equal(answered.number, second);
	must_be_silent(100);
	ask_of(MESH_WEIGHT, "7"); /* the end of the mesh is the end of its questions */
}

/* Endpoints are known, then all is still; or a later push has them. */
static void
test_endpoints(void **state)
{
	(void)state;
	open_with((struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1});
	ask_of(MESH_CANARY, "7");
	must_be_silent(100);
	fakes[0].has_endpoint = true;
	int64_t known_ms = clock_mono_ms();
	must_answer(MESH_CONFIRMED, "");
	assert_true(clock_mono_ms() - known_ms >= 290);
	ask_of(MESH_CANARY, "7");
	for (int i = 0; i < 8; i++) { /* not still */
		fakes[0].updates++;
		must_be_silent(100);
	}
	push(&fakes[0]);
	must_answer(MESH_CONFIRMED, "");
	needs.addresses_known = false;
	ask_of(MESH_CANARY, "7");
	must_be_silent(600);
}

/* Others wrote the weight, nobody knows when: stillness decides, not an old push. */
static void
test_weight_of_others(void **state)
{
	struct mesh_question question = {
	    .app = &app, .subject = MESH_WEIGHT, .resource_version = "7", .rule_version = ""};
	struct mesh_port port;
	(void)state;
	open_with((struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1});
	port = mesh_port(mesh);
	int64_t begun_ms = clock_mono_ms();
	port.ask(port.ctx, &question, done, &answered);
	must_answer(MESH_CONFIRMED, "");
	assert_true(clock_mono_ms() - begun_ms >= 290);
}

/* A new istiod knows nobody; whom the old one knew has confirmed nothing. */
static void
test_restarted(void **state)
{
	(void)state;
	open_with(
	    (struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1, .patience_ms = 1500});
	ask_of(MESH_CANARY, "7");
	fakes[0].has_endpoint = true;
	must_answer(MESH_CONFIRMED, "");
	fakes[0].started += 600;
	fakes[0].pushes = 1;
	fakes[0].version = 8;
	const char *name = fakes[0].proxies[0].name;
	fakes[0].proxies[0].name = NULL;
	ask_of(MESH_WEIGHT, "8");
	must_be_silent(500);
	fakes[0].proxies[0].name = name;
	push(&fakes[0]);
	must_answer(MESH_CONFIRMED, "");
	fakes[0].started += 1;
	fakes[0].proxies[0].name = NULL;
	ask_of(MESH_WEIGHT, "8");
	must_answer(MESH_UNREACHABLE, "web-1.shop (not connected)");
}

/* A proxy that hangs is dropped by istiod after a while: it has not confirmed by that. One that had
 * confirmed, and goes, is a pod that ended. */
static void
test_lost_before_it_confirmed(void **state)
{
	const char *name = fakes[0].proxies[0].name;
	(void)state;
	open_with(
	    (struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1, .patience_ms = 1000});
	ask_of(MESH_WEIGHT, "7");
	must_be_silent(300);
	push(&fakes[0]);
	fakes[0].proxies[0].acked--;
	must_be_silent(200);
	fakes[0].proxies[0].name = NULL;
	must_answer(MESH_ASSUMED, "web-1.shop (disconnected before it confirmed)");
	ask_of(MESH_WEIGHT, "7");
	must_be_silent(150);
	push(&fakes[0]);
	must_answer(MESH_ASSUMED, "web-1.shop (disconnected before it confirmed)");
	fakes[0].proxies[0].name = name;
	ask_of(MESH_WEIGHT, "7");
	must_be_silent(150);
	push(&fakes[0]);
	must_answer(MESH_CONFIRMED, "");
	fakes[0].proxies[0].name = NULL;
	ask_of(MESH_WEIGHT, "7");
	must_answer(MESH_CONFIRMED, "");
}

/* Nobody remembers whom it had, and it has just begun. */
static void
test_young(void **state)
{
	(void)state;
	open_with(
	    (struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1, .patience_ms = 500});
	fakes[0].started = (double)clock_wall_ms() / 1000;
	fakes[0].proxies[0].name = NULL;
	ask_of(MESH_WEIGHT, "7");
	must_answer(MESH_UNREACHABLE, "just started");
}

/* Istiods come and go while a question is open. */
static void
test_found(void **state)
{
	const char *const first[] = {"127.0.0.1"};
	(void)state;
	open_with((struct mesh_cluster){.discover = true, .patience_ms = 2100});
	ask_of(MESH_WEIGHT, "7");
	assert_int_equal(needs.finds, 1);
	mesh_found(mesh, "default", NULL, 0, "HTTP 403 forbidden");
	must_answer(MESH_UNREACHABLE, "HTTP 403 forbidden");
	ask_of(MESH_WEIGHT, "7");
	mesh_found(mesh, "default", NULL, 0, NULL);
	must_answer(MESH_UNREACHABLE, "no ready endpoint");
	ask_of(MESH_WEIGHT, "7");
	mesh_found(mesh, "default", first, 1, NULL);
	mesh_found(mesh, "default", first, 1, NULL);
	json_t *status = mesh_status(mesh, "default");
	assert_string_equal(jsonx_text(status, "istiods.0.url"), "http://127.0.0.1:15014");
	assert_int_equal(json_array_size(jsonx_at(status, "istiods")), 1);
	assert_true(jsonx_bool(status, "looking", false));
	json_decref(status);
	must_answer(MESH_UNREACHABLE, "15014"); /* nobody is there */
}

static bool
has_looked(void *ctx)
{
	(void)ctx;
	json_t *status = mesh_status(mesh, "default");
	bool looked = jsonx_int(status, "istiods.0.proxies", 0) == 1;
	json_decref(status);
	return looked;
}

static void
test_look(void **state)
{
	(void)state;
	open_with((struct mesh_cluster){.urls = {fakes[0].url}, .url_count = 1});
	assert_null(mesh_status(mesh, "elsewhere"));
	mesh_look(mesh);
	assert_true(lab_until(has_looked, NULL));
	json_t *status = mesh_status(mesh, "default");
	assert_int_equal(jsonx_int(status, "istiods.0.lastPush", 0), fakes[0].pushes);
	json_decref(status);
	must_be_silent(50);
	assert_int_equal(fakes[0].requests, 2);
	mesh_look(mesh); /* just done */
	must_be_silent(100);
	assert_int_equal(fakes[0].requests, 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {TEST(test_weight), TEST(test_weight_under_churn),
	    TEST(test_several_istiods), TEST(test_bounded_and_named), TEST(test_unreachable),
	    TEST(test_token_asked_for), TEST(test_token_file), TEST(test_cancel),
	    TEST(test_endpoints), TEST(test_weight_of_others), TEST(test_restarted),
	    TEST(test_lost_before_it_confirmed), TEST(test_young), TEST(test_found),
	    TEST(test_look)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
