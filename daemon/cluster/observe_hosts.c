/* Other VirtualServices of the same host in the app's namespace. Of several for one host sidecars
 * use the oldest and nothing of the others; gateways put them together in an order that nobody
 * promises. What an exportTo hides from whom is not known here, so with one nothing is forbidden.
 */
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/observe_checks.h"
#include "cluster/route.h"

enum { TEXT_BYTES = 900 };

static const char *
text_of(const json_t *value)
{
	return json_is_string(value) ? json_string_value(value) : "";
}

/* The same host, however it is written in this namespace. */
static bool
same_host(const char *a, const char *b, const char *ns)
{
	char name[APP_NAME];

	if (strcmp(a, b) == 0)
		return true;
	str_print(name, sizeof(name), "%.*s", (int)strcspn(a, "."), a);
	return name[0] != '\0' && route_is_host(a, name, ns) && route_is_host(b, name, ns);
}

static const char *
shared_host(const json_t *ours, const json_t *theirs, const char *ns)
{
	const json_t *a, *b;
	size_t i, j;

	json_array_foreach(jsonx_at(ours, "spec.hosts"), i, a)
	{
		json_array_foreach(jsonx_at(theirs, "spec.hosts"), j, b)
		{
			if (same_host(text_of(a), text_of(b), ns))
				return text_of(a);
		}
	}
	return NULL;
}

/* "shop/edge" is "edge" in namespace shop. */
static const char *
gateway_name(const json_t *value, const char *ns)
{
	const char *name = text_of(value);
	size_t length = strlen(ns);

	return strncmp(name, ns, length) == 0 && name[length] == '/' ? name + length + 1 : name;
}

/* No gateways means the mesh. */
static bool
is_at(const json_t *route, const char *gateway, const char *ns)
{
	const json_t *list = jsonx_at(route, "spec.gateways"), *one;
	size_t i;

	if (json_array_size(list) == 0)
		return strcmp(gateway, "mesh") == 0;
	json_array_foreach(list, i, one)
	{
		if (strcmp(gateway_name(one, ns), gateway) == 0)
			return true;
	}
	return false;
}

static const char *
shared_gateway(const json_t *ours, const json_t *theirs, const char *ns)
{
	const json_t *one;
	size_t i;

	if (is_at(ours, "mesh", ns) && is_at(theirs, "mesh", ns))
		return "mesh";
	json_array_foreach(jsonx_at(ours, "spec.gateways"), i, one)
	{
		if (is_at(theirs, gateway_name(one, ns), ns))
			return gateway_name(one, ns);
	}
	return NULL;
}

/* Sidecars use theirs. Times of the API sort as text. */
static bool
loses(const json_t *ours, const json_t *theirs, const char *gateway)
{
	const char *mine = jsonx_text_or(ours, "metadata.creationTimestamp", "");
	const char *other = jsonx_text_or(theirs, "metadata.creationTimestamp", "");

	return strcmp(gateway, "mesh") == 0 && other[0] != '\0' && strcmp(other, mine) < 0 &&
	       jsonx_at(ours, "spec.exportTo") == NULL && jsonx_at(theirs, "spec.exportTo") == NULL;
}

static void
add_claim(const json_t *theirs, const char *host, const char *gateway, bool losing, struct str *to)
{
	str_addf(to, "%sVirtualService %s has host %s at gateway %s too%s",
	    to->length > 0 ? "; " : "", jsonx_text_or(theirs, "metadata.name", "?"), host, gateway,
	    losing ? " and is older, so sidecars use it and nothing of this one" : "");
}

int
observe_check_hosts(
    const struct app *app, const struct observe_objects *objects, bool losing, struct err *e)
{
	const json_t *ours = objects->route, *theirs;
	struct str found;
	int result = 0;
	size_t i;

	str_init(&found, TEXT_BYTES);
	json_array_foreach(objects->routes, i, theirs)
	{
		const char *host = shared_host(ours, theirs, app->namespace);
		const char *gateway = shared_gateway(ours, theirs, app->namespace);

		if (host != NULL && gateway != NULL && loses(ours, theirs, gateway) == losing)
			add_claim(theirs, host, gateway, losing, &found);
	}
	if (found.length > 0)
		result = err_set(
		    e, "%s: put the rules into one, or take the host out of one", str_text(&found));
	str_done(&found);
	return result;
}
