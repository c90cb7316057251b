/* Is it alive, is it of use, and what does it do: for probes and for Prometheus. */
#include "api/render.h"
#include "api/routes.h"
#include "base/jsonx.h"
#include "base/version.h"

void
api_get_version(struct call *call)
{
	api_answer(call->api, call->number, 200, json_pack("{s:s}", "version", version_text()));
}

void
api_get_health(struct call *call)
{
	api_answer_text(call->api, call->number, "text/plain; charset=utf-8", "ok\n");
}

/* Ready is who can write down what it is told. A cluster or a source that is away is told, too, but
 * rollouts wait for it by themselves. */
static bool
can_write(const struct api *api, struct err *why)
{
	const char *degraded;
	if (api->ports.store != NULL && !api->ports.store(api->ports.ctx, why))
		return false;
	if (!engine_degraded(api->engine, &degraded))
		return true;
	err_set(why, "%s", degraded);
	return false;
}

static json_t *
list_of(const struct api *api, json_t *(*list)(void *ctx))
{
	json_t *json = list == NULL ? NULL : list(api->ports.ctx);
	return json == NULL ? json_array() : json;
}

void
api_get_ready(struct call *call)
{
	struct api *api = call->api;
	struct err why = {"ok"};
	bool ready = can_write(api, &why);
	api_answer(api, call->number, ready ? 200 : 503,
	    json_pack("{s:b, s:o, s:o, s:o}", "ready", ready, "store",
		api_text_json(ready ? "ok" : why.text), "clusters",
		list_of(api, api->ports.clusters), "sources", list_of(api, api->ports.sources)));
}

void
api_get_clusters(struct call *call)
{
	api_answer(call->api, call->number, 200,
	    json_pack("{s:o}", "clusters", list_of(call->api, call->api->ports.clusters)));
}

void
api_get_mesh(struct call *call)
{
	const struct api_ports *ports = &call->api->ports;
	json_t *mesh = ports->mesh == NULL ? NULL : ports->mesh(ports->ctx);
	api_answer(
	    call->api, call->number, 200, mesh != NULL ? mesh : json_pack("{s:[]}", "clusters"));
}

void
api_get_webhooks(struct call *call)
{
	const struct api_ports *ports = &call->api->ports;
	json_t *hooks = ports->webhooks == NULL ? NULL : ports->webhooks(ports->ctx);
	api_answer(
	    call->api, call->number, 200, hooks != NULL ? hooks : json_pack("{s:[]}", "webhooks"));
}

void
api_get_metrics(struct call *call)
{
	struct api *api = call->api;
	struct str text;
	str_init(&text, 0);
	if (api->ports.metrics != NULL)
		api->ports.metrics(api->ports.ctx, &text);
	api_answer_text(
	    api, call->number, "text/plain; version=0.0.4; charset=utf-8", str_text(&text));
	str_done(&text);
}
