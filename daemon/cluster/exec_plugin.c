/* One run of a credential plugin. It is over when the process has ended, not when its output has:
 * a child of its own may keep that open. The process is its own group, so that all of it can be
 * killed. What it wrote to stdout is a secret and is wiped. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "cluster/exec_plugin.h"

enum { OUTPUT_MAX = 1024 * 1024, ERRORS_MAX = 4096, REAP_MS = 100 };

struct stream {
	int fd; /* -1: closed */
	struct loop_fd *watch;
	struct str text;
};

struct exec_plugin {
	struct loop *loop;
	char *command;
	char *hint;
	pid_t pid;
	int pidfd;
	struct loop_fd *exit_watch;
	struct stream output, errors;
	struct loop_timer *deadline;
	int64_t timeout_ms;
	exec_plugin_done *done;
	void *ctx;
};

/* --- starting --- */

static void
add_base64(struct str *to, const char *bytes)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t length = strlen(bytes);

	for (size_t i = 0; i < length; i += 3) {
		unsigned bits = 0;
		char four[4];

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (i + j < length ? (unsigned char)bytes[i + j] : 0u);
		for (size_t j = 0; j < 4; j++)
			four[j] = i + j <= length ? digits[bits >> (18 - 6 * j) & 63] : '=';
		str_add_bytes(to, four, 4);
	}
}

static void
add_cluster_info(json_t *spec, const struct kubeconfig *config, const char *ca_pem)
{
	json_t *cluster = json_object();
	struct str encoded;

	json_object_set_new(cluster, "server", json_string(config->server));
	if (config->server_name)
		json_object_set_new(cluster, "tls-server-name", json_string(config->server_name));
	if (config->insecure)
		json_object_set_new(cluster, "insecure-skip-tls-verify", json_true());
	if (config->proxy)
		json_object_set_new(cluster, "proxy-url", json_string(config->proxy));
	if (ca_pem) {
		str_init(&encoded, 0);
		add_base64(&encoded, ca_pem);
		json_object_set_new(
		    cluster, "certificate-authority-data", json_string(str_text(&encoded)));
		str_done(&encoded);
	}
	json_object_set_new(spec, "cluster", cluster);
}

static char *
exec_info(const struct kubeconfig *config, const char *ca_pem)
{
	json_t *info = json_object(), *spec = json_object();
	char *dump, *variable;

	json_object_set_new(info, "apiVersion", json_string(config->exec.api_version));
	json_object_set_new(info, "kind", json_string("ExecCredential"));
	json_object_set_new(spec, "interactive", json_false());
	if (config->exec.cluster_info)
		add_cluster_info(spec, config, ca_pem);
	json_object_set_new(info, "spec", spec);
	dump = jsonx_dump(info);
	variable = str_format("KUBERNETES_EXEC_INFO=%s", dump);
	free(dump);
	json_decref(info);
	return variable;
}

static bool
same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strncmp(a, b, length + 1) == 0;
}

static void
put_variable(char **all, size_t *count, char *variable)
{
	for (size_t i = 0; i < *count; i++)
		if (same_name(variable, all[i])) {
			all[i] = variable;
			return;
		}
	all[(*count)++] = variable;
}

/* Ours, then the plugin's own. The array is the caller's, what is in it is not. */
static char **
environment(const struct kubeconfig_exec *exec, char *info)
{
	size_t count = 0, room = 2;
	char **all;

	for (char **at = environ; at && *at; at++)
		room++;
	for (char **at = exec->variables; at && *at; at++)
		room++;
	all = mem_array(room, sizeof *all);
	for (char **at = environ; at && *at; at++)
		all[count++] = *at;
	for (char **at = exec->variables; at && *at; at++)
		put_variable(all, &count, *at);
	put_variable(all, &count, info);
	return all;
}

