/* airisctl: takes the command line apart and runs one command. */
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/version.h"
#include "cli.h"
#include "help.h"
#include "signals.h"

static void
complain_usage(const char *usage)
{
	char *line = str_format("usage: %s", usage);

	complain_line(line);
	free(line);
}

static int
wrong_usage(const struct args *args, const struct err *e)
{
	char *usage;

	if (args->command == NULL) {
		complain("%s", e->text);
		return CODE_USAGE;
	}
	complain("%s%s%s: %s", args->command->group, *args->command->group == '\0' ? "" : " ",
	    args->command->name, e->text);
	usage = command_usage(args->command);
	complain_usage(usage);
	free(usage);
	return CODE_USAGE;
}

static int
show(void (*add)(struct str *to))
{
	struct str text;

	str_init(&text, 0);
	add(&text);
	out_str(&text);
	str_done(&text);
	return CODE_OK;
}

static void
add_version(struct str *to)
{
	str_addf(to, "airisctl %s\n", version_text());
}

static int
show_help(const struct args *args)
{
	struct str text;

	str_init(&text, 0);
	if (args->command != NULL)
		help_add_command(args->command, &text);
	else
		help_add(args->group == NULL ? "" : args->group, &text);
	out_str(&text);
	str_done(&text);
	return CODE_OK;
}

static int
run(struct cli *cli, struct settings *settings)
{
	struct err e;
	int code;

	if (settings_load(cli->args, settings, &e) < 0) {
		complain("%s", e.text);
		return CODE_USAGE;
	}
	cli->settings = settings;
	paint_init(&cli->paint, STDOUT_FILENO, settings->no_color);
	if (!cli->args->command->offline && client_new(settings, &cli->client, &e) < 0) {
		complain("%s", e.text);
		return CODE_FAILED;
	}
	code = cli->args->command->run(cli);
	client_free(cli->client);
	return code;
}

int
main(int argc, char **argv)
{
	struct settings settings = {0};
	struct args args;
	struct cli cli = {.args = &args};
	struct err e;
	int code;

	setlocale(LC_CTYPE, "");
	mem_json_hook();
	signals_init();
	if (argc == 2 && str_equal(argv[1], "--man"))
		return show(man_add);
	if (args_parse(argc, argv, &args, &e) < 0)
		return wrong_usage(&args, &e);
	if (args_given(&args, FLAG_HELP))
		return show_help(&args);
	if (args_given(&args, FLAG_VERSION))
		return show(add_version);
	code = run(&cli, &settings);
	settings_done(&settings);
	return code;
}
