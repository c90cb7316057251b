/* token create, list, revoke. A secret is written once, to standard output or to a file of its own,
 * and never to standard error, where logs of CI systems end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "config.h"
#include "show/table.h"
#include "show/when.h"

#define PROOF_MAX ((size_t)16 * 1024)

/* "shop,web-*" */
static json_t *
names_json(const char *list)
{
	json_t *names = json_array();

	while (*list != '\0') {
		size_t length = strcspn(list, ",");

		json_array_append_new(names, json_stringn(list, length));
		list += length + (list[length] == ',');
	}
	return names;
}

static char *
create_body(const struct args *args)
{
	json_t *body = json_object();
	const char *apps = args->values[FLAG_APPS], *note = args->values[FLAG_NOTE],
		   *expires = args->values[FLAG_EXPIRES];

	json_object_set_new(body, "role", json_string(args->values[FLAG_ROLE]));
	json_object_set_new(body, "namespaces", names_json(args->values[FLAG_NAMESPACES]));
	if (apps != NULL)
		json_object_set_new(body, "apps", names_json(apps));
	if (note != NULL)
		json_object_set_new(body, "note", json_string(note));
	if (expires != NULL)
		json_object_set_new(body, "expires", json_string(expires));
	char *text = jsonx_dump(body);
	json_decref(body);
	return text;
}

static void
add_names(struct str *to, const json_t *names)
{
	for (size_t i = 0; i < json_array_size(names); i++)
		str_addf(
		    to, "%s%s", i > 0 ? "," : "", jsonx_text_or(json_array_get(names, i), "", "?"));
}

/* Made before the token is asked for, so that none is lost because its file cannot be written. A
 * file that is there is not touched: it may be another token. */
static int
open_file(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		complain("%s cannot be made: %s%s", file, strerror(errno),
		    errno == EEXIST ? "; remove it, or name another one" : "");
	return fd;
}

static int
write_file(int fd, const char *file, const char *secret)
{
	struct str line;
	const char *at;

	str_init(&line, 0);
	str_addf(&line, "%s\n", secret);
	at = str_text(&line);
	for (ssize_t count; *at != '\0'; at += count) {
		count = write(fd, at, strlen(at));
		if (count < 0 && errno != EINTR)
			break;
		count = count < 0 ? 0 : count;
	}
	bool good = *at == '\0' && fsync(fd) == 0;
	if (!good)
		complain("%s cannot be written: %s; revoke the token and try again", file,
		    strerror(errno));
	mem_wipe(line.data, line.length);
	str_done(&line);
	return good ? CODE_OK : CODE_FAILED;
}

static void
say_created(const struct cli *cli, const json_t *token, const char *file)
{
	struct str text;

	str_init(&text, 0);
	paint_addf(&cli->paint, &text, BOLD, "token %s", jsonx_text_or(token, "id", "?"));
	str_addf(&text, ": %s, namespaces ", jsonx_text_or(token, "role", "?"));
	add_names(&text, json_object_get(token, "namespaces"));
	str_add(&text, ", apps ");
	add_names(&text, json_object_get(token, "apps"));
	str_addf(&text, ", until %s\n\n", jsonx_text_or(token, "expires", "?"));
	if (file != NULL)
		str_addf(&text, "It is in %s, which only you can read.\n", file);
	else
		str_addf(&text,
		    "  %s\n\nThis is shown once: put it where you keep secrets. airisd has only a "
		    "digest of it.\n",
		    jsonx_text_or(token, "token", "?"));
	out_str(&text);
	str_done(&text);
}

/* Asks for a token with this body, which is freed. */
static int
ask(struct cli *cli, const char *path, char *body, int fd, const char *file)
{
	struct request request = {
	    .method = "POST", .path = path, .body = body, .length = strlen(body)};
	struct answer answer;
	int code = cmd_call(cli, &request, &answer);

	mem_wipe(body, strlen(body));
	free(body);
	if (code != CODE_OK)
		return code;
	if (file != NULL) {
		code = write_file(fd, file, jsonx_text_or(answer.json, "token", ""));
		json_object_del(answer.json, "token");
	}
	if (code == CODE_OK && !cmd_print(cli, answer.json))
		say_created(cli, answer.json, file);
	answer_done(&answer);
	return code;
}

static int
make_token(struct cli *cli, const char *path, char *body)
{
	const char *file = cli->args->values[FLAG_OUT];
	int fd = file == NULL ? -1 : open_file(file), code;

	if (file != NULL && fd < 0) {
		free(body);
		return CODE_USAGE;
	}
	code = ask(cli, path, body, fd, file);
	if (fd >= 0)
		(void)close(fd);
	if (code != CODE_OK && file != NULL)
		(void)unlink(file);
	return code;
}

static int
run_create(struct cli *cli)
{
	return make_token(cli, "/v1/tokens", create_body(cli->args));
}

