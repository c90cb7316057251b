/* app apply: the file goes to the server as it is, so that the lines of its errors are the file's
 * lines. It is read here only to learn the app's name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/yaml.h"
#include "cmd/cmd.h"

#define FILE_BYTES ((size_t)1 << 20)

struct input {
	const char *file; /* for people */
	char *text, *name;
	size_t length;
	bool is_json;
};

/* "line 3, column 5: what" -> "FILE:3:5: what", as compilers say it. */
static void
say_syntax(const char *file, const char *text)
{
	int line = 0, column = 0, used = 0;
	struct str s;

	str_init(&s, 0);
	if (sscanf(text, "line %d, column %d: %n", &line, &column, &used) == 2 && used > 0)
		str_addf(&s, "%s:%d:%d: %s", file, line, column, text + used);
	else if (sscanf(text, "line %d: %n", &line, &used) == 1 && used > 0)
		str_addf(&s, "%s:%d: %s", file, line, text + used);
	else
		str_addf(&s, "%s: %s", file, text);
	complain("%s is refused: it is no valid YAML or JSON", file);
	complain_line(str_text(&s));
	str_done(&s);
}

static int
find_name(struct input *input)
{
	json_t *app = NULL;
	const char *name;
	struct err e;

	if (yaml_parse(input->text, input->length, &app, NULL, &e) < 0) {
		say_syntax(input->file, e.text);
		return CODE_REFUSED;
	}
	name = jsonx_text(app, "name");
	if (name != NULL && *name != '\0')
		input->name = mem_strdup(name);
	json_decref(app);
	if (input->name != NULL)
		return CODE_OK;
	complain(
	    "%s is refused: it has no name: at the top; an app starts with kind: App and name: "
	    "NAME",
	    input->file);
	return CODE_REFUSED;
}

static int
read_input(const char *file, struct input *input)
{
	struct err e;

	*input = (struct input){.file = str_equal(file, "-") ? "<stdin>" : file};
	if (file_read(file, FILE_BYTES, &input->text, &input->length, &e) < 0) {
		complain("%s", e.text);
		return CODE_USAGE;
	}
	input->is_json = input->text[strspn(input->text, " \t\r\n")] == '{';
	return find_name(input);
}

static int
send_input(struct cli *cli, const struct input *input, struct answer *answer)
{
	char *path = path_format("/v1/apps/%", input->name);
	struct request request = {.method = "PUT",
	    .path = path,
	    .type = input->is_json ? "application/json" : "application/yaml",
	    .body = input->text,
	    .length = input->length};
	enum call call;
	struct err e;

	if (cli->settings->timeout_ms > 0)
		request.timeout_ms = cli->settings->timeout_ms;
	call = client_call(cli->client, &request, answer, &e);
	free(path);
	if (call != CALL_ANSWERED)
		return cmd_unanswered(call, &e);
	if ((answer->status == 200 || answer->status == 201) && answer->json != NULL)
		return CODE_OK;
	return cmd_refuse(cli, answer, input->file);
}

static void
tell(const struct cli *cli, const struct answer *answer, const char *name)
{
	bool changed = jsonx_bool(answer->json, "changed", true);
	struct str text;

	str_init(&text, 0);
	paint_addf(&cli->paint, &text, PLAIN, "app %s is %s", name,
	    answer->status == 201 ? "created"
	    : changed ? "changed; a rollout that is under way keeps the app it began with"
		      : "unchanged");
	str_add(&text, "\n");
	paint_addf(&cli->paint, &text, DIM,
	    "look first: airisctl rollout plan %s --image IMAGE; release: airisctl rollout start "
	    "%s "
	    "--image IMAGE",
	    name, name);
	str_add(&text, "\n");
	out_str(&text);
	str_done(&text);
}

static int
run(struct cli *cli)
{
	struct input input;
	struct answer answer = {0};
	int code = read_input(cli->args->values[FLAG_FILE], &input);

	if (code == CODE_OK)
		code = send_input(cli, &input, &answer);
	if (code == CODE_OK && !cmd_print_answer(cli, &answer))
		tell(cli, &answer, input.name);
	answer_done(&answer);
	free(input.name);
	free(input.text);
	return code;
}

const struct command cmd_app_apply = {.group = "app",
    .name = "apply",
    .operands = "",
    .flags = FLAG(FILE),
    .needs = FLAG(FILE),
    .summary = "make an app, or change it to what a file says",
    .text = "The file is YAML or JSON, at most 1 MiB; its errors are all reported at once as "
	    "FILE:LINE: key: text. Nothing is released by it.",
    .run = run};
