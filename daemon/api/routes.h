/* The one table of what can be asked. It drives dispatch, 404 and 405, the limits of bodies and
 * what stands in them, who must show a token, /openapi.json, and the test that docs/rest.md names
 * everything. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "api/pending.h"
#include "base/keys.h"

/* What a request is about, as far as rights go. */
enum api_about {
	ABOUT_ANY,     /* a list of what may be seen, or nothing in particular */
	ABOUT_ALL,     /* everything */
	ABOUT_APP,     /* {app} */
	ABOUT_ROLLOUT, /* {id}: the app that it had when it was started */
	ABOUT_BODY     /* the app that the body names; the handler asks api_may_… itself */
};

enum api_made { MADE_NOTHING, MADE_MAYBE /* 201 or 200 */, MADE_ALWAYS /* 201 */ };

struct api_route {
	const char *method, *path; /* {app} or {id} stands for one part of the path */
	void (*handle)(struct call *call);
	const char *name;  /* for programs that are made from /openapi.json */
	const char *gives; /* the shape of its answer (api/shapes.h); "": 204 */
	const char *says;  /* one line for people */
	enum right right;
	enum api_about about;
	bool open;	  /* asks for no token, and for no right */
	bool here;	  /* the same of who is on this host; they show what others need not know */
	const char *acts; /* what it changes, as the audit calls it; NULL: nothing */
	const char *query;	/* names that are allowed, separated by blanks */
	size_t max_body;	/* bytes; 0: none is allowed */
	const struct key *body; /* what stands in it; NULL: nothing does, or an app */
	bool takes_app;		/* an app, as JSON or YAML */
	bool empty;		/* no body is {} */
	const char *rule;	/* JSON Schema of what the body's table cannot say */
	const char *example;	/* a body */
	const char *headers;	/* names that it looks at, separated by blanks */
	enum api_made made;	/* a thing that has an address then */
	bool tagged;		/* the answer has an ETag */
	const char *late;	/* the shape of a 503 that is no problem */
	unsigned refuses;	/* codes, as bits, besides those that follow from all this */
};
extern const struct api_route api_routes[];
extern const size_t api_route_count;

/* NULL: none; then *allow has the methods of that path ("GET, PUT"), "" if there is no such path.
 */
const struct api_route *api_route_find(
    const char *method, const char *path, char *arg, size_t size, char allow[64]);

bool api_may_route(struct call *call, const struct api_route *route);

/* Of bodies. */
extern const struct key api_start_keys[], api_command_keys[], api_promote_keys[], api_plan_keys[],
    api_preflight_keys[], api_token_keys[], api_exchange_keys[];

void api_get_openapi(struct call *call);
void api_get_version(struct call *call);
void api_get_clusters(struct call *call);
void api_get_mesh(struct call *call);
void api_get_webhooks(struct call *call);
void api_get_health(struct call *call);
void api_get_ready(struct call *call);
void api_get_metrics(struct call *call);
void api_put_app(struct call *call);
void api_list_apps(struct call *call);
void api_get_app(struct call *call);
void api_delete_app(struct call *call);
void api_list_releases(struct call *call);
void api_start_rollout(struct call *call);
void api_list_rollouts(struct call *call);
void api_get_rollout(struct call *call);
void api_get_events(struct call *call);
void api_get_audit(struct call *call);
void api_get_plan(struct call *call);
void api_make_plan(struct call *call);
void api_make_preflight(struct call *call);
void api_make_token(struct call *call);
void api_list_tokens(struct call *call);
void api_drop_token(struct call *call);
void api_exchange_token(struct call *call);
void api_give_command(struct call *call); /* the last part of the path says which */

#endif
