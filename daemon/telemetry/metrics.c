/* The exposition. Each family has its own text until all values are there. A wrong number of
 * labels, or another scale than the family's, is a bug and stops the process in every build. */
#include "telemetry/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

struct metrics {
	struct str lines[METRIC_COUNT];
};

const char *
metric_type_name(enum metric_type type)
{
	static const char *const names[] = {[METRIC_COUNTER] = "counter",
	    [METRIC_GAUGE] = "gauge",
	    [METRIC_HISTOGRAM] = "histogram"};
	return names[type];
}

struct metrics *
metrics_new(void)
{
	struct metrics *metrics = mem_alloc(sizeof(*metrics));
	for (int i = 0; i < METRIC_COUNT; i++)
		str_init(&metrics->lines[i], 0);
	return metrics;
}

void
metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	for (int i = 0; i < METRIC_COUNT; i++)
		str_done(&metrics->lines[i]);
	free(metrics);
}

/* A byte that needs no look: nearly all are. */
static bool
is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/* What is no UTF-8 would make the scraper refuse all of it. */
static size_t
add_odd(struct str *to, const char *text)
{
	size_t length = str_utf8_char(text, strlen(text));
	if (*text == '\n')
		str_add(to, "\\n");
	else if (*text == '"' || *text == '\\')
		str_addf(to, "\\%c", *text);
	else if (length == 0)
		str_add(to, "?");
	else
		str_add_bytes(to, text, length);
	return length > 0 ? length : 1;
}

static void
add_quoted(struct str *to, const char *text)
{
	while (*text != '\0') {
		size_t plain = 0;
		while (is_plain(text[plain]))
			plain++;
		str_add_bytes(to, text, plain);
		text += plain;
		if (*text != '\0')
			text += add_odd(to, text);
	}
}

static void
add_number(struct str *to, double value)
{
	if (isnan(value))
		str_add(to, "NaN");
	else if (isinf(value))
		str_add(to, value > 0 ? "+Inf" : "-Inf");
	else if (value == floor(value) && fabs(value) < 9007199254740992.0)
		str_addf(to, "%.0f", value);
	else
		str_addf(to, "%.15g", value);
}

/* le: one label more, of a bucket; NULL: none. */
static void
add_labels(
    struct str *to, const struct metric_family *family, const char *const *values, const char *le)
{
	const char *before = "{";
	int i = 0;
	for (; family->labels[i] != NULL && values[i] != NULL; i++) {
		str_add(to, before);
		str_add(to, family->labels[i]);
		str_add(to, "=\"");
		add_quoted(to, values[i]);
		str_add(to, "\"");
		before = ",";
	}
	if (family->labels[i] != NULL || values[i] != NULL)
		log_fatal("%s: not as many values as it has labels", family->name);
	if (le != NULL) {
		str_addf(to, "%sle=\"%s\"", before, le);
		before = ",";
	}
	if (*before == ',')
		str_add(to, "}");
}

static void
add_line(struct str *to, const struct metric_family *family, const char *suffix,
    const char *const *values, const char *le, double value)
{
	str_add(to, family->name);
	str_add(to, suffix);
	add_labels(to, family, values, le);
	str_add(to, " ");
	add_number(to, value);
	str_add(to, "\n");
}

void
metrics_add(struct metrics *metrics, enum metric which, double value, const char *const *labels)
{
	const struct metric_family *family = &metric_families[which];
	if (family->type == METRIC_HISTOGRAM)
		log_fatal("%s is a histogram and has no single value", family->name);
	add_line(&metrics->lines[which], family, "", labels, NULL, value);
}

void
metrics_histogram(struct metrics *metrics, enum metric which, const struct histogram *histogram,
    const char *const *labels)
{
	const struct metric_family *family = &metric_families[which];
	struct str *to = &metrics->lines[which];
	uint64_t sum = 0;
	char le[32];
	if (family->type != METRIC_HISTOGRAM ||
	    (histogram->scale != NULL && histogram->scale != family->scale))
		log_fatal("%s has not this scale", family->name);
	for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
		sum += histogram->counts[i];
		str_print(le, sizeof(le), "%g", (double)family->scale->us[i] / 1e6);
		add_line(to, family, "_bucket", labels, le, (double)sum);
	}
	sum += histogram->counts[HISTOGRAM_BOUNDS];
	add_line(to, family, "_bucket", labels, "+Inf", (double)sum);
	add_line(to, family, "_sum", labels, NULL, (double)histogram->sum_us / 1e6);
	add_line(to, family, "_count", labels, NULL, (double)sum);
}

void
metrics_text(const struct metrics *metrics, struct str *to)
{
	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metric_family *family = &metric_families[i];
		if (metrics->lines[i].length == 0)
			continue;
		str_addf(to, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
		    family->name, metric_type_name(family->type));
		str_add_bytes(to, metrics->lines[i].data, metrics->lines[i].length);
	}
}
