/* What the mesh needs of other rooms goes through here, with the cluster's name. */
#include "wire_mesh.h"

#include <stdlib.h>
#include <string.h>
#include "base/map.h"
#include "base/str.h"
#include "cluster/istiod.h"
#include "mesh/mesh.h"

#define QUERY_MS 5000

struct look { /* a query of the mesh under way at gates */
	struct wire_mesh *mesh;
	void (*done)(void *ctx, uint64_t number, const struct mesh_page *page);
	void *ctx;
};

struct part {
	struct wire_mesh *mesh;
	const char *name; /* the settings' */
	struct cluster *cluster;
	struct istiod *istiod;
};

struct wire_mesh {
	struct mesh *mesh;
	struct gates *gates;
	struct map *looks; /* number of a query -> look */
	struct part parts[SETTINGS_CLUSTERS];
	int count;
};

static struct part *
find(struct wire_mesh *mesh, const char *name)
{
	for (int i = 0; i < mesh->count; i++)
		if (strcmp(mesh->parts[i].name, name) == 0)
			return &mesh->parts[i];
	return NULL;
}

/* --- what the mesh needs ------------------------------------------------------------------------
 */

static void
ask_token(void *ctx, const char *cluster, const char *service_account)
{
	istiod_token(find(ctx, cluster)->istiod, service_account);
}

static void
ask_where(void *ctx, const char *cluster)
{
	istiod_find(find(ctx, cluster)->istiod);
}

static bool
ask_addresses(void *ctx, const struct app *app, bool canary,
    void (*each)(void *each_ctx, const char *address), void *each_ctx)
{
	return cluster_addresses(find(ctx, app->cluster)->cluster, app, canary, each, each_ctx);
}

static void
on_answer(void *ctx, uint64_t number, const struct gates_answer *answer)
{
	struct look *look = ctx;
	struct mesh_page page = {.status = answer->status,
	    .body = answer->body,
	    .length = answer->length,
	    .error = answer->error};
	map_remove_number(look->mesh->looks, number);
	look->done(look->ctx, number, &page);
	free(look);
}

static uint64_t
ask_source(void *ctx, const char *source, const char *query,
    void (*done)(void *done_ctx, uint64_t number, const struct mesh_page *page), void *done_ctx)
{
	struct wire_mesh *mesh = ctx;
	struct look *look = mem_alloc(sizeof(*look));
	*look = (struct look){.mesh = mesh, .done = done, .ctx = done_ctx};
	uint64_t number = gates_query(mesh->gates, source, query, QUERY_MS, on_answer, look);
	map_set_number(mesh->looks, number, look);
	return number;
}

static void
cancel_source(void *ctx, uint64_t number)
{
	struct wire_mesh *mesh = ctx;
	gates_query_cancel(mesh->gates, number);
	free(map_remove_number(mesh->looks, number));
}

static void
on_found(void *ctx, const char *const *addresses, int count, const char *error)
{
	struct part *part = ctx;
	mesh_found(part->mesh->mesh, part->name, addresses, count, error);
}

