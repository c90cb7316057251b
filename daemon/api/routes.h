/* The one table of what can be asked. It drives dispatch, 404 and 405, the limits of bodies, who
 * must show a token, and the test that docs/rest.md names everything. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "api/pending.h"

/* What a request is about, as far as rights go. */
enum api_about {
	ABOUT_ANY,     /* a list of what may be seen, or nothing in particular */
	ABOUT_ALL,     /* everything */
	ABOUT_APP,     /* {app} */
	ABOUT_ROLLOUT, /* {id}: the app that it had when it was started */
	ABOUT_BODY     /* the app that the body names; the handler asks api_may_… itself */
};

struct api_route {
	const char *method, *path; /* {app} or {id} stands for one part of the path */
	void (*handle)(struct call *call);
	enum right right;
	enum api_about about;
	bool open;	  /* asks for no token, and for no right */
	bool here;	  /* the same of who is on this host; they show what others need not know */
	const char *acts; /* what it changes, as the audit calls it; NULL: nothing */
	const char *query; /* names that are allowed, separated by blanks */
	size_t max_body;   /* bytes; 0: none is allowed */
};
extern const struct api_route api_routes[];
extern const size_t api_route_count;

/* NULL: none; then *allow has the methods of that path ("GET, PUT"), "" if there is no such path.
 */
const struct api_route *api_route_find(
    const char *method, const char *path, char *arg, size_t size, char allow[64]);

bool api_may_route(struct call *call, const struct api_route *route);

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
