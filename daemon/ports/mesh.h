/* The socket for the mesh: has the data plane taken this change? istiod tells, or traffic shows it.
 * Asked only while a change is not known to be taken; every ask gets one answer, in a later turn,
 * within twenty seconds. */
#ifndef PORTS_MESH_H
#define PORTS_MESH_H

#include <stdbool.h>
#include <stdint.h>
#include "model/app.h"
#include "model/mesh.h"
#include "model/share.h"

struct mesh_question {
	const struct app *app;
	enum mesh_subject subject;
	/* Wall clock: not later than a weight was sent. 0: others sent it, or a controller accepted
	 * it since. */
	int64_t since_ms;
	const char *resource_version; /* of the route as it is now; "" unknown */
	const char *rule_version;     /* of the DestinationRule; "" unknown, or there is none */
	int64_t changed_ms;	      /* wall clock: when the change was seen */
	struct share_wish wish;	      /* a weight: what traffic must show */
};

enum mesh_outcome {
	MESH_CONFIRMED, /* every proxy has acknowledged it */
	MESH_OBSERVED,	/* the canary's share of the requests shows it */
	MESH_ASSUMED,	/* asked for fifteen seconds; text names what did not confirm */
	MESH_DIFFERS,	/* the requests show another weight, as text says: ask again */
	/* Nobody answers, or has not even read it, or proxies have no istiod, or there are too few
	 * requests: not known, ask again; text says who and why. */
	MESH_UNREACHABLE
};

struct mesh_answer {
	enum mesh_outcome outcome;
	int64_t at_ms; /* wall clock: since when it is taken, at the latest */
	const char *text;
};

struct mesh_port {
	void *ctx;
	/* How this is known of this cluster's mesh; MESH_TIME: do not ask. */
	enum mesh_way (*way)(void *ctx, const char *cluster, enum mesh_subject subject);
	uint64_t (*ask)(void *ctx, const struct mesh_question *question,
	    void (*done)(void *done_ctx, uint64_t number, const struct mesh_answer *answer),
	    void *done_ctx);
	void (*cancel)(void *ctx, uint64_t number);
};

#endif