/* Not from the command line, which everybody on the host can read. */
static int
run_exchange(struct cli *cli)
{
	struct err e;
	char *text;
	size_t length;

	if (file_read(cli->args->words[0], PROOF_MAX, &text, &length, &e) < 0) {
		complain("%s", e.text);
		return CODE_USAGE;
	}
	while (length > 0 && strchr("\r\n \t", text[length - 1]) != NULL)
		length--;
	json_t *proof = json_pack("{s:o}", "token", json_stringn(text, length));
	mem_wipe(text, strlen(text));
	free(text);
	if (proof == NULL) {
		complain("%s holds no text", cli->args->words[0]);
		return CODE_USAGE;
	}
	char *body = jsonx_dump(proof);
	json_decref(proof);
	return make_token(cli, "/v1/tokens/exchange", body);
}

static void
add_age(const struct cli *cli, struct table *table, const json_t *one, const char *key)
{
	char age[WHEN_SIZE];
	int64_t at_ms, now_ms = client_now_ms(cli->client);

	if (!when_at(one, key, &at_ms)) {
		table_add(table, DIM, "never");
		return;
	}
	when_span(at_ms > now_ms ? at_ms - now_ms : now_ms - at_ms, age);
	if (at_ms > now_ms)
		table_addf(table, DIM, "in %s", age);
	else
		table_addf(table, DIM, "%s ago", age);
}

static void
add_names_cell(struct table *table, const json_t *names)
{
	struct str text;

	str_init(&text, 0);
	add_names(&text, names);
	table_add(table, PLAIN, str_text(&text));
	str_done(&text);
}

static void
print_list(const struct cli *cli, const json_t *items)
{
	static const char *const heads[] = {
	    "TOKEN", "ROLE", "NAMESPACES", "APPS", "EXPIRES", "USED", "NOTE", "BY"};
	struct table *table = table_new(&cli->paint, 8);
	const json_t *one;
	size_t i;

	for (i = 0; i < 8; i++)
		table_add(table, DIM, heads[i]);
	json_array_foreach(items, i, one)
	{
		table_add(table, BOLD, jsonx_text_or(one, "id", "?"));
		table_add(table, PLAIN, jsonx_text_or(one, "role", "?"));
		add_names_cell(table, json_object_get(one, "namespaces"));
		add_names_cell(table, json_object_get(one, "apps"));
		add_age(cli, table, one, "expires");
		add_age(cli, table, one, "used");
		table_add(table, PLAIN, jsonx_text_or(one, "note", ""));
		table_add(table, PLAIN, jsonx_text_or(one, "by", ""));
	}
	out_table(&cli->paint, table);
	table_free(table);
}

static int
run_list(struct cli *cli)
{
	struct answer answer;
	int code = cmd_get(cli, "/v1/tokens", &answer);

	if (code != CODE_OK)
		return code;
	if (!cmd_print_answer(cli, &answer)) {
		if (json_array_size(json_object_get(answer.json, "items")) == 0)
			out_text("no tokens; make one with: airisctl token create\n");
		else
			print_list(cli, json_object_get(answer.json, "items"));
	}
	answer_done(&answer);
	return CODE_OK;
}

static int
run_revoke(struct cli *cli)
{
	const char *id = cli->args->words[0];
	char *path = path_format("/v1/tokens/%", id);
	struct request request = {.method = "DELETE", .path = path};
	struct answer answer;
	struct str text;
	int code = cmd_call(cli, &request, &answer);

	free(path);
	if (code != CODE_OK)
		return code;
	if (cli->settings->output == OUTPUT_TABLE) {
		str_init(&text, 0);
		paint_addf(&cli->paint, &text, PLAIN,
		    "token %s is revoked: nobody is let in by it any more", id);
		str_add(&text, "\n");
		out_str(&text);
		str_done(&text);
	}
	answer_done(&answer);
	return CODE_OK;
}

const struct command cmd_token_create = {.group = "token",
    .name = "create",
    .operands = "",
    .flags = FLAG(ROLE) | FLAG(NAMESPACES) | FLAG(APPS) | FLAG(NOTE) | FLAG(EXPIRES) | FLAG(OUT),
    .needs = FLAG(ROLE) | FLAG(NAMESPACES),
    .summary = "make an API token; its secret is shown once",
    .text = "For who is admin over all namespaces and apps. The secret is written to standard "
	    "output, or with --out to a new file that only you can read; airisd keeps a digest of "
	    "it. Use it with --token-file FILE, AIRIS_TOKEN_FILE or AIRIS_TOKEN.",
    .run = run_create};

const struct command cmd_token_exchange = {.group = "token",
    .name = "exchange",
    .operands = "FILE",
    .flags = FLAG(OUT),
    .summary = "a token of a CI system for one of airisd's",
    .text = "For pipelines, which then store no secret: FILE (- for standard input) holds the "
	    "OpenID Connect token that the CI system gives to the job, with the audience of "
	    "airisd's settings (oidc). It can be exchanged once; what it may is said by the rules "
	    "there.",
    .run = run_exchange};

const struct command cmd_token_list = {.group = "token",
    .name = "list",
    .operands = "",
    .summary = "list the API tokens, without their secrets",
    .run = run_list};

const struct command cmd_token_revoke = {.group = "token",
    .name = "revoke",
    .operands = "TOKEN",
    .summary = "end an API token at once",
    .text = "TOKEN is the id that `airisctl token list` shows: the eight characters behind airis_ "
	    "in the secret.",
    .run = run_revoke};
