/* A VirtualService: http routes with destinations. A weight that is not given is none (F23). */
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/route.h"
#include "cluster/route_form.h"

static enum route_side
side_of(const struct app *app, const json_t *destination)
{
	const struct traffic_spec *traffic = &app->traffic;
	const char *host = jsonx_text(destination, "destination.host");
	const char *subset = jsonx_text_or(destination, "destination.subset", "");

	if (traffic->mode == TRAFFIC_HOST &&
	    route_is_host(host, traffic->canary_service, app->namespace))
		return ROUTE_CANARY;
	if (!route_is_host(host, traffic->service, app->namespace))
		return ROUTE_OTHER;
	if (subset[0] == '\0' || strcmp(subset, traffic->stable_subset) == 0)
		return ROUTE_STABLE;
	if (traffic->mode == TRAFFIC_SUBSET && strcmp(subset, traffic->canary_subset) == 0)
		return ROUTE_CANARY;
	return ROUTE_OTHER;
}

static const char *
name_of(const json_t *destination)
{
	return jsonx_text_or(destination, "destination.host", "");
}

/* With the stable one's port and headers, and the canary's host or subset. */
static json_t *
canary_of(const struct app *app, const json_t *stable)
{
	json_t *copy = json_deep_copy(stable);
	json_t *destination = json_object_get(copy, "destination");
	const char *host = jsonx_text_or(destination, "host", "");
	char *other;

	if (app->traffic.mode == TRAFFIC_SUBSET) {
		json_object_set_new(destination, "subset", json_string(app->traffic.canary_subset));
		return copy;
	}
	/* "web.shop.svc" becomes "web-canary.shop.svc": written as the user writes hosts. */
	other =
	    str_format("%s%s", app->traffic.canary_service, host + strlen(app->traffic.service));
	json_object_set_new(destination, "host", json_string(other));
	json_object_del(destination, "subset");
	free(other);
	return copy;
}

const struct route_form route_form_istio = {
    .kind = KUBE_VIRTUALSERVICES,
    .rules = "spec.http",
    .rules_at = "/spec/http",
    .rules_field = {"f:spec", "f:http"},
    .backends = "route",
    .rule = "http route",
    .list = "http",
    .backend = "destination with host",
    .names = "traffic.istio.routes",
    .missing = 0,
    .side = side_of,
    .name = name_of,
    .canary = canary_of,
};
