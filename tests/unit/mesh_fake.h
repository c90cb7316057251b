/* istiods that are made up, and a mesh that asks them: for the tests of the mesh room. */
#ifndef TESTS_UNIT_MESH_FAKE_H
#define TESTS_UNIT_MESH_FAKE_H

#include "test_http_lab.h"
#include <stdio.h>
#include "base/jsonx.h"
#include "mesh/mesh.h"

#define UUID "10cbbb73-9380-4dc5-a38b-6d6e5b0de6fa"
#define TYPE "type.googleapis.com/envoy.config."

struct proxy {
	const char *name;
	int push, acked; /* of routes */
	int64_t sent_ms;
};

struct fake { /* an istiod */
	struct httpd *httpd;
	int port;
	char url[64];
	int version, pushes, updates;
	double started;
	struct proxy proxies[3];
	bool has_endpoint, dead, hangs;
	const char *wants; /* a token; NULL: none */
	int requests, forbidden;
};

static struct fake fakes[2];
static struct mesh *mesh;
static struct app app;

static struct answered {
	int count;
	uint64_t number;
	enum mesh_outcome outcome;
	char text[300];
} answered;

/* --- istiod -------------------------------------------------------------------------------------
 */

static json_t *
proxy_json(const struct proxy *proxy)
{
	char sent[80], acked[80], at[40];
	str_print(sent, sizeof(sent), "2026-11-23T04:28:58Z/%d" UUID, proxy->push);
	str_print(acked, sizeof(acked), "2026-11-23T04:28:58Z/%d" UUID, proxy->acked);
	str_time_text(proxy->sent_ms, at, sizeof(at));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:{s:s}}}", "proxy", proxy->name,
	    "cluster_sent", sent, "cluster_acked", acked, "endpoint_sent", sent, "endpoint_acked",
	    acked, "route_sent", sent, "route_acked", acked, "resources",
	    TYPE "route.v3.RouteConfiguration", "sentTime", at);
}

static json_t *
page_of(const struct fake *fake, const char *path)
{
	char version[16];
	str_print(version, sizeof(version), "%d", fake->version);
	if (str_equal(path, "/debug/configz"))
		return json_pack("[{s:s, s:{s:s, s:s, s:s}}]", "kind", "VirtualService", "metadata",
		    "namespace", "shop", "name", "web", "resourceVersion", version);
	if (str_equal(path, "/debug/endpointShardz"))
		return fake->has_endpoint
			   ? json_pack("{s:{s:{s:{s:[{s:[s]}]}}}}",
				 "web-canary.shop.svc.cluster.local", "shop", "Shards",
				 "Kubernetes/Kubernetes", "Addresses", "10.0.0.7")
			   : json_object();
	json_t *list = json_array();
	for (int i = 0; i < 3 && fake->proxies[i].name != NULL; i++)
		json_array_append_new(list, proxy_json(&fake->proxies[i]));
	return list;
}

static bool
is_forbidden(struct fake *fake, struct httpd_request *request)
{
	const char *path = httpd_path(request);
	char wanted[64];
	assert_null(strstr(path, "config_dump"));
	if (fake->wants == NULL || str_equal(path, "/metrics"))
		return false;
	str_print(wanted, sizeof(wanted), "Bearer %s", fake->wants);
	return !str_equal(httpd_header(request, "authorization"), wanted);
}

static void
serve(void *ctx, struct httpd_request *request)
{
	struct fake *fake = ctx;
	uint64_t number = httpd_number(request);
	fake->requests++;
	if (fake->hangs)
		return;
	if (fake->dead || is_forbidden(fake, request)) {
		fake->forbidden += !fake->dead;
		httpd_answer(
		    fake->httpd, number, fake->dead ? 503 : 401, "text/plain", NULL, "", 0);
		return;
	}
	char *text;
	if (str_equal(httpd_path(request), "/metrics"))
		text = str_format("pilot_pushcontext_init_seconds_count %d\n"
				  "pilot_inbound_updates{type=\"config\"} %d\n"
				  "process_start_time_seconds %f\n",
		    fake->pushes, fake->updates, fake->started);
	else {
		json_t *page = page_of(fake, httpd_path(request));
		text = jsonx_dump(page);
		json_decref(page);
	}
	httpd_answer(fake->httpd, number, 200, "application/json", NULL, text, strlen(text));
	free(text);
}

static void
gone(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
}

