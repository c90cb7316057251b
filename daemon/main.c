/* airisd: arguments, settings, and then the wire. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/failpoint.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/yaml.h"
#include "base/version.h"
#include "model/app.h"
#include "store/keep.h"
#include "wire.h"
#include "wire_db.h"

#define DEFAULT_PATH "/etc/airis/airisd.yaml"

static const char help[] =
    "usage: airisd [--config FILE] [--check | --print-config]\n"
    "       airisd [--config FILE] --backup FILE\n"
    "       airisd [--config FILE] --backup FOLDER --keep N\n"
    "       airisd [--config FILE] --verify-db [FILE] [--output text|json|yaml]\n"
    "\n"
    "Drives releases through the Kubernetes API: canaries by weight, gated on Prometheus.\n"
    "\n"
    "  --config FILE    settings [" DEFAULT_PATH "]\n"
    "  --check          report every error of the settings, with line and what is allowed; exit 0 "
    "or 1\n"
    "  --print-config   print the settings in force, defaults included\n"
    "  --backup FILE    write a copy of the database to FILE, also while airisd runs\n"
    "  --keep N         with --backup: FOLDER gets airis-TIME.db, verified; the newest N stay\n"
    "  --verify-db      check the database, or the FILE that follows, to its last row; exit 0 or "
    "1\n"
    "  --output FORM    with --verify-db: text (the default), json or yaml\n"
    "  --reference      print every key of the settings, and of apps, with its default\n"
    "  --version        print the version, and of which version its database is\n"
    "  --help           print this\n"
    "\n"
    "Signals: SIGTERM and SIGINT stop it within a second and lose nothing; SIGHUP reads the\n"
    "settings again and says what takes a restart. Logs go to stderr.\n"
    "Exit status: 0 stopped by a signal, 1 cannot start, 2 wrong arguments.\n";

enum task { TASK_RUN, TASK_CHECK, TASK_PRINT, TASK_BACKUP, TASK_VERIFY };

enum form { FORM_TEXT, FORM_JSON, FORM_YAML };

struct order {
	enum task task;
	const char *config, *file; /* file NULL: that of the settings */
	int keep;		   /* 0: file is the copy and not a folder of copies */
	enum form form;
};

static void
print_errors(const char *path, const struct errlist *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct err_item *item = &errors->items[i];
		if (item->line > 0)
			fprintf(stderr, "%s:%d: ", path, item->line);
		else
			fprintf(stderr, "%s: ", path);
		fprintf(stderr, "%s%s%s\n", item->path, item->path[0] ? ": " : "", item->text);
	}
}

static void
print_line(const char *line)
{
	puts(line);
}

static int
back_up(const char *database, const struct order *order)
{
	struct err e;
	int result = order->keep > 0
			 ? wire_backup_keep(database, order->file, order->keep, print_line, &e)
			 : wire_backup(database, order->file, &e);
	if (result < 0)
		return fprintf(stderr, "airisd: %s\n", e.text), 1;
	if (order->keep == 0)
		printf("%s: a copy of %s\n", order->file, database);
	return 0;
}

/* Exit status. */
static int
verify(const char *database, enum form form)
{
	bool ok;
	if (form == FORM_TEXT)
		return wire_verify(database, print_line) < 0;
	json_t *all = wire_verify_json(database, &ok);
	char *text = form == FORM_JSON ? jsonx_dump(all) : yaml_dump(all);
	printf("%s%s", text, form == FORM_JSON ? "\n" : "");
	free(text);
	json_decref(all);
	return !ok;
}

static int
say_settings(const struct settings *settings, const struct order *order)
{
	if (order->task == TASK_BACKUP)
		return back_up(settings->database, order);
	if (order->task == TASK_VERIFY)
		return verify(settings->database, order->form);
	if (order->task == TASK_PRINT) {
		char *text = settings_print(settings);
		fputs(text, stdout);
		free(text);
	} else
		printf("%s: no errors\n", order->config);
	return 0;
}

