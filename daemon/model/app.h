/* App: one thing that is released, as its owner wrote it: workload, traffic, strategy, gates and
 * what to do when things go wrong. Plain data, checked once by app_parse; nothing in it comes from
 * the cluster. Strings are bounded by what Kubernetes allows, lists are as long as they have to be.
 * It never changes once it is parsed, so whoever needs it for longer shares it. */
#ifndef MODEL_APP_H
#define MODEL_APP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "model/app_strategy.h"

/* Weights in a VirtualService or an HTTPRoute; or a Service's selector, which chooses a side; or
 * nothing is steered: there is one side only. */
enum traffic_kind { TRAFFIC_ISTIO, TRAFFIC_GATEWAY, TRAFFIC_SERVICE, TRAFFIC_NONE };
enum traffic_mode { TRAFFIC_HOST, TRAFFIC_SUBSET };
enum edit_policy { EDIT_HOLD, EDIT_REPAIR, EDIT_ABORT };	  /* a foreign edit was seen */
enum start_policy { START_QUEUE, START_REFUSE, START_SUPERSEDE }; /* a second start came */
enum deadline_policy { DEADLINE_PAUSE, DEADLINE_ABORT };
enum compare { COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE, COMPARE_EQ, COMPARE_NE };
enum reduce { REDUCE_NONE, REDUCE_MIN, REDUCE_MAX, REDUCE_SUM, REDUCE_AVG };

struct gate_spec {
	char name[APP_LABEL];
	char source[APP_LABEL]; /* a data source of the daemon's settings; "default" when not given
				 */
	char *query;		/* PromQL with {{variables}} */
	enum compare compare;	/* passes when value COMPARE limit */
	double limit;
	enum reduce reduce;  /* several series where one is expected; NONE: an error */
	bool empty_passes;   /* explicit `empty: pass` */
	char *samples_query; /* NULL: none. Its value under samples_min is too_few */
	double samples_min;
	int64_t every_ms, window_ms, warmup_ms;
	int64_t deadline_ms; /* after the hold is over, how long to wait for a pass */
	enum deadline_policy on_deadline;
	int failures;	  /* failing measurements a stage allows; one more aborts */
	int measurements; /* passing measurements in a row that a stage needs, >= 1 */
};

struct traffic_spec {
	enum traffic_kind kind;
	char route[APP_NAME]; /* the VirtualService or HTTPRoute */
	/* Names of its rules, owned, at most APP_ROUTES; none: the only one that fits. */
	char (*rules)[APP_LABEL];
	int rule_count;
	enum traffic_mode mode;
	/* The stable host's Service; default: the workload's name. Where nothing is steered: whose
	 * endpoints count as ready; "": ready pods count. */
	char service[APP_NAME];
	/* Host mode; default SERVICE-canary. Of a Service's switch: its preview, SERVICE-preview.
	 */
	char canary_service[APP_NAME];
	char destination_rule[APP_NAME]; /* subset mode; default: the service's name */
	char stable_subset[APP_LABEL], canary_subset[APP_LABEL]; /* default stable, canary */
	char label[APP_NAME]; /* subset mode: the pod label that tells sides apart, default "track"
			       */
};

enum workload_kind { WORKLOAD_DEPLOYMENT, WORKLOAD_STATEFULSET, WORKLOAD_DAEMONSET };

struct strategy; /* model/strategy.h */

struct app {
	char name[APP_LABEL], namespace[APP_LABEL], cluster[APP_LABEL];
	enum workload_kind kind; /* all but a Deployment can only roll */
	char workload[APP_NAME]; /* the stable side's Deployment */
	char canary[APP_NAME];	 /* WORKLOAD-canary; of two colours the idle one; "" if it rolls */
	bool colours; /* both sides stay; which one serves is seen in the cluster, so that */
	bool sided;   /* workload and canary are these two only when a rollout has begun */
	struct colours_spec pair; /* if colours */
	bool rolls; /* one workload takes the release in batches: there is no canary */
	struct rolling_spec batch; /* if it rolls */
	char container[APP_LABEL]; /* "" : the first */
	struct traffic_spec traffic;
	const struct strategy *strategy;
	struct canary_spec plan; /* weights, or batches, and their conditions */
	struct gate_spec *gates; /* owned; at most APP_GATES */
	int gate_count;
	enum edit_policy on_edit;
	enum start_policy on_start;
	bool self_approval;  /* who started a rollout may approve it, too */
	int64_t rollback_ms; /* undo to what ran within that time does not wait for verdicts */
	int64_t deadline_ms; /* a stage that makes no progress for so long aborts; default 10m */
	int64_t steady_ms;   /* ready for so long before it gets more traffic; default 3s */
	int64_t drain_ms;    /* after weight 0 was taken; default 30s */
	int abort_capacity;  /* percent of its size that carries everything in an abort; default 50
			      */
	json_t *spec;	     /* as the user wrote it, owned */
	int shares;	     /* how many hold it besides the first */
};

/* All errors are added to errors with their paths; NULL if there is one. The app is the caller's.
 */
struct app *app_parse(const json_t *spec, struct errlist *errors);
/* One more holder of the same app; each gives it back with app_free, the last one frees it. */
struct app *app_share(const struct app *app);
/* The same app, of two colours, for a rollout that began with these sides; or one more holder. */
struct app *app_with_sides(const struct app *app, const char *stable, const char *canary);
/* The app, which has no sides yet, gets these; by weights with the Service of each. */
void app_take_sides(struct app *app, const char *stable, const char *canary);
/* Every Deployment that can be a side of it. */
#define APP_WORKLOADS 3
int app_workloads(const struct app *app, const char *names[APP_WORKLOADS]);
void app_free(struct app *app);
/* A canary: percent of its size that the stable side keeps when the canary has that weight. */
int app_keeps(const struct app *app, int weight);
/* Every key that an App may have, a line each: path, type, default, help. Owned by the caller. */
char *app_reference(void);
const char *app_workload_kind(const struct app *app); /* "Deployment", … */
const char *app_route_kind(const struct app *app);    /* "VirtualService", "HTTPRoute", "Service" */
/* "traffic.istio.NAME"; name NULL: that of the route; "" : of the whole. */
void app_traffic_key(const struct app *app, const char *name, char *to, size_t size);
/* The table that all of this comes from (base/keys.h), for who writes documents. */
struct key;
const struct key *app_table(void);

#endif
