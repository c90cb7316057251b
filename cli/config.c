/* Finds server and token. Always true: a token is only looked for where it will be used, so that a
 * token file that cannot be read is no obstacle to the Unix socket, unless --token-file names it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/host.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "base/yaml.h"
#include "signals.h"

#define CONFIG_BYTES 65536
#define TOKEN_BYTES 8192
#define SILENCE_MS 45000 /* three heartbeats of the server */

static int
read_all(int fd, size_t limit, struct str *to)
{
	char bytes[16384];
	ssize_t count;

	for (;;) {
		count = read(fd, bytes, sizeof(bytes));
		if (count < 0 && errno == EINTR && !signals_interrupted())
			continue;
		if (count <= 0)
			return (int)count;
		str_add_bytes(to, bytes, (size_t)count);
		mem_wipe(bytes, (size_t)count);
		if (to->length > limit) {
			errno = EFBIG;
			return -1;
		}
	}
}

int
file_read(const char *path, size_t limit, char **text, size_t *length, struct err *e)
{
	bool input = str_equal(path, "-");
	int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), result, why;
	struct str all;

	if (fd < 0)
		return err_set(e, "cannot read %s: %s", path, strerror(errno));
	str_init(&all, limit + 1);
	result = read_all(fd, limit, &all);
	why = errno;
	if (!input)
		close(fd);
	if (result < 0) {
		str_done(&all);
		if (why == EFBIG)
			return err_set(e, "%s is larger than the %zu bytes that are taken",
			    input ? "standard input" : path, limit);
		return err_set(
		    e, "cannot read %s: %s", input ? "standard input" : path, strerror(why));
	}
	*length = all.length;
	*text = str_take(&all);
	return 0;
}

/* NULL: there is no home to look in. */
static char *
config_path(void)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (base != NULL && *base == '/')
		return str_format("%s/airisctl/config.yaml", base);
	if (home == NULL || *home != '/')
		return NULL;
	return str_format("%s/.config/airisctl/config.yaml", home);
}

static bool
is_one_of(const char *key, const char *const *keys)
{
	while (*keys != NULL && !str_equal(key, *keys))
		keys++;
	return *keys != NULL;
}

static int
check_config(const char *path, const json_t *config, const struct yaml_lines *lines, struct err *e)
{
	static const char *const keys[] = {
	    "server", "tokenFile", "caFile", "certificateFile", "keyFile", NULL};
	json_t *it = (json_t *)config, *value;
	const char *key;

	if (!json_is_object(config))
		return err_set(e,
		    "%s: found no keys; allowed are server:, tokenFile:, caFile:, "
		    "certificateFile: and keyFile:",
		    path);
	json_object_foreach(it, key, value)
	{
		const char *near = suggest(key, keys);

		if (!is_one_of(key, keys))
			return err_set(e,
			    "%s:%d: unknown key \"%.60s\"%s%s%s; allowed: server, "
			    "tokenFile, caFile, certificateFile, keyFile",
			    path, yaml_line(lines, key), key, near == NULL ? "" : " (did you mean ",
			    near == NULL ? "" : near, near == NULL ? "" : "?)");
		if (!json_is_string(value) || json_string_length(value) == 0)
			return err_set(
			    e, "%s:%d: %s: must be text", path, yaml_line(lines, key), key);
	}
	return 0;
}

/* *config: NULL if there is no such file. */
static int
load_config(const char *path, json_t **config, struct err *e)
{
	struct yaml_lines *lines = NULL;
	json_t *value = NULL;
	size_t length = 0;
	char *text = NULL;
	int result;

	*config = NULL;
	if (path == NULL)
		return 0;
	/* Also when nobody may look: sudo keeps the HOME of somebody else. */
	if (access(path, F_OK) < 0)
		return 0;
	if (file_read(path, CONFIG_BYTES, &text, &length, e) < 0)
		return -1;
	result = yaml_parse(text, length, &value, &lines, e);
	free(text);
	if (result < 0)
		return err_wrap(e, "%s", path);
	result = check_config(path, value, lines, e);
	yaml_lines_free(lines);
	if (result < 0)
		json_decref(value);
	else
		*config = value;
	return result;
}

/* A file in the config that is not absolute is next to the config, "~/" is the home. */
static char *
config_file_path(const char *config, const char *file)
{
	const char *home = getenv("HOME"), *slash = strrchr(config, '/');

	if (str_starts(file, "~/") && home != NULL)
		return str_format("%s/%s", home, file + 2);
	if (*file == '/' || slash == NULL)
		return mem_strdup(file);
	return str_format("%.*s/%s", (int)(slash - config), config, file);
}

