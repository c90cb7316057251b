/* measure: what is counted, and its Prometheus text. */
#ifndef SIM_MEASURE_H
#define SIM_MEASURE_H

#include <stdbool.h>

enum loss { NO_DESTINATION, NO_ENDPOINTS, GONE, OVERLOAD, LOSSES };
enum code { CODE_200, CODE_500, CODE_503, CODES };

struct tally {
	char *route; /* "vs/web", "svc/web" */
	double sent, lost[LOSSES];
};

/* Who counts requests in istio_requests_total: "destination", the pods that answered (so it is if
 * nothing is said), "source", the proxies that sent them, or "both". False: no such. */
bool measure_reporters(const char *which);
/* The tally of a route, made at its first request. */
struct tally *measure_route(const char *prefix, const char *name);
/* Counts n answers of a workload; those with 503 have no duration. */
void measure_count(const char *ns, const char *svc, const char *workload, const char *subset,
    enum code code, double ms, long n);

#endif
