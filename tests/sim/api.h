/* api: from a request's path, parameters and body to an answer, with no HTTP in it. */
#ifndef SIM_API_H
#define SIM_API_H

#include "status.h"
#include "store.h"

enum verb { V_GET, V_LIST, V_WATCH, V_CREATE, V_UPDATE, V_PATCH, V_DELETE, V_DELETE_ALL, V_OTHER };

struct param {
	char *key, *value;
};

struct req {
	char *method, *path;
	struct param *params;
	size_t nparams;
	char *body;
	size_t len;
	char *content_type, *user_agent, *impersonate, *authorization, *accept;
	/* where it leads, filled by api_route */
	const struct kind *kind;
	char version[32], ns[128], name[256], sub[64];
	enum verb verb;
	char manager[128]; /* the parameter fieldManager, else the user agent's first word */
	bool dry;
};

const char *req_param(const struct req *q, const char *key); /* NULL if absent */
const char *verb_name(enum verb v);
/* Finds kind, names and verb; -1 if no resource is named (discovery and the like). */
int api_route(struct req *q);
/* Answers. The caller holds the big lock. */
void api_handle(struct req *q, struct reply *r);

/* Each of these answers one verb: 0, or -1 with an error in the reply. */
int api_get(struct req *q, struct reply *r);
int api_list(struct req *q, struct reply *r);
int api_create(struct req *q, struct reply *r);
int api_update(struct req *q, struct reply *r);
int api_patch(struct req *q, struct reply *r);
int api_delete(struct req *q, struct reply *r);
int api_delete_all(struct req *q, struct reply *r);
int api_discovery(struct req *q, struct reply *r);
int api_openapi(struct req *q, struct reply *r);
int api_scale(struct req *q, struct reply *r);

/* A stored tree as this request's version shows it. New reference. */
json_t *api_view(const struct req *q, json_t *stored);
/* Finds the request's object or answers 404. */
struct obj *api_object(struct req *q, struct reply *r);
/* Reads the body as a JSON object (or array where allowed) or answers 400. New reference. */
json_t *api_body(struct req *q, struct reply *r, bool array);

/* Checks and stores a changed tree (taken over) of cur, and answers with it. how is "Update"
 * or "Apply"; applied is the applied set of an Apply, else NULL. */
int api_store(struct req *q, struct reply *r, struct obj *cur, json_t *next, const char *how,
    json_t *applied);
/* Checks and stores a new object (taken over) and answers 201. */
int api_store_new(struct req *q, struct reply *r, json_t *next, const char *how, json_t *applied);

#endif
