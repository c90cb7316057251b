/* simctl: see simctl.h. */
#include "simctl.h"

#include "faults.h"
#include "gateway.h"
#include "istiod.h"
#include "jx.h"
#include "reqlog.h"
#include "watch.h"

#include <string.h>

static int
show_state(struct reply *r)
{
	json_t *objects = json_object();

	for (int i = 0; i < K_COUNT; i++) {
		size_t n;

		store_all(&kinds[i], &n);
		jx_set_int(objects, kinds[i].plural, (int64_t)n);
	}
	r->code = 200;
	r->body = json_pack("{s:I, s:I, s:o}", "resourceVersion", (json_int_t)store_rv(), "watches",
	    (json_int_t)watch_count(), "objects", objects);
	return 0;
}

void
simctl_handle(struct req *q, struct reply *r)
{
	bool get = strcmp(q->method, "GET") == 0, post = strcmp(q->method, "POST") == 0;

	if (strcmp(q->path, "/sim/faults") == 0 && get)
		faults_list(r);
	else if (strcmp(q->path, "/sim/faults") == 0 && post)
		faults_add(q, r);
	else if (strcmp(q->path, "/sim/faults") == 0 && strcmp(q->method, "DELETE") == 0)
		faults_clear(r);
	else if (strcmp(q->path, "/sim/requests") == 0 && get)
		reqlog_show(r);
	else if (strcmp(q->path, "/sim/requests/reset") == 0 && post)
		reqlog_reset(r);
	else if (strcmp(q->path, "/sim/state") == 0 && get)
		show_state(r);
	else if (strcmp(q->path, "/sim/mesh") == 0 && get)
		istiod_show(r);
	else if (strcmp(q->path, "/sim/mesh") == 0 && post)
		istiod_control(q, r);
	else if (strcmp(q->path, "/sim/gateway") == 0 && get)
		gateway_show(r);
	else if (strcmp(q->path, "/sim/gateway") == 0 && post)
		gateway_control(q, r);
	else
		fail(r, 404, "NotFound",
		    "nothing here; there is GET, POST and DELETE /sim/faults, GET /sim/requests, "
		    "POST /sim/requests/reset, GET and POST /sim/mesh, GET and POST /sim/gateway, "
		    "and GET /sim/state",
		    NULL);
}
