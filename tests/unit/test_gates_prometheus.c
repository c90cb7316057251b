/* Gates against the real Prometheus: what it says about vector(1), 0/0, an absent metric, a query
 * that is none, several series. Without one on this machine the test is skipped. */
#include "unit.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <glob.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>
#include "base/str.h"
#include "base/yaml.h"
#include "gates/gates.h"

#define PROGRAM "/usr/bin/prometheus"

enum { PATIENCE_MS = 30000, TRIES = 3 };

static struct prometheus {
	pid_t pid;
	char folder[40], url[64];
	struct loop *loop;
	struct gates *gates;
	struct gate_port port;
	struct gate_sample sample;
	int answers;
} p;

static int
free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static void
start_program(int port)
{
	char *config = str_format("--config.file=%s/prometheus.yml", p.folder);
	char *data = str_format("--storage.tsdb.path=%s/data", p.folder);
	char *listen = str_format("--web.listen-address=127.0.0.1:%d", port);
	char *log = str_format("%s/log", p.folder);

	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, 1);
		dup2(fd, 2);
		execl(PROGRAM, PROGRAM, config, data, listen, (char *)NULL);
		_exit(127);
	}
	free(config);
	free(data);
	free(listen);
	free(log);
}

static void
write_config(int port)
{
	char *path = str_format("%s/prometheus.yml", p.folder);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file,
	    "global: {scrape_interval: 1s}\n"
	    "scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:%d']}]}]\n",
	    port);
	fclose(file);
	free(path);
}

static void
on_sample(void *ctx, uint64_t number, const struct gate_sample *sample)
{
	(void)ctx;
	(void)number;
	p.sample = *sample;
	p.answers++;
	loop_stop(p.loop);
}

static const struct gate_sample *
ask_gate(const struct gate_spec *gate)
{
	const struct gate_question question = {.gate = gate,
	    .app = "web",
	    .namespace = "shop",
	    .stable = "web",
	    .canary = "web-canary",
	    .window_ms = 30000,
	    .since_weight_ms = 30000};
	int before = p.answers;

	p.port.measure(p.port.ctx, &question, on_sample, NULL);
	while (p.answers == before)
		loop_run(p.loop);
	return &p.sample;
}

static const struct gate_sample *
ask(const char *query)
{
	const struct gate_spec gate = {
	    .source = "real", .query = (char *)query, .compare = COMPARE_GE, .limit = 1};

	return ask_gate(&gate);
}

static void
on_pause(void *ctx)
{
	(void)ctx;
	loop_stop(p.loop);
}

/* Asks until it passes; that is the event which is waited for. */
static bool
wait_pass(const char *query)
{
	struct loop_timer *pause = loop_timer_new(p.loop, on_pause, NULL);
	bool passed = false;

	for (int i = 0; i < PATIENCE_MS / 50 && !passed; i++) {
		passed = ask(query)->verdict == VERDICT_PASS;
		if (!passed && waitpid(p.pid, NULL, WNOHANG) == p.pid)
			break;
		if (!passed) {
			loop_timer_set(pause, 50);
			loop_run(p.loop);
		}
	}
	loop_timer_free(pause);
	return passed;
}

static void
open_gates(void)
{
	const struct gates_source source = {.name = "real", .url = p.url, .timeout_ms = 2000};

	p.loop = loop_new();
	p.gates = gates_new(p.loop, &source, 1);
	gates_port(p.gates, &p.port);
}

static void
close_gates(void)
{
	gates_free(p.gates);
	loop_free(p.loop);
}

static void
stop_program(void)
{
	kill(p.pid, SIGKILL);
	waitpid(p.pid, NULL, 0);
}

static int
start(void **state)
{
	(void)state;
	if (access(PROGRAM, X_OK) != 0)
		return 0;
	str_copy(p.folder, sizeof(p.folder), "/tmp/airis-prometheus-XXXXXX");
	assert_non_null(mkdtemp(p.folder));
	/* Between finding a free port and taking it, another may be faster. */
	for (int i = 0; i < TRIES; i++) {
		int port = free_port();

		str_print(p.url, sizeof(p.url), "http://127.0.0.1:%d", port);
		write_config(port);
		start_program(port);
		open_gates();
		if (wait_pass("vector(1)"))
			return 0;
		close_gates();
		stop_program();
	}
	return -1;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)type;
	(void)at;
	return remove(path);
}

