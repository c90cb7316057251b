/* --help, in at most 80 columns. */
#include "help.h"

#include <stdlib.h>
#include <string.h>
#include "cli.h"

enum { COLUMN = 26, WIDTH = 80 };

const struct fact help_environment[] = {
    {"AIRIS_SERVER", "the server, when --server is not given"},
    {"AIRIS_TOKEN", "the bearer token, when --token-file is not given"},
    {"AIRIS_TOKEN_FILE", "the file with the token, when neither is given"},
    {"AIRIS_CA_FILE", "as --ca-file"},
    {"AIRIS_CERTIFICATE_FILE", "as --certificate-file"},
    {"AIRIS_KEY_FILE", "as --key-file"},
    {"AIRIS_ACTOR", "the name for the history (default: the login name)"},
    {"AIRIS_SILENCE", "a stream that says nothing for so long is opened again (default 45s)"},
    {"TRACEPARENT", "rollout start and undo: the trace that the rollout becomes part of"},
    {"NO_COLOR", "not empty: no colours"},
    {NULL, NULL},
};

static void
add_wrapped(struct str *to, int indent, const char *text)
{
	struct paint paint = {.utf8 = true, .width = WIDTH};

	for (;;) {
		size_t length = strcspn(text, "\n");
		char *part = mem_strndup(text, length);

		str_addf(to, "%*s", indent, "");
		paint_wrap(&paint, to, indent, indent, part);
		free(part);
		text += length;
		if (*text == '\0')
			return;
		text += strspn(text, "\n");
		str_add(to, "\n");
	}
}

static void
add_row(struct str *to, const char *name, const char *text)
{
	int columns = (int)strlen(name) + 2;
	struct paint paint = {.utf8 = true, .width = WIDTH};

	str_addf(to, "  %s", name);
	if (columns + 2 > COLUMN) {
		str_add(to, "\n");
		columns = 0;
	}
	str_addf(to, "%*s", COLUMN - columns, "");
	paint_wrap(&paint, to, COLUMN, COLUMN, text);
}

void
help_add_flag(const struct flag *flag, struct str *to)
{
	if (flag->letter != 0)
		str_addf(to, "-%c, ", flag->letter);
	str_addf(to, "--%s", flag->name);
	if (flag->value != NULL)
		str_addf(to, flag->optional ? "[=%s]" : " %s", flag->value);
}

static void
add_flags(struct str *to, const char *title, uint64_t wanted)
{
	struct str name;

	if (wanted == 0)
		return;
	str_addf(to, "\n%s\n", title);
	for (int i = 0; i < FLAG_COUNT; i++) {
		if ((wanted >> i & 1) == 0)
			continue;
		str_init(&name, 0);
		help_add_flag(&flags[i], &name);
		add_row(to, str_text(&name), flags[i].help);
		str_done(&name);
	}
}

static uint64_t
global_flags(void)
{
	uint64_t all = 0;

	for (int i = 0; i < FLAG_COUNT; i++)
		all |= flags[i].global ? UINT64_C(1) << i : 0;
	return all;
}

static void
add_exit_codes(struct str *to)
{
	char number[8];

	str_add(to, "\nExit codes\n");
	for (int i = 0; exit_texts[i].text != NULL; i++) {
		str_print(number, sizeof(number), "%d", exit_texts[i].code);
		add_row(to, number, exit_texts[i].text);
	}
}

static void
add_commands(struct str *to, const char *group)
{
	for (int i = 0; commands[i] != NULL; i++) {
		char *name;

		if (!str_equal(commands[i]->group, group) || commands[i]->hidden)
			continue;
		name = str_format("%s%s%s", group, *group == '\0' ? "" : " ", commands[i]->name);
		add_row(to, name, commands[i]->summary);
		free(name);
	}
}

void
help_add(const char *group, struct str *to)
{
	const struct group *one = group_find(group);

	str_addf(to, "airisctl [FLAGS] %s ...\n", one == NULL ? "COMMAND" : one->name);
	for (int i = 0; groups[i].name != NULL; i++) {
		if (one != NULL && one != &groups[i])
			continue;
		str_addf(to, "\n%s: %s\n", groups[i].name, groups[i].summary);
		add_commands(to, groups[i].name);
	}
	if (one == NULL) {
		str_add(to, "\nothers\n");
		add_commands(to, "");
		add_flags(to, "Flags of all commands", global_flags());
		str_add(to, "\nEnvironment\n");
		for (int i = 0; help_environment[i].name != NULL; i++)
			add_row(to, help_environment[i].name, help_environment[i].text);
		str_add(to, "\nFiles\n");
		add_row(to, CONFIG_PATH,
		    "server:, tokenFile:, caFile:, certificateFile: and keyFile:, when neither "
		    "flag nor "
		    "environment says it; the default server is " DEFAULT_SERVER);
		add_exit_codes(to);
	}
	str_addf(to, "\nairisctl %s%sCOMMAND --help says more.\n", one == NULL ? "" : one->name,
	    one == NULL ? "" : " ");
}

void
help_add_command(const struct command *command, struct str *to)
{
	char *usage = command_usage(command);

	add_wrapped(to, 0, usage);
	free(usage);
	str_addf(to, "\n");
	add_wrapped(to, 2, command->summary);
	if (command->text != NULL) {
		str_add(to, "\n");
		add_wrapped(to, 2, command->text);
	}
	add_flags(to, "Flags", command->flags);
	add_flags(to, "Flags of all commands", global_flags());
	add_exit_codes(to);
}
