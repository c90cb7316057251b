/* airisctl(1) as mdoc, from the same tables as --help. docs/man/airisctl.1 is its output. */
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "help.h"

/* Text of a page: backslashes and a control character at the start of a line are made harmless. */
static void
add_text(struct str *to, const char *text)
{
	bool start = true;

	for (; *text != '\0'; text++) {
		if (start && (*text == '.' || *text == '\''))
			str_add(to, "\\&");
		if (*text == '\\')
			str_add(to, "\\e");
		else if (*text == '-' && text[1] == '-')
			str_add(to, "\\-");
		else if (text[0] == '\n' && text[1] == '\n') {
			str_add(to, "\n.Pp\n");
			text++;
			start = true;
			continue;
		} else if (text[0] == '.' && text[1] == ' ' && text[2] >= 'A' && text[2] <= 'Z') {
			str_add(to, ".\n"); /* mdoc wants each sentence on a line of its own */
			text++;
		} else
			str_add_bytes(to, text, 1);
		start = *text == '\n';
	}
	str_add(to, "\n");
}

static void
add_flag(struct str *to, const struct flag *flag)
{
	str_add(to, ".It ");
	if (flag->letter != 0)
		str_addf(to, "Fl %c , ", flag->letter);
	str_addf(to, "Fl \\-%s", flag->name);
	if (flag->value != NULL && flag->optional)
		str_addf(to, " Ns Op = Ns Ar %s", flag->value);
	else if (flag->value != NULL)
		str_addf(to, " Ar %s", flag->value);
	str_add(to, "\n");
	if (flag->choices != NULL && flag->check == NULL)
		str_addf(to, "One of: %s.\n", flag->choices);
	add_text(to, flag->help);
}

static void
add_flags(struct str *to, uint64_t wanted)
{
	str_add(to, ".Bl -tag -width Ds\n");
	for (int i = 0; i < FLAG_COUNT; i++) {
		if ((wanted >> i & 1) != 0)
			add_flag(to, &flags[i]);
	}
	str_add(to, ".El\n");
}

static void
add_command(struct str *to, const struct command *command)
{
	char *usage = command_usage(command);

	/* Without the program's name, which Nm is. */
	str_addf(to, ".It Nm Cm %s\n", usage + strlen("airisctl "));
	free(usage);
	add_text(to, command->summary);
	if (command->text != NULL) {
		str_add(to, ".Pp\n");
		add_text(to, command->text);
	}
	if (command->flags != 0)
		add_flags(to, command->flags);
}

static void
add_commands(struct str *to)
{
	const char *group = NULL;

	str_add(to, ".Sh COMMANDS\n");
	for (int i = 0; commands[i] != NULL; i++) {
		if (commands[i]->hidden)
			continue;
		if (!str_equal(group, commands[i]->group)) {
			if (group != NULL)
				str_add(to, ".El\n");
			group = commands[i]->group;
			str_addf(
			    to, ".Ss %s\n", *group == '\0' ? "others" : group_find(group)->summary);
			str_add(to, ".Bl -tag -width Ds\n");
		}
		add_command(to, commands[i]);
	}
	str_add(to, ".El\n");
}

static void
add_global(struct str *to)
{
	uint64_t all = 0;

	for (int i = 0; i < FLAG_COUNT; i++)
		all |= flags[i].global ? UINT64_C(1) << i : 0;
	str_add(to, ".Sh FLAGS OF ALL COMMANDS\n");
	add_flags(to, all);
}

static void
add_rest(struct str *to)
{
	str_add(to, ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n");
	for (int i = 0; help_environment[i].name != NULL; i++) {
		str_addf(to, ".It Ev %s\n", help_environment[i].name);
		add_text(to, help_environment[i].text);
	}
	str_add(to, ".El\n.Sh FILES\n.Bl -tag -width Ds\n");
	str_add(to, ".It Pa " CONFIG_PATH "\n");
	str_add(to, "YAML with the keys\n.Ic server : ,\n.Ic tokenFile : ,\n.Ic caFile : ,\n"
		    ".Ic certificateFile :\nand\n.Ic keyFile : ;\nused when neither "
		    "flag nor environment says it.\nThe default server is\n.Pa " DEFAULT_SERVER
		    " .\n.El\n");
	str_add(to, ".Sh EXIT STATUS\n.Bl -tag -width 130\n");
	for (int i = 0; exit_texts[i].text != NULL; i++) {
		str_addf(to, ".It %d\n", exit_texts[i].code);
		add_text(to, exit_texts[i].text);
	}
	str_add(to, ".El\n");
}

static void
add_examples(struct str *to)
{
	str_add(to, ".Sh EXAMPLES\nRelease from a pipeline, and fail it unless all went well:\n"
		    ".Bd -literal -offset indent\n"
		    "airisctl rollout start web --image registry/web:1.4.2 \\e\n"
		    "    --commit $CI_COMMIT --key $CI_JOB_ID --wait --timeout 2h\n"
		    ".Ed\n.Pp\nWhy is it not moving?\n.Bd -literal -offset indent\n"
		    "airisctl rollout explain web\n"
		    ".Ed\n.Pp\nStop it, and wait until all is as it was:\n"
		    ".Bd -literal -offset indent\n"
		    "airisctl rollout abort web --reason 'errors in the logs' --wait\n.Ed\n");
}

void
man_add(struct str *to)
{
	str_add(to,
	    ".\\\" Written by airisctl --man; change the tables in cli/ and make it anew.\n"
	    ".Dd $Mdocdate$\n.Dt AIRISCTL 1\n.Os airis\n.Sh NAME\n.Nm airisctl\n"
	    ".Nd release services through airisd\n.Sh SYNOPSIS\n.Nm\n.Op Ar flags\n"
	    ".Ar command\n.Op Ar operand ...\n.Sh DESCRIPTION\n.Nm\ntalks to\n"
	    ".Xr airisd 8 ,\nwhich does the work; it shows what is there and hands over "
	    "what is wanted.\nWhere a command takes\n.Ar ROLLOUT|APP ,\nit is the id of a "
	    "rollout, or the name of an app for its newest one.\nFlags may stand anywhere; "
	    "a\n.Fl \\-\nends them.\n.Pp\nOn a terminal,\n.Cm rollout watch\nand\n"
	    ".Fl \\-wait\npaint a display in place: the stages done, current and ahead, the "
	    "weight written and taken,\nthe ready pods of both sides, every gate's last value, "
	    "and what is waited for.\nElsewhere they print a line for every change, with its "
	    "time in UTC.\nAll times are UTC.\n");
	add_global(to);
	add_commands(to);
	add_rest(to);
	add_examples(to);
}
