/* world: what moves by itself: controllers, nodes, the mesh and its clients. All of it runs
 * under the big lock, on changes and on due times; nothing looks through everything. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "istiod.h"
#include "status.h"
#include "store.h"
#include "util.h"

struct world_settings {
	uint64_t ready_after_ms, mesh_delay_ms, accept_delay_ms;
	double rps;
	bool alive;		       /* nodes, mesh and traffic are modelled */
	struct istiod_settings istiod; /* on: instead of the late mesh */
};

void world_init(const struct world_settings *s);
/* Prometheus text of everything measured. */
void world_metrics(struct buf *out);
/* Makes the namespace if there is none. */
void world_namespace(const char *ns);
/* Admission of a new object: 0, or -1 with an error in the reply. */
int world_admit(const struct kind *k, const char *ns, const json_t *next, struct reply *r);
/* Whether one more pod fits the namespace's quota; if not, *why is a new text. */
bool world_quota(const char *ns, char **why);

/* Helpers of the controllers. */
/* Metadata of a new object: name, namespace, uid, times. New reference. */
json_t *world_metadata(const char *ns, const char *name);
/* The ownerReferences that make o the controller. New reference. */
json_t *world_owned_by(const struct obj *o);
/* Adds 1 to metadata.generation of an owned tree. */
void world_bump(json_t *root);
/* An Event about an object; type "Normal" or "Warning". Only the newest 2000 are kept. */
void world_event(
    struct obj *o, const char *type, const char *reason, const char *source, const char *message);

/* The rooms of the world, each started once. */
void pods_init(uint64_t ready_after_ms);
void sets_init(void);
void deploys_init(void);
void statefuls_init(void);
void daemons_init(void);
void jobs_init(void);
void budgets_init(void);
void slices_init(void);
void scalers_init(void);
void keda_init(void);
void ends_init(uint64_t delay_ms);
void mesh_init(uint64_t delay_ms, double rps);
void traffic_init(void);

#endif
