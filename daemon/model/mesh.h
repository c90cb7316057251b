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

enum mesh_way {	      /* how it is known of a subject what was taken */
	MESH_TIME,    /* nobody can be asked: it counts as taken after mesh.settle */
	MESH_ISTIOD,  /* istiod tells: time alone is no answer */
	MESH_TRAFFIC, /* requests show it, if there are enough of them; else as by time */
};

struct mesh_fact {
	int64_t of_ms;	   /* the change it is about; another than the last one: not known yet */
	int64_t at_ms;	   /* since when it is taken */
	char known[16];	   /* "confirmed" (istiod), "observed" (traffic), "assumed" (time) */
	char missing[200]; /* assumed though asked: what did not confirm, or what traffic showed */
};

/* How asking goes, for people and for decide. */
struct mesh_asking {
	enum mesh_way way[MESH_SUBJECTS];
	bool differs[MESH_SUBJECTS];   /* the last look at traffic showed something else */
	char text[MESH_SUBJECTS][200]; /* while unanswered: what it says; "" nothing yet */
	int64_t heard_ms;	       /* when an istiod last answered anything; 0: it has not */
	int64_t back_ms; /* airisd began anew then, and what it had seen is lost; 0: it did not */
};

/* It is in the route: with the Gateway API its controllers accept it first. */
bool mesh_in_route(enum mesh_subject subject);
const char *mesh_subject_name(enum mesh_subject subject);
enum mesh_subject mesh_subject_of(const char *name); /* MESH_SUBJECTS: no such */

/* asking NULL: MESH_TIME */
enum mesh_way mesh_way(const struct mesh_asking *asking, enum mesh_subject subject);
/* Proxies are told of pods that come and go: an istiod that can be asked was there a moment ago.
 * Where none can be asked it is not known, and counts as so. */
bool mesh_is_heard(const struct mesh_asking *asking, int64_t now_ms);
/* When a change that counts from from_ms is assumed to be taken, if nothing else tells; 0: never.
 * Traffic that shows something else puts it off, but not for ever: a share can be off by requests
 * that come by other routes. So does, for a moment, a new beginning, until it was looked at. */
int64_t mesh_assumed_ms(const struct mesh_asking *asking, enum mesh_subject subject,
    int64_t from_ms, int64_t settle_ms);

#endif