/* All proxies are sent a new push, and acknowledge it. */
static void
push(struct fake *fake)
{
	fake->pushes++;
	for (int i = 0; i < 3; i++) {
		fake->proxies[i].push = fake->proxies[i].acked = fake->pushes;
		fake->proxies[i].sent_ms = clock_wall_ms();
	}
}

/* --- what the mesh needs ------------------------------------------------------------------------
 */

static struct needs {
	int tokens, finds;
	const char *token;
	bool addresses_known;
} needs;

static void
need_token(void *ctx, const char *cluster, const char *service_account)
{
	(void)ctx;
	assert_string_equal(cluster, "default");
	assert_string_equal(service_account, "airisd-mesh");
	needs.tokens++;
}

static void
need_find(void *ctx, const char *cluster)
{
	(void)ctx;
	assert_string_equal(cluster, "default");
	needs.finds++;
}

static bool
need_addresses(void *ctx, const struct app *of, bool canary,
    void (*each)(void *each_ctx, const char *address), void *each_ctx)
{
	(void)ctx;
	assert_string_equal(of->name, "web");
	assert_true(canary);
	if (needs.addresses_known)
		each(each_ctx, "10.0.0.7");
	return needs.addresses_known;
}

static void
done(void *ctx, uint64_t number, const struct mesh_answer *answer)
{
	assert_ptr_equal(ctx, &answered);
	answered.count++;
	answered.number = number;
	answered.outcome = answer->outcome;
	str_copy(answered.text, sizeof(answered.text), answer->text);
}

static bool
is_answered(void *ctx)
{
	return answered.count >= *(int *)ctx;
}

static void
open_with(struct mesh_cluster cluster)
{
	struct mesh_needs mesh_needs = {
	    .token = need_token, .find = need_find, .addresses = need_addresses};
	struct mesh_cluster none = {.name = "elsewhere"};
	struct mesh_cluster both[] = {cluster, none};
	both[0].name = "default";
	mesh = mesh_new(lab.loop, both, 2, &mesh_needs);
}

static int
setup(void **state)
{
	struct httpd_limits limits = {0};
	struct err e;
	(void)state;
	lab_open();
	answered = (struct answered){0};
	needs = (struct needs){.addresses_known = true};
	memset(fakes, 0, sizeof(fakes));
	for (int i = 0; i < 2; i++) {
		struct fake *fake = &fakes[i];
		*fake = (struct fake){
		    .version = 7, .pushes = 3, .started = (double)clock_wall_ms() / 1000 - 600};
		fake->proxies[0].name = i == 0 ? "web-1.shop" : "web-2.shop";
		push(fake);
		fake->proxies[0].sent_ms -= 60000;
		fake->httpd = httpd_new(lab.loop, &limits, serve, gone, fake);
		assert_int_equal(httpd_listen_tcp(fake->httpd, "127.0.0.1:0", &fake->port, &e), 0);
		str_print(fake->url, sizeof(fake->url), "http://127.0.0.1:%d", fake->port);
	}
	app = (struct app){0};
	str_copy(app.name, sizeof(app.name), "web");
	str_copy(app.namespace, sizeof(app.namespace), "shop");
	str_copy(app.cluster, sizeof(app.cluster), "default");
	str_copy(app.traffic.route, sizeof(app.traffic.route), "web");
	str_copy(app.traffic.service, sizeof(app.traffic.service), "web");
	str_copy(app.traffic.canary_service, sizeof(app.traffic.canary_service), "web-canary");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mesh_free(mesh);
	mesh = NULL;
	for (int i = 0; i < 2; i++)
		httpd_free(fakes[i].httpd);
	lab_close();
	return 0;
}

static uint64_t
ask_of(enum mesh_subject subject, const char *version)
{
	struct mesh_question question = {.app = &app,
	    .subject = subject,
	    .since_ms = subject == MESH_WEIGHT ? clock_wall_ms() : 0,
	    .resource_version = version,
	    .rule_version = ""};
	struct mesh_port port = mesh_port(mesh);
	assert_int_equal(port.way(port.ctx, "default", MESH_CANARY), MESH_ISTIOD);
	return port.ask(port.ctx, &question, done, &answered);
}

static void
must_answer(enum mesh_outcome outcome, const char *part)
{
	int count = answered.count + 1;
	assert_true(lab_until(is_answered, &count));
	assert_int_equal(answered.outcome, outcome);
	if (strstr(answered.text, part) == NULL)
		fail_msg("no \"%s\" in \"%s\"", part, answered.text);
}

static void
must_be_silent(int64_t ms)
{
	int count = answered.count;
	lab_for(ms);
	assert_int_equal(answered.count, count);
}

#endif
