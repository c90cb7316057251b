/* version, completion and help. */
#include "base/jsonx.h"
#include "base/version.h"
#include "cmd/cmd.h"
#include "help.h"

static void
print_version(struct cli *cli, const char *server)
{
	json_t *both = json_pack("{s:s, s:s?}", "airisctl", version_text(), "airisd", server);
	struct str text;

	if (!cmd_print(cli, both)) {
		str_init(&text, 0);
		str_addf(&text, "airisctl %s\n", version_text());
		if (server != NULL) {
			str_add(&text, "airisd   ");
			paint_addf(&cli->paint, &text, PLAIN, "%s at %s", server,
			    client_server(cli->client));
			str_add(&text, "\n");
		}
		out_str(&text);
		str_done(&text);
	}
	json_decref(both);
}

static int
run_version(struct cli *cli)
{
	struct answer answer;
	int code = cmd_get(cli, "/v1/version", &answer);

	if (code != CODE_OK) {
		print_version(cli, NULL);
		return code;
	}
	print_version(cli, jsonx_text_or(answer.json, "version", "?"));
	answer_done(&answer);
	return CODE_OK;
}

static int
run_completion(struct cli *cli)
{
	const char *shell = cli->args->words[0];
	struct str text;

	str_init(&text, 0);
	if (completion_add(shell, &text) < 0) {
		complain("completion: \"%s\" is not one of: bash zsh", shell);
		str_done(&text);
		return CODE_USAGE;
	}
	out_str(&text);
	str_done(&text);
	return CODE_OK;
}

static int
run_help(struct cli *cli)
{
	const char *first = cli->args->count > 0 ? cli->args->words[0] : "";
	const char *second = cli->args->count > 1 ? cli->args->words[1] : NULL;
	const struct command *command;
	struct str text;

	str_init(&text, 0);
	if (second == NULL && (*first == '\0' || group_find(first) != NULL))
		help_add(first, &text);
	else {
		command = second == NULL ? command_find("", first) : command_find(first, second);
		if (command == NULL) {
			complain("there is no command \"%s%s%s\"; `airisctl help` lists them",
			    first, second == NULL ? "" : " ", second == NULL ? "" : second);
			str_done(&text);
			return CODE_USAGE;
		}
		help_add_command(command, &text);
	}
	out_str(&text);
	str_done(&text);
	return CODE_OK;
}

const struct command cmd_version = {.group = "",
    .name = "version",
    .operands = "",
    .summary = "print the versions of airisctl and of the airisd it talks to",
    .run = run_version};

const struct command cmd_completion = {.group = "",
    .name = "completion",
    .operands = "bash|zsh",
    .summary = "print the completions for a shell",
    .text = "For bash: source <(airisctl completion bash). For zsh: airisctl completion zsh > "
	    "\"${fpath[1]}/_airisctl\".",
    .offline = true,
    .run = run_completion};

const struct command cmd_help = {.group = "",
    .name = "help",
    .operands = "[GROUP] [COMMAND]",
    .summary = "say how commands are used",
    .offline = true,
    .run = run_help};
