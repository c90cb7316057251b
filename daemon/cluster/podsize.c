/* Quantities, and their sums over the containers of a pod. */
#include "cluster/podsize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"

/* --- quantities ------------------------------------------------------------------------------- */

static double
unit_of(const char *suffix)
{
	static const struct {
		const char *suffix;
		double unit;
	} units[] = {{"", 1}, {"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12},
	    {"P", 1e15}, {"E", 1e18}, {"Ki", 0x1p10}, {"Mi", 0x1p20}, {"Gi", 0x1p30},
	    {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60}, {"u", 1e-6}, {"n", 1e-9}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].suffix, suffix) == 0)
			return units[i].unit;
	return -1;
}

double
podsize_quantity(const json_t *quantity)
{
	const char *text = json_string_value(quantity);
	double number, unit;
	char *end;

	if (json_is_number(quantity))
		return json_number_value(quantity) >= 0 ? json_number_value(quantity) : -1;
	if (text == NULL || text[strspn(text, "0123456789.")] == 'x' ||
	    strchr("0123456789.", text[0]) == NULL || text[0] == '\0')
		return -1;
	number = strtod(text, &end);
	unit = end == text ? -1 : unit_of(end);
	return unit < 0 || !isfinite(number) ? -1 : number * unit;
}

/* --- sums ------------------------------------------------------------------------------------- */

static const struct {
	const char *kind, *resource;
} asked[ROOMS] = {[ROOM_CPU] = {"requests", "cpu"},
    [ROOM_MEMORY] = {"requests", "memory"},
    [ROOM_CPU_LIMIT] = {"limits", "cpu"},
    [ROOM_MEMORY_LIMIT] = {"limits", "memory"}};

/* NULL: nothing is said of it. */
static const json_t *
said_of(const json_t *resources, enum podsize_what what)
{
	const json_t *said =
	    json_object_get(json_object_get(resources, asked[what].kind), asked[what].resource);

	if (said != NULL)
		return said;
	return json_object_get(json_object_get(resources, "limits"), asked[what].resource);
}

/* An unknown part makes the sum unknown. */
static double
plus(double sum, double part)
{
	return sum < 0 || part < 0 ? -1 : sum + part;
}

static double
larger(double a, double b)
{
	return a < 0 || b < 0 ? -1 : fmax(a, b);
}

static double
of_container(const json_t *container, enum podsize_what what)
{
	const json_t *said = said_of(json_object_get(container, "resources"), what);

	return said == NULL ? 0 : podsize_quantity(said);
}

/* Those that run before the others run one by one, but a sidecar stays. */
static double
of_containers(const json_t *spec, enum podsize_what what)
{
	double sum = 0, beside = 0, before = 0;
	const json_t *container;
	size_t i;

	json_array_foreach(json_object_get(spec, "containers"), i, container) sum =
	    plus(sum, of_container(container, what));
	json_array_foreach(json_object_get(spec, "initContainers"), i, container)
	{
		double one = plus(beside, of_container(container, what));

		if (str_equal(jsonx_text(container, "restartPolicy"), "Always"))
			beside = one;
		before = larger(before, one);
	}
	return larger(plus(sum, beside), before);
}

double
podsize_of(const json_t *spec, enum podsize_what what)
{
	const json_t *whole = said_of(json_object_get(spec, "resources"), what);
	const json_t *overhead =
	    json_object_get(json_object_get(spec, "overhead"), asked[what].resource);
	double sum = whole != NULL ? podsize_quantity(whole) : of_containers(spec, what);
	bool limit = what == ROOM_CPU_LIMIT || what == ROOM_MEMORY_LIMIT;

	if (overhead == NULL || (limit && sum == 0))
		return sum;
	return plus(sum, podsize_quantity(overhead));
}