static int
stop(void **state)
{
	(void)state;
	if (p.gates == NULL)
		return 0;
	close_gates();
	stop_program();
	return nftw(p.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
expect(const char *query, enum verdict verdict, const char *says)
{
	const struct gate_sample *sample;

	if (p.gates == NULL)
		skip();
	sample = ask(query);
	if (sample->verdict != verdict || strstr(sample->text, says) == NULL)
		fail_msg("%s: %s: %s", query, verdict_name(sample->verdict), sample->text);
}

static void
test_numbers(void **state)
{
	(void)state;
	expect("vector(1)", VERDICT_PASS, "1 >= 1");
	expect("scalar(vector(2.5))", VERDICT_PASS, "2.5 >= 1");
	expect("vector(0.5)", VERDICT_FAIL, "0.5, but must be >= 1");
	expect("1", VERDICT_PASS, "1 >= 1");
}

/* F01, F02: 0/0 and 1/0. */
static void
test_f01_f02_not_finite(void **state)
{
	(void)state;
	expect("vector(0)/0", VERDICT_NO_DATA, "NaN");
	expect("1/0", VERDICT_ERROR, "+Inf");
	expect("-vector(1)/0", VERDICT_ERROR, "-Inf");
}

/* F03, F14: a metric that is not there. */
static void
test_f03_f14_absent(void **state)
{
	(void)state;
	expect("sum(no_such_metric{app=\"{{canary}}\"})", VERDICT_NO_DATA, "no series");
	expect("sum(rate(no_such_metric[{{window}}])) / 0", VERDICT_NO_DATA, "no series");
}

/* F04: several series. */
static void
test_f04_several(void **state)
{
	static const char two[] = "label_replace(vector(1), \"a\", \"1\", \"\", \"\") or "
				  "label_replace(vector(3), \"a\", \"2\", \"\", \"\")";
	struct gate_spec gate = {
	    .source = "real", .query = (char *)two, .compare = COMPARE_EQ, .limit = 3};

	(void)state;
	expect(two, VERDICT_ERROR, "ambiguous: 2 series");
	gate.reduce = REDUCE_MAX;
	assert_int_equal(ask_gate(&gate)->verdict, VERDICT_PASS);
	gate.reduce = REDUCE_AVG;
	assert_true(ask_gate(&gate)->value == 2);
}

/* F05: ranges and texts. */
static void
test_f05_types(void **state)
{
	(void)state;
	if (p.gates == NULL)
		skip();
	assert_true(wait_pass("max(up)"));
	expect("up[5m]", VERDICT_ERROR, "range of values");
	expect("\"text\"", VERDICT_ERROR, "text");
}

/* F07: queries that are none, or cannot be computed; the source itself is well. */
static void
test_f07_bad_queries(void **state)
{
	struct gates_health health;

	(void)state;
	expect("sum(rate(x))", VERDICT_ERROR, "bad_data");
	expect("sum(", VERDICT_ERROR, "bad_data");
	expect("vector(1) + on() group_left() (label_replace(vector(1),\"a\",\"1\",\"\",\"\") or "
	       "vector(1))",
	    VERDICT_ERROR, "execution");
	gates_health(p.gates, &health, 1);
	assert_true(health.ok);
	assert_true(health.skew_ms == 0);
}

/* F11: a real counter, with and without enough samples. */
static void
test_f11_samples(void **state)
{
	struct gate_spec gate = {.source = "real",
	    .query = (char *)"max(up)",
	    .compare = COMPARE_GE,
	    .limit = 1,
	    .samples_query = (char *)"count(up)",
	    .samples_min = 1};

	(void)state;
	if (p.gates == NULL)
		skip();
	assert_true(wait_pass("max(up)"));
	assert_int_equal(ask_gate(&gate)->verdict, VERDICT_PASS);
	assert_true(p.sample.samples == 1);
	gate.samples_min = 1.5;
	assert_int_equal(ask_gate(&gate)->verdict, VERDICT_TOO_FEW);
	gate.samples_query = (char *)"sum(no_such_metric)";
	assert_int_equal(ask_gate(&gate)->verdict, VERDICT_TOO_FEW);
}

/* The queries of the Apps that come with us are PromQL. Without traffic none passes, and none is
 * an error. */
static void
check_app(const char *path)
{
	char text[16384];
	FILE *file = fopen(path, "r");
	size_t length;
	struct errlist errors;
	struct app *app;
	json_t *spec;
	struct err e;

	assert_non_null(file);
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	assert_int_equal(yaml_parse(text, length, &spec, NULL, &e), 0);
	errlist_init(&errors);
	app = app_parse(spec, &errors);
	assert_non_null(app);
	for (int i = 0; i < app->gate_count; i++) {
		const struct gate_sample *sample;

		str_copy(app->gates[i].source, APP_LABEL, "real");
		sample = ask_gate(&app->gates[i]);
		if (sample->verdict !=
		    (app->gates[i].samples_query != NULL ? VERDICT_TOO_FEW : VERDICT_NO_DATA))
			fail_msg("%s: %s: %s: %s", path, app->gates[i].name,
			    verdict_name(sample->verdict), sample->text);
	}
	app_free(app);
	json_decref(spec);
	errlist_done(&errors);
}

static void
test_queries_of_config(void **state)
{
	glob_t files;

	(void)state;
	if (p.gates == NULL)
		skip();
	assert_int_equal(glob("config/apps/*.yaml", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		check_app(files.gl_pathv[i]);
	globfree(&files);
}

/* A signal is not there at once, least of all in every thread. */
static void
kill_and_see(int number, int what)
{
	siginfo_t seen;

	kill(p.pid, number);
	assert_int_equal(waitid(P_PID, (id_t)p.pid, &seen, what | WNOWAIT), 0);
}

/* F08: stopped in the middle, then killed: an error, within the timeout. */
static void
test_f08_gone(void **state)
{
	(void)state;
	if (p.gates == NULL)
		skip();
	kill_and_see(SIGSTOP, WSTOPPED);
	expect("vector(1)", VERDICT_ERROR, "data source real: ");
	kill(p.pid, SIGCONT);
	assert_true(wait_pass("vector(1)"));
	kill_and_see(SIGKILL, WEXITED);
	expect("vector(1)", VERDICT_ERROR, "data source real: ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers), cmocka_unit_test(test_f01_f02_not_finite),
	    cmocka_unit_test(test_f03_f14_absent), cmocka_unit_test(test_f04_several),
	    cmocka_unit_test(test_f05_types), cmocka_unit_test(test_f07_bad_queries),
	    cmocka_unit_test(test_f11_samples), cmocka_unit_test(test_queries_of_config),
	    cmocka_unit_test(test_f08_gone), /* last: it ends the program */
	};

	return cmocka_run_group_tests(tests, start, stop);
}
