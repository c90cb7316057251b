/* Log lines, read back from a pipe that stands in for stderr. */
#include "unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"

static int old_stderr, reader;

static int
setup(void **state)
{
	int ends[2];

	(void)state;
	old_stderr = dup(STDERR_FILENO);
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	reader = ends[0];
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	unsetenv("JOURNAL_STREAM");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	close(reader);
	log_setup(LOG_INFO, LOG_TEXT, "test");
	return 0;
}

/* What was logged since the last look. */
static const char *
logged(void)
{
	static char text[20000];
	ssize_t count = read(reader, text, sizeof(text) - 1);

	text[count < 0 ? 0 : count] = '\0';
	return text;
}

static void
test_text_line(void **state)
{
	const char *line;

	(void)state;
	log_setup(LOG_INFO, LOG_TEXT, "airisd");
	log_line(LOG_WARN, "kube", "r-1", "shop", "watch of %s ended\nx\x1b[31m\xff", "pods");
	line = logged();
	assert_int_equal(line[23], 'Z');
	assert_string_equal(
	    line + 24, " warn  kube: rollout=r-1 app=shop watch of pods ended\\nx\\x1b[31m\\xff\n");
	log_debug("kube", "not shown");
	assert_string_equal(logged(), "");
	assert_int_equal(log_current_level(), LOG_INFO);
	log_setup(LOG_DEBUG, LOG_TEXT, "airisd");
	log_debug("kube", "shown");
	assert_non_null(strstr(logged(), "debug kube: shown\n"));
}

static void
test_journald_line(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_setup(LOG_INFO, LOG_TEXT, "airisd");
	log_error("store", "disk full");
	assert_string_equal(logged(), "<3>store: disk full\n");
}

static json_t *
logged_json(void)
{
	const char *line = logged();
	json_t *json = jsonx_parse(line, strlen(line), 8192, NULL);

	assert_non_null(json);
	assert_int_equal(line[strlen(line) - 1], '\n');
	return json;
}

static void
test_json_line(void **state)
{
	json_t *json;

	(void)state;
	log_setup(LOG_INFO, LOG_JSON, "airisd");
	log_line(LOG_INFO, "engine", "r-1", NULL, "\"quoted\" \\ \n\t\x01 \xc3\xa9 \xff");
	json = logged_json();
	assert_string_equal(jsonx_text(json, "level"), "info");
	assert_string_equal(jsonx_text(json, "program"), "airisd");
	assert_string_equal(jsonx_text(json, "who"), "engine");
	assert_string_equal(jsonx_text(json, "rollout"), "r-1");
	assert_null(jsonx_at(json, "app"));
	assert_string_equal(
	    jsonx_text(json, "message"), "\"quoted\" \\ \n\t\x01 \xc3\xa9 \xc3\xbf");
	json_decref(json);
}

/* However long its parts are, a line is whole, and the JSON is JSON. */
static void
test_long_lines(void **state)
{
	char *dots = str_format("%010000d", 0), *controls = mem_strdup(dots);
	json_t *json;

	(void)state;
	memset(controls, '\x01', 10000);
	log_setup(LOG_INFO, LOG_JSON, "airisd");
	log_info("a", "%s", dots);
	json = logged_json();
	assert_true(str_ends(jsonx_text(json, "message"), "0..."));
	json_decref(json);
	log_info("a", "%s", controls);
	json_decref(logged_json());
	log_line(LOG_INFO, "a", controls, dots, "%s", dots);
	json = logged_json();
	assert_true(str_ends(jsonx_text(json, "rollout"), "..."));
	json_decref(json);
	log_setup(LOG_INFO, LOG_TEXT, "airisd");
	log_info("a", "%s", dots);
	assert_true(str_ends(logged(), "0...\n"));
	free(dots);
	free(controls);
}

static void
test_fatal_aborts(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		log_fatal("broken: %d", 7);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(logged(), "fatal: broken: 7"));
}

int
main(void)
{
#define log_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    log_test(test_text_line),
	    log_test(test_journald_line),
	    log_test(test_json_line),
	    log_test(test_long_lines),
	    log_test(test_fatal_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
