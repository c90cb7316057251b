/* istiod: the mesh's control plane as it was measured (-mesh istiod). It waits for a quiet moment
 * (-debounce-after) and at most -debounce-max, then one push carries everything written until
 * then, to every proxy. It can be down or hang: then nothing is pushed, and its webhook refuses
 * every write of an Istio object. Under the big lock, like everything. */
#ifndef SIM_ISTIOD_H
#define SIM_ISTIOD_H

#include "api.h"
#include "map.h"
#include "util.h"

struct istiod_settings {
	bool on;
	uint64_t after_ms, max_ms;
	size_t proxies;
	const char *token; /* that /debug/… must be asked with; NULL: none */
	double rps;
};

enum istiod_state { ISTIOD_UP, ISTIOD_HUNG, ISTIOD_DOWN };
enum { CLUSTERS, ENDPOINTS, ROUTES, RESOURCES }; /* what a push carries, in this order */
enum { ALL_RESOURCES = (1 << RESOURCES) - 1 };

void istiod_init(const struct istiod_settings *s);
bool istiod_on(void);
enum istiod_state istiod_state(void);
const struct istiod_settings *istiod_settings(void);
/* What it knows of a kind, "namespace/name" -> json_t. */
const struct map *istiod_known(enum kind_id kind);
/* What its /metrics say: pushes begun, and what came in. */
void istiod_counters(struct buf *out);

/* What becomes of this request by the webhook: ISTIOD_UP: nothing. */
enum istiod_state istiod_webhook(const struct req *q);
/* GET and POST /sim/mesh. */
void istiod_show(struct reply *r);
void istiod_control(struct req *q, struct reply *r);

/* istiodz.c: its pages, on a port of their own. */
int istiodz_start(int *port); /* 0, or -1 with a line on stderr */
void istiodz_stop(void);
void istiodz_wake(void);     /* those who wait for a hung istiod look again */
json_t *istiodz_asked(void); /* how often which page was asked for; new reference */

#endif