static int
run(const struct order *order)
{
	struct errlist errors;
	struct err e;
	if (order->task == TASK_VERIFY && order->file != NULL)
		return verify(order->file, order->form);
	errlist_init(&errors);
	struct settings *settings = settings_read(
	    order->config, order->task == TASK_RUN ? wire_check_run : wire_check, &errors);
	print_errors(order->config, &errors);
	errlist_done(&errors);
	if (settings == NULL)
		return 1;
	if (order->task != TASK_RUN) {
		int status = say_settings(settings, order);
		settings_free(settings);
		return status;
	}
	if (wire_run(settings, order->config, &e) == 0)
		return 0;
	log_error("airisd", "%s", e.text);
	return 1;
}

static int
print_reference(void)
{
	char *settings = settings_reference(), *apps = app_reference();
	printf("# settings (airisd.yaml)\n%s\n# apps\n%s", settings, apps);
	free(settings);
	free(apps);
	return 0;
}

static const struct option options[] = {{"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, 'k'}, {"print-config", no_argument, NULL, 'p'},
    {"backup", required_argument, NULL, 'b'}, {"verify-db", optional_argument, NULL, 'd'},
    {"keep", required_argument, NULL, 'n'}, {"output", required_argument, NULL, 'o'},
    {"reference", no_argument, NULL, 'r'}, {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
#ifdef AIRIS_CRASH
    {"failpoints", no_argument, NULL, 'f'},
#endif
    {NULL, 0, NULL, 0}};

static int
take_keep(struct order *order)
{
	int64_t count;
	if (str_number(optarg, 1, STORE_KEEP_MOST, &count) < 0)
		return fprintf(stderr, "airisd: --keep %s: how many copies stay, from 1 to %d\n",
		    optarg, STORE_KEEP_MOST);
	order->keep = (int)count;
	return 0;
}

static int
take_form(struct order *order)
{
	static const char *const forms[] = {"text", "json", "yaml"};
	for (int i = 0; i < 3; i++) {
		if (str_equal(optarg, forms[i])) {
			order->form = (enum form)i;
			return 0;
		}
	}
	return fprintf(stderr, "airisd: --output %s: text, json or yaml\n", optarg);
}

/* Not 0: it was said what is wrong. */
static int
take_order(struct order *order, int option)
{
	static const enum task tasks[128] = {
	    ['k'] = TASK_CHECK, ['p'] = TASK_PRINT, ['b'] = TASK_BACKUP, ['d'] = TASK_VERIFY};
	if (option == 'n')
		return take_keep(order);
	if (option == 'o')
		return take_form(order);
	if (option == 'c') {
		order->config = optarg;
		return 0;
	}
	order->task = tasks[option];
	order->file = optarg;
	return 0;
}

static int
check_order(const struct order *order)
{
	if (order->keep > 0 && order->task != TASK_BACKUP)
		return fputs("airisd: --keep goes with --backup FOLDER\n", stderr);
	if (order->form != FORM_TEXT && order->task != TASK_VERIFY)
		return fputs("airisd: --output goes with --verify-db\n", stderr);
	return 0;
}

int
main(int argc, char **argv)
{
	struct order order = {.config = DEFAULT_PATH};
	int option;
	mem_json_hook();
	while ((option = getopt_long(argc, argv, "c:hv", options, NULL)) != -1) {
		if (option == 'r')
			return print_reference();
		if (option == 'v')
			return printf("airisd %s\ndatabase version %d\n", version_text(),
				   wire_database_version()) < 0;
#ifdef AIRIS_CRASH
		if (option == 'f')
			return failpoint_print() != 0;
#endif
		if (option == 'h')
			return fputs(help, stdout) < 0;
		if (option == '?')
			return fputs("see airisd --help\n", stderr), 2;
		if (take_order(&order, option) != 0)
			return 2;
	}
	if (order.task == TASK_VERIFY && order.file == NULL && optind < argc)
		order.file = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "airisd: unexpected argument \"%s\"; see airisd --help\n",
		    argv[optind]);
		return 2;
	}
	if (check_order(&order) != 0)
		return 2;
	return run(&order);
}
