/* The meshes of all clusters: their istiods, tokens, and the questions that are open. */
#include "mesh/mesh.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "mesh/ask.h"
#include "mesh/traffic.h"

#define CLUSTERS_MAX 16
#define CONNECTIONS 8
#define FIND_AGAIN_MS 30000
#define TOKEN_RENEW_MS 300000 /* before it expires */
#define TOKEN_AGAIN_MS 5000
#define PATIENCE_MS 15000
#define LOOK_AGAIN_MS 1000

struct open_ask {
	struct ask *ask;	 /* NULL: it is to traffic */
	struct traffic *traffic; /* NULL: it is to istiod */
	uint64_t number;
	struct open_ask *next;
};

struct mesh {
	struct loop *loop;
	struct httpc_pool *pool;
	struct mesh_needs needs;
	struct cluster_mesh clusters[CLUSTERS_MAX];
	int count;
	struct open_ask *open, *ended;
	struct loop_timer *reaper;
	uint64_t last, requests;
};

void
mesh_count_request(struct mesh *mesh)
{
	mesh->requests++;
}

static struct cluster_mesh *
find_cluster(const struct mesh *mesh, const char *name)
{
	for (int i = 0; i < mesh->count; i++)
		if (strcmp(mesh->clusters[i].name, name) == 0)
			return (struct cluster_mesh *)&mesh->clusters[i];
	return NULL;
}

/* --- tokens and places ---------------------------------------------------------------------------
 */

