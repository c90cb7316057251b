/* airisd: arguments, settings, and then the wire. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/failpoint.h"
#include "base/log.h"
#include "base/version.h"
#include "model/app.h"
#include "wire.h"

#define DEFAULT_PATH "/etc/airis/airisd.yaml"

static const char help[] =
    "usage: airisd [--config FILE] [--check | --print-config]\n"
    "\n"
    "Drives releases through the Kubernetes API: canaries by weight, gated on Prometheus.\n"
    "\n"
    "  --config FILE    settings [" DEFAULT_PATH "]\n"
    "  --check          report every error of the settings, with line and what is allowed; exit 0 "
    "or 1\n"
    "  --print-config   print the settings in force, defaults included\n"
    "  --reference      print every key of the settings, and of apps, with its default\n"
    "  --version        print the version\n"
    "  --help           print this\n"
    "\n"
    "Signals: SIGTERM and SIGINT stop it within a second and lose nothing; SIGHUP reads the\n"
    "settings again and says what takes a restart. Logs go to stderr.\n"
    "Exit status: 0 stopped by a signal, 1 cannot start, 2 wrong arguments.\n";

enum task { TASK_RUN, TASK_CHECK, TASK_PRINT };

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

static int
run(const char *path, enum task task)
{
	struct errlist errors;
	struct err e;
	errlist_init(&errors);
	struct settings *settings = settings_read(path, wire_check, &errors);
	print_errors(path, &errors);
	errlist_done(&errors);
	if (settings == NULL)
		return 1;
	if (task == TASK_RUN) {
		if (wire_run(settings, path, &e) == 0)
			return 0;
		log_error("airisd", "%s", e.text);
		return 1;
	}
	if (task == TASK_PRINT) {
		char *text = settings_print(settings);
		fputs(text, stdout);
		free(text);
	} else
		printf("%s: no errors\n", path);
	settings_free(settings);
	return 0;
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
    {"reference", no_argument, NULL, 'r'}, {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
#ifdef AIRIS_CRASH
    {"failpoints", no_argument, NULL, 'f'},
#endif
    {NULL, 0, NULL, 0}};

int
main(int argc, char **argv)
{
	const char *path = DEFAULT_PATH;
	enum task task = TASK_RUN;
	int option;
	mem_json_hook();
	while ((option = getopt_long(argc, argv, "c:hv", options, NULL)) != -1) {
		if (option == 'c')
			path = optarg;
		else if (option == 'k')
			task = TASK_CHECK;
		else if (option == 'p')
			task = TASK_PRINT;
		else if (option == 'r')
			return print_reference();
		else if (option == 'v')
			return printf("airisd %s\n", version_text()) < 0;
#ifdef AIRIS_CRASH
		else if (option == 'f')
			return failpoint_print() != 0;
#endif
		else if (option == 'h')
			return fputs(help, stdout) < 0;
		else
			return fputs("see airisd --help\n", stderr), 2;
	}
	if (optind < argc) {
		fprintf(stderr, "airisd: unexpected argument \"%s\"; see airisd --help\n",
		    argv[optind]);
		return 2;
	}
	return run(path, task);
}
