/* measure: see measure.h. */
#include "measure.h"

#include "map.h"
#include "util.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

#define DURATION "istio_request_duration_milliseconds"

static const double bounds[] = {1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};
enum { BOUNDS = sizeof(bounds) / sizeof(bounds[0]) };

struct series {
	char *labels;
	double count[CODES];
	double hist[BOUNDS + 1], sum;
};

static struct map series, tallies;
static bool by_source, not_by_destination;
static const char *const code_names[CODES] = {"200", "500", "503"};
static const char *const loss_names[LOSSES] = {
    "no_destination", "no_endpoints", "gone", "overload"};

struct tally *
measure_route(const char *prefix, const char *name)
{
	char key[300];
	struct tally *t;

	snprintf(key, sizeof(key), "%s%s", prefix, name);
	t = map_get(&tallies, key);
	if (t == NULL) {
		t = xalloc(sizeof(*t));
		t->route = xdup(key);
		map_set(&tallies, key, t);
	}
	return t;
}

void
measure_count(const char *ns, const char *svc, const char *workload, const char *subset,
    enum code code, double ms, long n)
{
	char key[500];
	struct series *s;
	size_t i = 0;

	snprintf(key, sizeof(key), "%s/%s/%s/%s", ns, svc, workload, subset);
	s = map_get(&series, key);
	if (s == NULL) {
		s = xalloc(sizeof(*s));
		s->labels = xfmt("destination_workload=\"%s\","
				 "destination_workload_namespace=\"%s\",destination_service_name="
				 "\"%s\",destination_service=\"%s.%s.svc.cluster.local\","
				 "destination_subset=\"%s\"",
		    workload, ns, svc, svc, ns, subset);
		map_set(&series, key, s);
	}
	s->count[code] += (double)n;
	if (code == CODE_503)
		return;
	s->sum += ms * (double)n;
	while (i < BOUNDS && bounds[i] < ms)
		i++;
	s->hist[i] += (double)n;
}

bool
measure_reporters(const char *which)
{
	by_source = strcmp(which, "source") == 0 || strcmp(which, "both") == 0;
	not_by_destination = strcmp(which, "source") == 0;
	return by_source || strcmp(which, "destination") == 0;
}

static void
write_requests(struct buf *out, const char *reporter, const struct series *s)
{
	for (enum code c = CODE_200; c < CODES; c++)
		if (s->count[c] > 0)
			buf_fmt(out,
			    "istio_requests_total{reporter=\"%s\",%s,response_code=\"%s\"} %.15g\n",
			    reporter, s->labels, code_names[c], s->count[c]);
}

static void
write_durations(struct buf *out, const struct series *s)
{
	double sum = 0;

	for (size_t i = 0; i < BOUNDS; i++) {
		sum += s->hist[i];
		buf_fmt(out, DURATION "_bucket{reporter=\"destination\",%s,le=\"%g\"} %.15g\n",
		    s->labels, bounds[i], sum);
	}
	sum += s->hist[BOUNDS];
	buf_fmt(out, DURATION "_bucket{reporter=\"destination\",%s,le=\"+Inf\"} %.15g\n", s->labels,
	    sum);
	buf_fmt(out, DURATION "_sum{reporter=\"destination\",%s} %.15g\n", s->labels, s->sum);
	buf_fmt(out, DURATION "_count{reporter=\"destination\",%s} %.15g\n", s->labels, sum);
}

void
world_metrics(struct buf *out)
{
	const struct map_slot *slot;
	size_t i = 0;

	buf_str(out, "# TYPE istio_requests_total counter\n");
	while ((slot = map_next(&series, &i)) != NULL) {
		if (!not_by_destination)
			write_requests(out, "destination", slot->value);
		if (by_source)
			write_requests(out, "source", slot->value);
	}
	buf_str(out, "# TYPE " DURATION " histogram\n");
	for (i = 0; (slot = map_next(&series, &i)) != NULL;)
		write_durations(out, slot->value);
	buf_str(out, "# TYPE lab_requests_total counter\n");
	for (i = 0; (slot = map_next(&tallies, &i)) != NULL;)
		buf_fmt(out, "lab_requests_total{route=\"%s\"} %.15g\n", slot->key,
		    ((struct tally *)slot->value)->sent);
	buf_str(out, "# TYPE lab_lost_requests_total counter\n");
	for (i = 0; (slot = map_next(&tallies, &i)) != NULL;)
		for (enum loss l = NO_DESTINATION; l < LOSSES; l++)
			buf_fmt(out, "lab_lost_requests_total{route=\"%s\",reason=\"%s\"} %.15g\n",
			    slot->key, loss_names[l], ((struct tally *)slot->value)->lost[l]);
}