static void
read_token_file(struct cluster_mesh *cluster)
{
	char text[sizeof(cluster->token)];
	int fd = open(cluster->token_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (length <= 0) {
		str_print(cluster->error, sizeof(cluster->error), "token file %s cannot be read",
		    cluster->token_file);
		return;
	}
	text[length] = '\0';
	text[strcspn(text, " \r\n\t")] = '\0';
	str_copy(cluster->token, sizeof(cluster->token), text);
	mem_wipe(text, sizeof(text));
}

/* Short-lived and renewed; an old one goes on until there is a new one. */
static void
keep_token(struct cluster_mesh *cluster)
{
	int64_t now_ms = clock_wall_ms();
	bool fresh = cluster->token[0] != '\0' && now_ms < cluster->token_until_ms - TOKEN_RENEW_MS;
	if (cluster->token_file[0] != '\0') {
		read_token_file(cluster);
		return;
	}
	if (cluster->service_account[0] == '\0' || fresh ||
	    now_ms < cluster->token_asked_ms + TOKEN_AGAIN_MS)
		return;
	cluster->token_asked_ms = now_ms;
	cluster->mesh->needs.token(
	    cluster->mesh->needs.ctx, cluster->name, cluster->service_account);
}

static void
keep_places(struct cluster_mesh *cluster)
{
	int64_t now_ms = clock_wall_ms();
	int64_t again = cluster->found ? FIND_AGAIN_MS : 1000;
	if (!cluster->discover || now_ms < cluster->found_asked_ms + again)
		return;
	cluster->found_asked_ms = now_ms;
	cluster->mesh->needs.find(cluster->mesh->needs.ctx, cluster->name);
}

void
mesh_token(
    struct mesh *mesh, const char *name, const char *token, int64_t expires_ms, const char *error)
{
	struct cluster_mesh *cluster = find_cluster(mesh, name);
	if (cluster == NULL)
		return;
	if (token == NULL) {
		str_print(cluster->error, sizeof(cluster->error), "no token: %s", error);
		return;
	}
	cluster->error[0] = '\0';
	cluster->token_until_ms = expires_ms;
	str_copy(cluster->token, sizeof(cluster->token), token);
}

static void
url_of(const char *address, char *to, size_t size)
{
	bool v6 = strchr(address, ':') != NULL;
	str_print(to, size, v6 ? "http://[%s]:15014" : "http://%s:15014", address);
}

static bool
has_place(const struct cluster_mesh *cluster, const char *url)
{
	for (int i = 0; i < cluster->place_count; i++)
		if (strcmp(cluster->places[i].url, url) == 0)
			return true;
	return false;
}

static bool
is_among(const struct istiod_place *place, const char *const *addresses, int count)
{
	char url[sizeof(place->url)];
	bool found = false;
	for (int i = 0; i < count && !found; i++) {
		url_of(addresses[i], url, sizeof(url));
		found = strcmp(place->url, url) == 0;
	}
	return found;
}

/* Those that went take their proxies with them; those that stay keep what is known of them. */
static void
change_places(struct cluster_mesh *cluster, const char *const *addresses, int count)
{
	int kept = 0;
	for (int i = 0; i < cluster->place_count; i++) {
		struct istiod_place *place = &cluster->places[i];
		if (is_among(place, addresses, count)) {
			cluster->places[kept++] = *place;
			continue;
		}
		mesh_place_lost(cluster, place, clock_wall_ms());
	}
	cluster->place_count = kept;
	for (int i = 0; i < count && cluster->place_count < MESH_ISTIODS; i++) {
		struct istiod_place *place = &cluster->places[cluster->place_count];
		*place = (struct istiod_place){.pushes = -1};
		url_of(addresses[i], place->url, sizeof(place->url));
		if (!has_place(cluster, place->url))
			cluster->place_count++;
	}
}

static bool
is_new_set(const struct cluster_mesh *cluster, const char *const *addresses, int count)
{
	int same = 0;
	for (int i = 0; i < cluster->place_count; i++)
		same += is_among(&cluster->places[i], addresses, count);
	return same != cluster->place_count || same != count;
}

/* Questions that are open are begun anew: they point to places. */
void
mesh_found(
    struct mesh *mesh, const char *name, const char *const *addresses, int count, const char *error)
{
	struct cluster_mesh *cluster = find_cluster(mesh, name);
	if (cluster == NULL || !cluster->discover)
		return;
	str_copy(cluster->error, sizeof(cluster->error), error ? error : "");
	if (error != NULL)
		return;
	cluster->found = count > 0;
	count = count < MESH_ISTIODS ? count : MESH_ISTIODS;
	if (count == 0)
		str_copy(cluster->error, sizeof(cluster->error),
		    "Service istiod in istio-system has no ready endpoint");
	if (!is_new_set(cluster, addresses, count))
		return;
	for (struct open_ask *open = mesh->open; open != NULL; open = open->next)
		if (open->ask != NULL && mesh_ask_cluster(open->ask) == cluster)
			mesh_ask_stop(open->ask);
	change_places(cluster, addresses, count);
	for (struct open_ask *open = mesh->open; open != NULL; open = open->next)
		if (open->ask != NULL && mesh_ask_cluster(open->ask) == cluster)
			mesh_ask_start(open->ask);
}

/* --- the port -----------------------------------------------------------------------------------
 */

static void
reap(void *ctx)
{
	struct mesh *mesh = ctx;
	while (mesh->ended != NULL) {
		struct open_ask *ended = mesh->ended;
		mesh->ended = ended->next;
		if (ended->ask != NULL)
			mesh_ask_free(ended->ask);
		traffic_free(ended->traffic);
		free(ended);
	}
}

static void
end(struct mesh *mesh, struct open_ask **at)
{
	struct open_ask *open = *at;
	*at = open->next;
	open->next = mesh->ended;
	mesh->ended = open;
	loop_timer_set(mesh->reaper, 0);
}

static void
on_number(void *ctx, uint64_t number)
{
	struct mesh *mesh = ctx;
	for (struct open_ask **at = &mesh->open; *at != NULL; at = &(*at)->next)
		if ((*at)->number == number) {
			end(mesh, at);
			return;
		}
}

static void
on_ended(void *ctx, struct ask *ask)
{
	on_number(ctx, mesh_ask_number(ask));
}

/* Requests show weights alone: they do not tell which endpoints or routes a proxy knows. */
static enum mesh_way
port_way(void *ctx, const char *name, enum mesh_subject subject)
{
	const struct cluster_mesh *cluster = find_cluster(ctx, name);
	if (cluster == NULL)
		return MESH_TIME;
	if (cluster->source[0] == '\0')
		return MESH_ISTIOD;
	return subject == MESH_WEIGHT ? MESH_TRAFFIC : MESH_TIME;
}

static void
ask_istiod(struct open_ask *open, struct cluster_mesh *cluster,
    const struct mesh_question *question, const struct ask_done *done)
{
	struct mesh *mesh = cluster->mesh;
	keep_token(cluster);
	keep_places(cluster);
	cluster->looked_ms = clock_wall_ms();
	open->ask = mesh_ask_new(cluster, mesh->pool, mesh->loop, &mesh->needs, question,
	    open->number, done, on_ended, mesh);
}

static void
open_one(struct mesh *mesh, struct cluster_mesh *cluster, const struct mesh_question *question,
    const struct ask_done *done)
{
	struct open_ask *open = mem_alloc(sizeof(*open));
	open->number = ++mesh->last;
	if (cluster->source[0] != '\0')
		open->traffic = traffic_new(cluster, mesh->loop, &mesh->needs, question,
		    open->number, done, on_number, mesh);
	else
		ask_istiod(open, cluster, question, done);
	open->next = mesh->open;
	mesh->open = open;
}

static uint64_t
port_ask(void *ctx, const struct mesh_question *question,
    void (*done)(void *done_ctx, uint64_t number, const struct mesh_answer *answer), void *done_ctx)
{
	struct mesh *mesh = ctx;
	struct ask_done answer = {.done = done, .ctx = done_ctx};
	open_one(mesh, find_cluster(mesh, question->app->cluster), question, &answer);
	return mesh->last;
}

void
mesh_look(struct mesh *mesh)
{
	struct ask_done nobody = {0};
	for (int i = 0; i < mesh->count; i++)
		if (mesh->clusters[i].source[0] == '\0' &&
		    clock_wall_ms() - mesh->clusters[i].looked_ms >= LOOK_AGAIN_MS)
			open_one(mesh, &mesh->clusters[i], NULL, &nobody);
}

static void
port_cancel(void *ctx, uint64_t number)
{
	on_number(ctx, number);
}

struct mesh_port
mesh_port(struct mesh *mesh)
{
	return (struct mesh_port){
	    .ctx = mesh, .way = port_way, .ask = port_ask, .cancel = port_cancel};
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static void
add_cluster(struct mesh *mesh, const struct mesh_cluster *from)
{
	struct cluster_mesh *cluster = &mesh->clusters[mesh->count];
	bool istiod = from->url_count > 0 || from->discover;
	if (mesh->count == CLUSTERS_MAX || (!istiod && from->source == NULL))
		return;
	mesh->count++;
	*cluster =
	    (struct cluster_mesh){.mesh = mesh, .discover = from->discover && from->url_count == 0};
	str_copy(cluster->name, sizeof(cluster->name), from->name);
	cluster->patience_ms = from->patience_ms > 0 ? from->patience_ms : PATIENCE_MS;
	cluster->orphans = map_new();
	cluster->suspects = map_new();
	if (!istiod)
		str_copy(cluster->source, sizeof(cluster->source), from->source);
	str_copy(cluster->token_file, sizeof(cluster->token_file),
	    from->token_file ? from->token_file : "");
	str_copy(cluster->service_account, sizeof(cluster->service_account),
	    from->service_account ? from->service_account : "");
	for (int i = 0; i < from->url_count && i < MESH_ISTIODS; i++) {
		struct istiod_place *place = &cluster->places[cluster->place_count++];
		*place = (struct istiod_place){.pushes = -1};
		str_copy(place->url, sizeof(place->url), from->urls[i]);
	}
}

struct mesh *
mesh_new(struct loop *loop, const struct mesh_cluster *clusters, int count,
    const struct mesh_needs *needs)
{
	struct mesh *mesh = mem_alloc(sizeof(*mesh));
	mesh->loop = loop;
	mesh->needs = *needs;
	mesh->pool = httpc_pool_new(loop, CONNECTIONS);
	mesh->reaper = loop_timer_new(loop, reap, mesh);
	for (int i = 0; i < count; i++)
		add_cluster(mesh, &clusters[i]);
	return mesh;
}

void
mesh_free(struct mesh *mesh)
{
	if (mesh == NULL)
		return;
	while (mesh->open != NULL)
		end(mesh, &mesh->open);
	reap(mesh);
	loop_timer_free(mesh->reaper);
	httpc_pool_free(mesh->pool);
	for (int i = 0; i < mesh->count; i++) {
		struct cluster_mesh *cluster = &mesh->clusters[i];
		mem_wipe(cluster->token, sizeof(cluster->token));
		for (int j = 0; j < cluster->place_count; j++)
			mesh_place_done(&cluster->places[j]);
		map_free(cluster->orphans, free);
		map_free(cluster->suspects, free);
	}
	free(mesh);
}

uint64_t
mesh_requests(const struct mesh *mesh)
{
	return mesh->requests;
}

static json_t *
place_json(const struct istiod_place *place)
{
	return json_pack("{s:s, s:i, s:i, s:I, s:s, s:s, s:I}", "url", place->url, "proxies",
	    place->proxies, "waiting", place->waiting, "lastPush", (json_int_t)place->pushes,
	    "unconfirmed", place->unconfirmed, "error", place->error, "answered_ms",
	    (json_int_t)place->answered_ms);
}

static bool
is_asked(const struct mesh *mesh, const struct cluster_mesh *cluster)
{
	for (const struct open_ask *open = mesh->open; open != NULL; open = open->next)
		if (open->ask != NULL && mesh_ask_cluster(open->ask) == cluster)
			return true;
	return false;
}

static json_t *
traffic_json(const struct cluster_mesh *cluster)
{
	const struct traffic_seen *seen = &cluster->seen;
	if (cluster->source[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:I, s:s, s:s}", "source", cluster->source, "looked_ms",
	    (json_int_t)seen->looked_ms, "verdict", seen->verdict, "seen", seen->text);
}

json_t *
mesh_status(const struct mesh *mesh, const char *name)
{
	const struct cluster_mesh *cluster = find_cluster(mesh, name);
	if (cluster == NULL)
		return NULL;
	json_t *places = json_array();
	for (int j = 0; j < cluster->place_count; j++)
		json_array_append_new(places, place_json(&cluster->places[j]));
	return json_pack("{s:o, s:o, s:s, s:s, s:b, s:b}", "istiods", places, "traffic",
	    traffic_json(cluster), "error", cluster->error, "assumed", cluster->assumed, "token",
	    cluster->token[0] != '\0', "looking", is_asked(mesh, cluster));
}
