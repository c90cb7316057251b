/* What the data plane is known to have taken. A write into the API is a wish; each subject below
 * has a time of its last change, and a fact that says since when, and how, the mesh is known to
 * have taken that change. Without a mesh that can be asked a change counts as taken after
 * mesh.settle: assumed. */
#ifndef MODEL_MESH_H
#define MODEL_MESH_H

#include <stdbool.h>
#include <stdint.h>

enum mesh_subject {
	MESH_WEIGHT,  /* the route's weights */
	MESH_ROUTING, /* the structure: Service, subsets, what the route names */
	MESH_CANARY,  /* the canary's ready endpoints */
	MESH_STABLE,  /* the stable side's */
	MESH_SUBJECTS
};

struct mesh_fact {
	int64_t of_ms;	   /* the change it is about; another than the last one: not known yet */
	int64_t at_ms;	   /* since when it is taken */
	char known[16];	   /* "confirmed" (istiod), "observed" (traffic), "assumed" (time) */
	char missing[200]; /* assumed though asked: what did not confirm */
};

/* How asking goes, for people and for decide. */
struct mesh_asking {
	bool asks;		       /* the mesh can be asked: time alone is no answer */
	char text[MESH_SUBJECTS][200]; /* while unanswered: what it says; "" nothing yet */
};

/* It is in the route: with the Gateway API its controllers accept it first. */
bool mesh_in_route(enum mesh_subject subject);
const char *mesh_subject_name(enum mesh_subject subject);
enum mesh_subject mesh_subject_of(const char *name); /* MESH_SUBJECTS: no such */

#endif
