/* The socket for the mesh: has the data plane taken this change? Asked only while a change is not
 * known to be taken; every ask gets one answer, in a later turn, within twenty seconds. */
#ifndef PORTS_MESH_H
#define PORTS_MESH_H

#include <stdbool.h>
#include <stdint.h>
#include "model/app.h"
#include "model/mesh.h"

struct mesh_question {
	const struct app *app;
	enum mesh_subject subject;
	/* Wall clock: not later than a weight was sent. 0: others sent it, or a controller accepted
	 * it since. */
	int64_t since_ms;
	const char *resource_version; /* of the route as it is now; "" unknown */
	const char *rule_version;     /* of the DestinationRule; "" unknown, or there is none */
};

enum mesh_outcome {
	MESH_CONFIRMED, /* every proxy has acknowledged it */
	MESH_ASSUMED,	/* asked for fifteen seconds; text names what did not confirm */
	/* Nobody answers, or has not even read it, or proxies have no istiod: not known, ask again;
	 * text says who and why. */
	MESH_UNREACHABLE
};

struct mesh_answer {
	enum mesh_outcome outcome;
	int64_t at_ms; /* wall clock: since when it is taken, at the latest */
	const char *text;
};

struct mesh_port {
	void *ctx;
	bool (*asks)(void *ctx, const char *cluster); /* this cluster's mesh can be asked */
	uint64_t (*ask)(void *ctx, const struct mesh_question *question,
	    void (*done)(void *done_ctx, uint64_t number, const struct mesh_answer *answer),
	    void *done_ctx);
	void (*cancel)(void *ctx, uint64_t number);
};

#endif