static char **
arguments(const struct kubeconfig_exec *exec)
{
	size_t count = 0;
	char **all;

	while (exec->arguments && exec->arguments[count])
		count++;
	all = mem_array(count + 2, sizeof *all);
	all[0] = exec->command;
	for (size_t i = 0; i < count; i++)
		all[i + 1] = exec->arguments[i];
	return all;
}

static int
spawn(pid_t *pid, const struct kubeconfig_exec *exec, char *info, int out, int errors)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	char **variables = environment(exec, info), **argv = arguments(exec);
	sigset_t all, none;
	int code;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(
	    &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, errors, 2);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	code = posix_spawnp(pid, exec->command, &files, &attributes, argv, variables);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	free(variables);
	free(argv);
	return code;
}

/* --- reading and ending --- */

static void
stream_close(struct stream *stream)
{
	loop_fd_free(stream->watch);
	stream->watch = NULL;
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

static void
stream_done(struct stream *stream)
{
	stream_close(stream);
	if (stream->text.data)
		mem_wipe(stream->text.data, stream->text.room);
	str_done(&stream->text);
}

static void
plugin_free(struct exec_plugin *plugin)
{
	stream_done(&plugin->output);
	stream_done(&plugin->errors);
	loop_fd_free(plugin->exit_watch);
	if (plugin->pidfd >= 0)
		close(plugin->pidfd);
	loop_timer_free(plugin->deadline);
	free(plugin->command);
	free(plugin->hint);
	free(plugin);
}

/* Bounded: a process that cannot die stays a zombie rather than stopping the loop. */
static void
kill_and_reap(struct exec_plugin *plugin)
{
	struct pollfd ended = {.fd = plugin->pidfd, .events = POLLIN};

	kill(-plugin->pid, SIGKILL);
	(void)poll(&ended, 1, REAP_MS);
	(void)waitpid(plugin->pid, NULL, WNOHANG);
}

static void
finish(struct exec_plugin *plugin, const char *error)
{
	struct err text;

	if (error && plugin->hint)
		err_set(
		    &text, "credential plugin %s: %s (%s)", plugin->command, error, plugin->hint);
	else if (error)
		err_set(&text, "credential plugin %s: %s", plugin->command, error);
	loop_timer_clear(plugin->deadline);
	plugin->done(plugin->ctx, str_text(&plugin->output.text), plugin->output.text.length,
	    error ? text.text : NULL);
	plugin_free(plugin);
}

/* Reads what is there, but only so much in one turn of the loop. False: there is too much of it. */
static bool
drain(struct stream *stream)
{
	char bytes[4096];
	ssize_t count = 1;

	for (int i = 0; i < 32 && count > 0 && stream->fd >= 0; i++) {
		count = read(stream->fd, bytes, sizeof bytes);
		if (count > 0)
			str_add_bytes(&stream->text, bytes, (size_t)count);
		else if (count == 0 || (errno != EAGAIN && errno != EINTR))
			stream_close(stream);
	}
	mem_wipe(bytes, sizeof bytes);
	return !stream->text.full;
}

static void
on_output(void *ctx, int what)
{
	struct exec_plugin *plugin = ctx;

	(void)what;
	if (drain(&plugin->output))
		return;
	kill_and_reap(plugin);
	finish(plugin, "printed more than 1 MiB; an ExecCredential is small");
}

static void
on_errors(void *ctx, int what)
{
	struct exec_plugin *plugin = ctx;

	(void)what;
	if (!drain(&plugin->errors)) /* the end of it is what says why */
		str_clear(&plugin->errors.text);
}

/* The last line that says something: tools tend to end with the cause. */
static const char *
last_line(struct str *text)
{
	char *line;

	while (text->length && strchr("\r\n \t", text->data[text->length - 1]))
		text->data[--text->length] = '\0';
	if (!text->length)
		return "it said nothing";
	line = strrchr(text->data, '\n');
	return line ? line + 1 : text->data;
}

static void
on_exit_seen(void *ctx, int what)
{
	struct exec_plugin *plugin = ctx;
	struct err text;
	int status = 0;

	(void)what;
	if (waitpid(plugin->pid, &status, WNOHANG) == 0)
		return;
	(void)drain(&plugin->errors);
	while (plugin->output.fd >= 0 && !plugin->output.text.full) {
		size_t before = plugin->output.text.length;

		(void)drain(&plugin->output);
		if (plugin->output.text.length == before)
			break;
	}
	if (plugin->output.text.full)
		finish(plugin, "printed more than 1 MiB; an ExecCredential is small");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		finish(plugin, NULL);
	else if (WIFEXITED(status)) {
		err_set(&text, "ended with %d: %.300s", WEXITSTATUS(status),
		    last_line(&plugin->errors.text));
		finish(plugin, text.text);
	} else {
		err_set(&text, "was killed by signal %d", WTERMSIG(status));
		finish(plugin, text.text);
	}
}

static void
on_deadline(void *ctx)
{
	struct exec_plugin *plugin = ctx;
	char time[32];
	struct err text;

	kill_and_reap(plugin);
	str_duration_text(plugin->timeout_ms, time, sizeof time);
	err_set(&text, "did not end within %s and was killed", time);
	finish(plugin, text.text);
}

static int
stream_open(struct exec_plugin *plugin, struct stream *stream, size_t limit,
    void (*ready)(void *ctx, int what), int *other)
{
	int ends[2];

	str_init(&stream->text, limit);
	stream->fd = -1;
	*other = -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	*other = ends[1];
	stream->fd = ends[0];
	(void)fcntl(stream->fd, F_SETFL, O_NONBLOCK);
	stream->watch = loop_fd_new(plugin->loop, stream->fd, LOOP_READ, ready, plugin);
	return 0;
}

static void
watch_exit(struct exec_plugin *plugin)
{
	plugin->pidfd = pidfd_open(plugin->pid, 0);
	if (plugin->pidfd < 0)
		log_fatal("pidfd_open: %s; Linux 5.3 or later is needed", strerror(errno));
	plugin->exit_watch =
	    loop_fd_new(plugin->loop, plugin->pidfd, LOOP_READ, on_exit_seen, plugin);
	plugin->deadline = loop_timer_new(plugin->loop, on_deadline, plugin);
	loop_timer_set(plugin->deadline, plugin->timeout_ms);
}

struct exec_plugin *
exec_plugin_start(struct loop *loop, const struct kubeconfig *config, const char *ca_pem,
    int64_t timeout_ms, exec_plugin_done *done, void *ctx, struct err *e)
{
	struct exec_plugin *plugin = mem_alloc(sizeof *plugin);
	char *info = exec_info(config, ca_pem);
	int out = -1, errors = -1, code = 0;

	*plugin = (struct exec_plugin){.loop = loop,
	    .command = mem_strdup(config->exec.command),
	    .hint = mem_strdup(config->exec.hint),
	    .pidfd = -1,
	    .timeout_ms = timeout_ms,
	    .output.fd = -1,
	    .errors.fd = -1,
	    .done = done,
	    .ctx = ctx};
	if (stream_open(plugin, &plugin->output, OUTPUT_MAX, on_output, &out) < 0 ||
	    stream_open(plugin, &plugin->errors, ERRORS_MAX, on_errors, &errors) < 0)
		code = errno;
	if (!code)
		code = spawn(&plugin->pid, &config->exec, info, out, errors);
	if (out >= 0)
		close(out);
	if (errors >= 0)
		close(errors);
	free(info);
	if (!code) {
		watch_exit(plugin);
		return plugin;
	}
	err_set(e, "credential plugin %s: cannot be started: %s%s%s", plugin->command,
	    strerror(code), plugin->hint ? "; " : "", plugin->hint ? plugin->hint : "");
	plugin_free(plugin);
	return NULL;
}

void
exec_plugin_cancel(struct exec_plugin *plugin)
{
	if (!plugin)
		return;
	kill_and_reap(plugin);
	plugin_free(plugin);
}