static void
on_token(void *ctx, const char *token, int64_t expires_ms, const char *error)
{
	struct part *part = ctx;
	mesh_token(part->mesh->mesh, part->name, token, expires_ms, error);
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static struct mesh_cluster
cluster_of(const struct settings_cluster *from)
{
	const struct settings_istiod *istiod = &from->istiod;
	struct mesh_cluster to = {.name = from->name,
	    .discover = istiod->discover,
	    .source = from->observe[0] ? from->observe : NULL,
	    .token_file = istiod->token_file[0] ? istiod->token_file : NULL,
	    .service_account = istiod->service_account[0] ? istiod->service_account : NULL};
	while (to.url_count < SETTINGS_ISTIODS && istiod->urls[to.url_count].url[0] != '\0') {
		to.urls[to.url_count] = istiod->urls[to.url_count].url;
		to.url_count++;
	}
	return to;
}

struct wire_mesh *
wire_mesh_new(struct loop *loop, const struct settings *settings, struct gates *gates,
    struct cluster *const *clusters, int count)
{
	struct wire_mesh *mesh = mem_alloc(sizeof(*mesh));
	struct mesh_cluster meshes[SETTINGS_CLUSTERS];
	struct mesh_needs needs = {.ctx = mesh,
	    .token = ask_token,
	    .find = ask_where,
	    .addresses = ask_addresses,
	    .query = ask_source,
	    .cancel_query = cancel_source};
	mesh->gates = gates;
	mesh->looks = map_new();
	for (int i = 0; i < count; i++) {
		struct part *part = &mesh->parts[i];
		struct istiod_events events = {.ctx = part, .found = on_found, .token = on_token};
		*part = (struct part){
		    .mesh = mesh, .name = settings->clusters[i].name, .cluster = clusters[i]};
		part->istiod = istiod_new(cluster_kube(clusters[i]), &events);
		meshes[i] = cluster_of(&settings->clusters[i]);
	}
	mesh->count = count;
	mesh->mesh = mesh_new(loop, meshes, count, &needs);
	mesh_look(mesh->mesh);
	return mesh;
}

void
wire_mesh_free(struct wire_mesh *mesh)
{
	if (mesh == NULL)
		return;
	mesh_free(mesh->mesh); /* cancels its queries */
	map_free(mesh->looks, free);
	for (int i = 0; i < mesh->count; i++)
		istiod_free(mesh->parts[i].istiod);
	free(mesh);
}

struct mesh_port
wire_mesh_port(struct wire_mesh *mesh)
{
	return mesh_port(mesh->mesh);
}

/* --- for people ---------------------------------------------------------------------------------
 */

static char *
advice_for_time(const char *settle)
{
	return str_format(
	    "istiod is not asked, so a change counts as taken after mesh.settle (%s). Set "
	    "clusters[].istiod in airisd.yaml: discover: true where pod addresses can be reached, "
	    "else urls (a port-forward of istiod's port 15014 will do, without a token); and "
	    "serviceAccount or tokenFile. Where that cannot be, clusters[].observe: a source of "
	    "prometheus that has the mesh's requests",
	    settle);
}

static char *
advice_for_traffic(const char *settle)
{
	return str_format(
	    "Weights are looked for in the requests that were counted; all else, and weights that "
	    "too few requests show, count as taken after mesh.settle (%s). It needs two samples "
	    "after a change within that time, so a scrape interval of a third of it or less, and "
	    "all requests to both sides by the routes that airisd writes: others look like a mesh "
	    "that is late. istiod knows better where it can be asked: clusters[].istiod",
	    settle);
}

static json_t *
part_json(const struct wire_mesh *mesh, const struct part *part, const char *settle)
{
	static const char *const names[] = {
	    [MESH_TIME] = "time", [MESH_ISTIOD] = "istiod", [MESH_TRAFFIC] = "traffic"};
	struct mesh_port port = mesh_port(mesh->mesh);
	enum mesh_way way = port.way(port.ctx, part->name, MESH_WEIGHT);
	json_t *json = mesh_status(mesh->mesh, part->name);
	char *advice = way == MESH_TIME	     ? advice_for_time(settle)
		       : way == MESH_TRAFFIC ? advice_for_traffic(settle)
					     : str_format("%s", "");
	if (json == NULL)
		json = json_pack("{s:[], s:n, s:s, s:s, s:b, s:b}", "istiods", "traffic", "error",
		    "", "assumed", "", "token", false, "looking", false);
	json_object_set_new(json, "name", json_string(part->name));
	json_object_set_new(json, "how", json_string(names[way]));
	json_object_set_new(json, "settle", json_string(settle));
	json_object_set_new(json, "advice", json_string(advice));
	free(advice);
	return json;
}

json_t *
wire_mesh_json(struct wire_mesh *mesh, int64_t settle_ms)
{
	json_t *list = json_array();
	char settle[32];
	str_duration_text(settle_ms, settle, sizeof(settle));
	mesh_look(mesh->mesh);
	for (int i = 0; i < mesh->count; i++)
		json_array_append_new(list, part_json(mesh, &mesh->parts[i], settle));
	return json_pack("{s:o}", "clusters", list);
}

uint64_t
wire_mesh_requests(const struct wire_mesh *mesh)
{
	return mesh_requests(mesh->mesh);
}
