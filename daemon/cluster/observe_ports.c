/* Do the ports of route, Services and pods agree? A destination without a port is left to the mesh,
 * and a targetPort that is a number needs no container that names it. */
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/observe_checks.h"
#include "cluster/route.h"
#include "cluster/route_form.h"
#include "cluster/workload.h"

enum { TEXT_BYTES = 900 };

static bool
has_port(const json_t *service, int number)
{
	const json_t *port;
	size_t i;

	json_array_foreach(jsonx_at(service, "spec.ports"), i, port)
	{
		if (jsonx_count(port, "port", -1) == number)
			return true;
	}
	return false;
}

static void
add_ports(const json_t *service, struct str *to)
{
	const json_t *list = jsonx_at(service, "spec.ports"), *port;
	size_t i;

	json_array_foreach(list, i, port)
	    str_addf(to, "%s%d", i > 0 ? ", " : "", jsonx_count(port, "port", 0));
	if (json_array_size(list) == 0)
		str_add(to, "none");
}

static void
begin(struct str *to)
{
	if (to->length > 0)
		str_add(to, "; ");
}

/* --- the route's destinations --- */

/* The port of a backend that leads to the Service of the stable side; -1: it leads elsewhere, or
 * names none. */
static int
stable_port(const struct app *app, const json_t *backend)
{
	bool istio = app->traffic.kind == TRAFFIC_ISTIO;
	const char *name = jsonx_text_or(backend, istio ? "destination.host" : "name", "");

	if (!route_is_host(name, app->traffic.service, app->namespace))
		return -1;
	return jsonx_count(backend, istio ? "destination.port.number" : "port", -1);
}

static void
look_destinations(const struct app *app, const struct observe_objects *objects, struct str *to)
{
	const struct route_form *form = route_form(app);
	const json_t *rule, *backend;
	int told = -1;
	size_t i, j;

	if (form->rules == NULL)
		return;
	json_array_foreach(jsonx_at(objects->route, form->rules), i, rule)
	{
		json_array_foreach(json_object_get(rule, form->backends), j, backend)
		{
			int port = stable_port(app, backend);

			if (port < 0 || port == told || has_port(objects->service, port))
				continue;
			begin(to);
			str_addf(to, "%s %s leads to port %d of Service %s, which has ",
			    app_route_kind(app), app->traffic.route, port, app->traffic.service);
			add_ports(objects->service, to);
			str_add(to, ": correct one of the two");
			told = port;
		}
	}
}

/* --- what the Service leads to --- */

static bool
has_named(const json_t *containers, const char *name)
{
	const json_t *container, *port;
	size_t i, j;

	json_array_foreach(containers, i, container)
	{
		json_array_foreach(json_object_get(container, "ports"), j, port)
		{
			if (str_equal(jsonx_text(port, "name"), name))
				return true;
		}
	}
	return false;
}

/* A name that no container has gives no endpoint: the side would never get ready. */
static void
look_targets(const struct app *app, const json_t *service, const json_t *deployment, struct str *to)
{
	const json_t *pod = jsonx_at(deployment, "spec.template.spec"), *port;
	size_t i;

	if (pod == NULL)
		return;
	json_array_foreach(jsonx_at(service, "spec.ports"), i, port)
	{
		const char *name = jsonx_text(port, "targetPort");

		if (name == NULL || has_named(json_object_get(pod, "containers"), name) ||
		    has_named(json_object_get(pod, "initContainers"), name))
			continue;
		begin(to);
		str_addf(to,
		    "Service %s leads to the port named \"%s\", which no container of Deployment "
		    "%s has: name the container's port, or give targetPort its number",
		    app->traffic.service, name,
		    jsonx_text_or(deployment, "metadata.name", app->workload));
	}
}

/* --- a canary Service of the user's --- */

static void
look_canary_service(const struct app *app, const struct observe_objects *objects, struct str *to)
{
	const json_t *port;
	size_t i;

	json_array_foreach(jsonx_at(objects->service, "spec.ports"), i, port)
	{
		int number = jsonx_count(port, "port", -1);

		if (has_port(objects->canary_service, number))
			continue;
		begin(to);
		str_addf(to, "Service %s has port %d and Service %s has ", app->traffic.service,
		    number, app->traffic.canary_service);
		add_ports(objects->canary_service, to);
		str_add(to, ": give it the same, or delete it and airisd makes one");
		return;
	}
}

int
observe_check_ports(const struct app *app, const struct observe_objects *objects, struct err *e)
{
	struct str found;
	int result = 0;

	if (objects->service == NULL)
		return 0;
	str_init(&found, TEXT_BYTES);
	look_destinations(app, objects, &found);
	look_targets(app, objects->service, objects->stable, &found);
	if (app->colours)
		look_targets(app, objects->service, objects->canary, &found);
	if (!app->colours && objects->canary_service != NULL &&
	    !workload_is_ours(objects->canary_service, app->name))
		look_canary_service(app, objects, &found);
	if (found.length > 0)
		result = err_set(e, "%s", str_text(&found));
	str_done(&found);
	return result;
}