static int
set_socket(struct settings *s, const char *path, struct err *e)
{
	while (path[0] == '/' && path[1] == '/')
		path++;
	if (*path == '\0' || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return err_set(e, "%s: \"%s\": the path of a Unix socket has 1 to 107 bytes",
		    s->server_from, s->server_given);
	s->socket = mem_strdup(path);
	s->server = mem_strdup("http://localhost");
	return 0;
}

static int
set_server(struct settings *s, const char *text, const char *from, struct err *e)
{
	size_t length = strlen(text);

	s->server_from = mem_strdup(from);
	s->server_given = mem_strdup(text);
	if (str_starts(text, "unix:"))
		return set_socket(s, text + 5, e);
	if (!str_starts(text, "http://") && !str_starts(text, "https://"))
		return err_set(e,
		    "%s: \"%s\" is no address of a server; write http://HOST:PORT, https://HOST or "
		    "unix:PATH%s%s",
		    from, text, *text == '/' ? ", here unix:" : "", *text == '/' ? text : "");
	while (length > 0 && text[length - 1] == '/')
		length--;
	s->server = mem_strndup(text, length);
	if (s->server[strlen(s->server) - 1] == ':')
		return err_set(e, "%s: \"%s\" names no host", from, text);
	return 0;
}

static int
find_server(const struct args *args, const json_t *config, const char *path, struct settings *s,
    struct err *e)
{
	const char *env = getenv("AIRIS_SERVER"), *file = jsonx_text(config, "server");

	if (args_given(args, FLAG_SERVER))
		return set_server(s, args->values[FLAG_SERVER], "--server", e);
	if (env != NULL && *env != '\0')
		return set_server(s, env, "AIRIS_SERVER", e);
	if (file != NULL)
		return set_server(s, file, path, e);
	return set_server(s, DEFAULT_SERVER, "the default", e);
}

static int
set_token(struct settings *s, const char *text, size_t length, const char *from, struct err *e)
{
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		length--;
	if (length == 0)
		return err_set(e, "%s holds no token", from);
	for (size_t i = 0; i < length; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return err_set(e,
			    "%s holds no token: one line of printable characters is expected",
			    from);
	}
	s->token = mem_strndup(text, length);
	s->token_from = mem_strdup(from);
	return 0;
}

static int
token_from_file(struct settings *s, const char *path, const char *by, struct err *e)
{
	char *text = NULL, *from;
	size_t length = 0;
	int result;

	if (file_read(path, TOKEN_BYTES, &text, &length, e) < 0)
		return err_wrap(e, "the token (%s)", by);
	from = str_format("the file %s (%s)", path, by);
	result = set_token(s, text, length, from, e);
	mem_wipe(text, length);
	free(text);
	free(from);
	return result;
}

static int
find_token(const struct args *args, const json_t *config, const char *path, struct settings *s,
    struct err *e)
{
	const char *env = getenv("AIRIS_TOKEN"), *env_file = getenv("AIRIS_TOKEN_FILE");
	char *file;
	int result;

	if (args_given(args, FLAG_TOKEN_FILE))
		return token_from_file(s, args->values[FLAG_TOKEN_FILE], "--token-file", e);
	if (env != NULL && *env != '\0')
		return set_token(s, env, strlen(env), "AIRIS_TOKEN", e);
	if (env_file != NULL && *env_file != '\0')
		return token_from_file(s, env_file, "AIRIS_TOKEN_FILE", e);
	if (jsonx_text(config, "tokenFile") == NULL)
		return 0;
	file = config_file_path(path, jsonx_text(config, "tokenFile"));
	result = token_from_file(s, file, path, e);
	free(file);
	return result;
}

/* --- https --- */

static const struct place {
	enum flag_id flag;
	const char *name, *env, *key;
} tls_places[] = {
    {FLAG_CA_FILE, "--ca-file", "AIRIS_CA_FILE", "caFile"},
    {FLAG_CERTIFICATE_FILE, "--certificate-file", "AIRIS_CERTIFICATE_FILE", "certificateFile"},
    {FLAG_KEY_FILE, "--key-file", "AIRIS_KEY_FILE", "keyFile"},
};

/* *file: NULL if it is given nowhere. */
static int
find_tls_file(const struct place *place, const struct args *args, const json_t *config,
    const char *path, char **file, struct err *e)
{
	const char *env = getenv(place->env), *from = place->name;

	if (args_given(args, place->flag)) {
		*file = mem_strdup(args->values[place->flag]);
	} else if (env != NULL && *env != '\0') {
		*file = mem_strdup(env);
		from = place->env;
	} else if (jsonx_text(config, place->key) != NULL) {
		*file = config_file_path(path, jsonx_text(config, place->key));
		from = path;
	}
	if (*file != NULL && access(*file, R_OK) < 0)
		return err_set(e, "cannot read %s (%s): %s", *file, from, strerror(errno));
	return 0;
}

/* A flag that would do nothing is a mistake; the environment and the file are for all servers. */
static int
refuse_tls_flags(const struct args *args, const struct settings *s, struct err *e)
{
	for (size_t i = 0; i < sizeof(tls_places) / sizeof(tls_places[0]); i++)
		if (args_given(args, tls_places[i].flag))
			return err_set(e, "%s goes with an https:// server; %s is \"%s\"",
			    tls_places[i].name, s->server_from, s->server_given);
	return 0;
}

static int
find_tls(const struct args *args, const json_t *config, const char *path, struct settings *s,
    struct err *e)
{
	char **const files[] = {&s->ca_file, &s->certificate_file, &s->key_file};

	if (!str_starts(s->server, "https://"))
		return refuse_tls_flags(args, s, e);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (find_tls_file(&tls_places[i], args, config, path, files[i], e) < 0)
			return -1;
	if (s->key_file != NULL && s->certificate_file == NULL)
		return err_set(e,
		    "%s is the key of no certificate: give that with --certificate-file",
		    s->key_file);
	return 0;
}

static int
find_rest(const struct args *args, struct settings *s, struct err *e)
{
	const char *output = args->values[FLAG_OUTPUT], *silence = getenv("AIRIS_SILENCE");

	if (output != NULL)
		s->output = *output == 'j'   ? OUTPUT_JSON
			    : *output == 'y' ? OUTPUT_YAML
					     : OUTPUT_TABLE;
	s->no_color = args_given(args, FLAG_NO_COLOR);
	s->timeout_ms = -1;
	s->silence_ms = SILENCE_MS;
	if (args_given(args, FLAG_TIMEOUT) &&
	    str_duration(args->values[FLAG_TIMEOUT], &s->timeout_ms) < 0)
		return err_set(e, "--timeout: no duration");
	if (silence != NULL && str_duration(silence, &s->silence_ms) < 0)
		return err_set(e, "AIRIS_SILENCE: \"%s\" is not a duration such as 45s", silence);
	return 0;
}

/* "http://HOST…": is that this host? */
static bool
is_loopback(const char *server)
{
	const char *host = server + strlen("http://");
	size_t length = strcspn(host, host[0] == '[' ? "]" : ":/");

	length += host[0] == '[' && host[length] == ']';
	return host_is_loopback(host, length) ||
	       (length == strlen("localhost") && str_starts(host, "localhost"));
}

/* Whoever is on the way could read it, and be whoever it is for. */
static int
keep_token(const struct settings *s, struct err *e)
{
	if (s->token == NULL || s->socket != NULL || !str_starts(s->server, "http://") ||
	    is_loopback(s->server))
		return 0;
	return err_set(e,
	    "%s: the token (%s) would go there for all to read; use https://, or a tunnel that "
	    "ends on this host",
	    s->server_given, s->token_from);
}

int
settings_load(const struct args *args, struct settings *settings, struct err *e)
{
	json_t *config = NULL;
	char *path;
	int result;

	*settings = (struct settings){0};
	if (find_rest(args, settings, e) < 0)
		return -1;
	if (args->command->offline)
		return 0;
	path = config_path();
	result = load_config(path, &config, e);
	if (result == 0)
		result = find_server(args, config, path, settings, e);
	/* On a socket airisd knows the user; a token that is named here and now goes before that.
	 */
	if (result == 0 && (settings->socket == NULL || args_given(args, FLAG_TOKEN_FILE)))
		result = find_token(args, config, path, settings, e);
	if (result == 0)
		result = find_tls(args, config, path, settings, e);
	if (result == 0)
		result = keep_token(settings, e);
	json_decref(config);
	free(path);
	return result;
}

void
settings_done(struct settings *settings)
{
	if (settings->token != NULL)
		mem_wipe(settings->token, strlen(settings->token));
	free(settings->token);
	free(settings->token_from);
	free(settings->ca_file);
	free(settings->certificate_file);
	free(settings->key_file);
	free(settings->server);
	free(settings->socket);
	free(settings->server_given);
	free(settings->server_from);
}
