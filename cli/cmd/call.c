/* Calls and their failures. A 4xx is a refusal (exit code 6), a 5xx a failure (1), no answer at all
 * is 7. */
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/yaml.h"
#include "cmd/cmd.h"

int
cmd_unanswered(enum call call, const struct err *e)
{
	complain("%s", e->text);
	return call == CALL_INTERRUPTED ? CODE_INTERRUPTED : CODE_UNREACHABLE;
}

static void
say_error(const json_t *one, const char *file)
{
	const char *path = jsonx_text_or(one, "path", ""),
		   *text = jsonx_text_or(one, "detail", "?");
	long long line = jsonx_int(one, "line", 0);
	const char *colon = *path == '\0' ? "" : ": ";
	char number[32] = "";
	struct str all;

	if (line > 0)
		str_print(number, sizeof(number), ":%lld", line);
	str_init(&all, 0);
	if (file != NULL)
		str_addf(&all, "%s%s: %s%s%s", file, number, path, colon, text);
	else
		str_addf(&all, "  %s%s%s%s", path, number, *path == '\0' ? "" : ": ", text);
	complain_line(str_text(&all));
	str_done(&all);
}

/* What the token has to do with it. */
static void
say_token(const struct cli *cli)
{
	const struct settings *settings = cli->settings;

	if (settings->socket != NULL && settings->token == NULL)
		return;
	if (settings->token == NULL && settings->certificate_file != NULL)
		complain_line("  a client certificate was shown, and no token was sent: it needs a "
			      "URI, DNS name or e-mail address in subjectAltName");
	else if (settings->token == NULL)
		complain_line("  no token was sent; give one with --token-file, AIRIS_TOKEN_FILE, "
			      "AIRIS_TOKEN, or tokenFile: in " CONFIG_PATH);
	else {
		struct str text;

		str_init(&text, 0);
		str_addf(&text, "  the token that was sent comes from %s", settings->token_from);
		complain_line(str_text(&text));
		str_done(&text);
	}
}

int
cmd_refuse(const struct cli *cli, const struct answer *answer, const char *file)
{
	const char *detail = jsonx_text(answer->json, "detail");
	const char *code = jsonx_text_or(answer->json, "code", "");
	const json_t *errors = jsonx_at(answer->json, "errors"), *one;
	bool refused = answer->status >= 400 && answer->status < 500;
	size_t i;

	if (detail == NULL) {
		complain("%s answered with status %d and no reason airisctl can read (%s): is it "
			 "airisd?",
		    client_server(cli->client), answer->status,
		    *answer->type == '\0' ? "no content type" : answer->type);
		return refused ? CODE_REFUSED : CODE_FAILED;
	}
	complain("%s%s%s (%d%s%s): %s", file == NULL ? "" : file, file == NULL ? "" : ": ",
	    refused ? "refused" : "airisd failed", answer->status, *code == '\0' ? "" : " ", code,
	    detail);
	json_array_foreach(errors, i, one) say_error(one, file);
	if (answer->status == 401)
		say_token(cli);
	return refused ? CODE_REFUSED : CODE_FAILED;
}

int
cmd_call(struct cli *cli, const struct request *request, struct answer *answer)
{
	struct request own = *request;
	enum call call;
	struct err e;
	int code;

	if (own.timeout_ms == 0 && cli->settings->timeout_ms > 0 &&
	    !args_given(cli->args, FLAG_WAIT))
		own.timeout_ms = cli->settings->timeout_ms;
	call = client_call(cli->client, &own, answer, &e);
	if (call != CALL_ANSWERED) {
		answer_done(answer);
		return cmd_unanswered(call, &e);
	}
	if (answer->status >= 200 && answer->status < 300 &&
	    (answer->json != NULL || answer->length == 0))
		return CODE_OK;
	if (answer->status >= 200 && answer->status < 400) {
		complain("%s answered with status %d and %s: is it airisd?",
		    client_server(cli->client), answer->status,
		    *answer->type == '\0' ? "no content type" : answer->type);
		code = CODE_FAILED;
	} else
		code = cmd_refuse(cli, answer, NULL);
	answer_done(answer);
	return code;
}

int
cmd_get(struct cli *cli, const char *path, struct answer *answer)
{
	struct request request = {.method = "GET", .path = path};

	return cmd_call(cli, &request, answer);
}

bool
cmd_print(const struct cli *cli, const json_t *value)
{
	char *text = NULL;

	switch (cli->settings->output) {
	case OUTPUT_TABLE:
		return false;
	case OUTPUT_JSON:
		text = jsonx_dump(value);
		out_text(text);
		out_text("\n");
		break;
	case OUTPUT_YAML:
		text = yaml_dump(value);
		out_text(text);
		break;
	}
	free(text);
	return true;
}

bool
cmd_print_answer(const struct cli *cli, const struct answer *answer)
{
	if (cli->settings->output != OUTPUT_JSON)
		return answer->json == NULL ? cli->settings->output != OUTPUT_TABLE
					    : cmd_print(cli, answer->json);
	out_text(answer->text);
	if (answer->length == 0 || answer->text[answer->length - 1] != '\n')
		out_text("\n");
	return true;
}
