/* airis-docs: what is written about settings, Apps and metrics, from the tables behind them. Each
 *output is one file of the repository or a part of one; `make docs` writes them all.
 *
 *	airis-docs sample        config/airisd.yaml
 *	airis-docs sample-all    the same with nothing commented out, for a test
 *	airis-docs settings      the list of keys in airisd.yaml(5), as mdoc
 *	airis-docs app           the list of keys in airis-app(5), as mdoc
 *	airis-docs metrics       the table in docs/metrics.md
 *	airis-docs paths         every setting's path, a line each
 */
#include "docs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model/app.h"
#include "settings/table.h"

static void
add_paths(const struct key *table, const char *prefix, struct str *to)
{
	for (const struct key *key = table; key->name != NULL; key++) {
		bool items = key->type == &keys_list;
		char *path = str_format("%s%s", prefix, key->name);

		str_addf(to, "%s\n", path);
		if (key->inside != NULL) {
			char *below = str_format("%s%s.", path, items ? "[]" : "");

			add_paths(key->inside, below, to);
			free(below);
		}
		free(path);
	}
}

static int
write_part(const char *what, struct str *to)
{
	if (strcmp(what, "sample") == 0)
		docs_sample(settings_keys, false, to);
	else if (strcmp(what, "sample-all") == 0)
		docs_sample(settings_keys, true, to);
	else if (strcmp(what, "settings") == 0)
		docs_man(settings_keys, settings_is_live, to);
	else if (strcmp(what, "app") == 0)
		docs_man(app_table(), NULL, to);
	else if (strcmp(what, "metrics") == 0)
		docs_metrics(to);
	else if (strcmp(what, "paths") == 0)
		add_paths(settings_keys, "", to);
	else
		return -1;
	return 0;
}

int
main(int argc, char **argv)
{
	struct str text;
	bool ok;

	str_init(&text, 0);
	if (argc != 2 || write_part(argv[1], &text) < 0) {
		fputs("usage: airis-docs sample | sample-all | settings | app | metrics | paths\n",
		    stderr);
		str_done(&text);
		return 2;
	}
	ok = fputs(str_text(&text), stdout) >= 0 && fflush(stdout) == 0;
	str_done(&text);
	return ok ? 0 : 1;
}
