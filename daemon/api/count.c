/* Requests are counted when they are answered, under the route that they found: paths themselves
 * have no end, routes are few. */
#include <stdlib.h>
#include <string.h>
#include "api/routes.h"
#include "base/clock.h"

struct asked {
	const struct api_route *route; /* NULL: none, or who asks may not know */
	int64_t at_us;
	bool waits; /* how long it takes says nothing */
};

static const char *const methods[API_METHODS] = {
    [API_GET] = "GET", [API_POST] = "POST", [API_PUT] = "PUT", [API_DELETE] = "DELETE"};

const char *
api_method_name(enum api_method method)
{
	return methods[method];
}

void
api_count_begin(struct api *api, uint64_t number)
{
	struct asked *asked = mem_alloc(sizeof(*asked));
	asked->at_us = clock_mono_us();
	free(map_set_number(api->asked, number, asked));
}

void
api_count_route(struct api *api, uint64_t number, const struct api_route *route)
{
	struct asked *asked = map_get_number(api->asked, number);
	if (asked != NULL)
		asked->route = route;
}

static struct api_cell *
cell_of(struct api_stats *stats, const char *method, const char *route, int code)
{
	for (size_t i = 0; i < stats->cell_count; i++) {
		struct api_cell *cell = &stats->cells[i];
		if (cell->code == code && strcmp(cell->route, route) == 0 &&
		    strcmp(cell->method, method) == 0)
			return cell;
	}
	stats->cells = mem_grow(stats->cells, stats->cell_count + 1, sizeof(stats->cells[0]));
	struct api_cell *cell = &stats->cells[stats->cell_count++];
	*cell = (struct api_cell){.method = method, .route = route, .code = code};
	return cell;
}

static void
add_time(struct api_stats *stats, const char *method, int64_t took_us)
{
	for (int i = 0; i < API_METHODS; i++)
		if (strcmp(methods[i], method) == 0)
			histogram_add(&stats->took[i], &histogram_request, took_us);
}

void
api_count_waits(struct api *api, uint64_t number)
{
	struct asked *asked = map_get_number(api->asked, number);
	if (asked != NULL)
		asked->waits = true;
}

void
api_count_end(struct api *api, uint64_t number, int status)
{
	struct asked *asked = map_remove_number(api->asked, number);
	if (asked == NULL)
		return;
	const struct api_route *route = asked->route;
	cell_of(&api->stats, route ? route->method : "other", route ? route->path : "other", status)
	    ->count++;
	if (route != NULL && !asked->waits)
		add_time(&api->stats, route->method, clock_mono_us() - asked->at_us);
	free(asked);
}

const struct api_stats *
api_stats(struct api *api)
{
	struct api_stats *stats = &api->stats;
	stats->under_way = (int)map_count(api->asked);
	stats->followers = api->followers;
	stats->connections = api->httpd == NULL ? 0 : httpd_connections(api->httpd);
	stats->slowed = api->httpd == NULL ? 0 : httpd_spins(api->httpd);
	return stats;
}
