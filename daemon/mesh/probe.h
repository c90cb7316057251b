/* One istiod's part of a question: which page is read next, and what it says. Inside of mesh. */
#ifndef MESH_PROBE_H
#define MESH_PROBE_H

#include "mesh/ask.h"

enum page { PAGE_CONFIGZ, PAGE_SHARDZ, PAGE_METRICS, PAGE_SYNCZ };

struct ask_about { /* what is asked */
	struct cluster_mesh *cluster;
	const struct mesh_needs *needs;
	bool look;	 /* nothing: only to show people */
	struct app *app; /* shared; NULL: look */
	enum mesh_subject subject;
	int64_t since_ms, begun_ms;
	bool by_push; /* a weight of ours: a push that began after it must be acknowledged */
	char version[64], rule_version[64];
};

struct probe {
	const struct ask_about *about;
	struct istiod_place *place;
	bool known, done;
	bool young;    /* nobody knows yet which proxies it will have */
	bool counted;  /* the counters were read since it is known */
	bool soon;     /* it was known before any push could have it */
	int64_t after; /* the push must be newer than this */
	double updates, pushes;
	int64_t still_since_ms;
	int64_t took_ms; /* reading the last page */
	enum page page;
	char names[160]; /* of proxies that have not confirmed */
};

void mesh_probe_begin(
    struct probe *probe, const struct ask_about *about, struct istiod_place *place);
const char *mesh_probe_page(const struct probe *probe);
/* Reads what the page said. done may be true then, or page the next one. */
void mesh_probe_read(struct probe *probe, const char *body, size_t length);
/* Until the next page is worth a request. */
int64_t mesh_probe_pause_ms(const struct probe *probe);

#endif
