/* The table of metric families as Markdown. */
#include "docs.h"

#include "telemetry/families.h"

static void
add_labels(const struct metric_family *family, struct str *to)
{
	for (int i = 0; family->labels[i] != NULL; i++)
		str_addf(to, "%s`%s`", i > 0 ? ", " : "", family->labels[i]);
}

void
docs_metrics(struct str *to)
{
	str_add(to, "| name | type | labels | what |\n|---|---|---|---|\n");
	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metric_family *family = &metric_families[i];
		str_addf(to, "| `%s` | %s | ", family->name, metric_type_name(family->type));
		add_labels(family, to);
		str_addf(to, " | %s |\n", family->help);
	}
}
