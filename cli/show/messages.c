/* The view for programs: each state and each event as the server sent it. */
#include <stdlib.h>
#include "base/jsonx.h"
#include "base/yaml.h"
#include "show/views.h"

static void
print(void *ctx, const json_t *message)
{
	const struct cli *cli = ctx;
	struct str text;
	char *yaml;

	str_init(&text, 0);
	if (cli->settings->output == OUTPUT_YAML) {
		yaml = yaml_dump(message);
		str_add(&text, "---\n");
		str_add(&text, yaml);
		free(yaml);
	} else {
		jsonx_add(&text, message);
		str_add(&text, "\n");
	}
	out_str(&text);
	str_done(&text);
}

static void
on_link(void *ctx, bool up, const char *text)
{
	(void)ctx;
	if (!up)
		complain("no connection, trying again: %s", text);
}

const struct view json_view = {.state = print, .event = print, .link = on_link};
