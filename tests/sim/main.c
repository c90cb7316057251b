/* airis-sim: a Kubernetes cluster with a mesh and its clients, simulated in one process that is
 * known by HTTP alone. It stands where a real control plane (kubelab) would stand in a test:
 * same use, same image tags, same annotations, same metrics.
 *
 *	airis-sim -dir DIR [-ready-after 300ms] [-mesh-delay 500ms] [-rps 100] [-seed 1]
 *	          [-accept-delay 100ms] [-port N] [-metrics-port N] [-tls] [-token T]
 *	          [-history 5000] [-bookmark 60s] [-world=false] [-reporters destination]
 *	airis-sim -dir DIR -mesh istiod [-debounce-after 100ms] [-debounce-max 10s] [-proxies 2]
 *	          [-istiod-port N] [-istiod-token T] …
 *
 * It stays in the foreground, writes DIR/kubeconfig, DIR/apiserver.pid and DIR/ready (with
 * KUBECONFIG=, METRICS=, APISERVER= and, with -mesh istiod, ISTIOD=), and ends cleanly on
 * SIGTERM or SIGINT.
 *
 * The mesh is late in one of two ways. -mesh kubelab, the default: each object counts some time
 * after its change (mesh.h). -mesh istiod: as measured on a real one (istiod.h, proxies.h):
 * debounced pushes that carry everything, to several proxies, with warming; with istiod's pages
 * /debug/configz, /debug/syncz, /debug/endpointShardz and /metrics on the port ISTIOD. Told by
 *
 *	GET /sim/mesh         its state, its proxies, and how often which page was asked for
 *	POST /sim/mesh        any of {"istiod": "up" | "hung" | "down", "churn_ms": 50,
 *	                      "late_ms": 5, "warming_ms": 15, "stopped": [names],
 *	                      "scoped": [names]}
 *	  istiod              down or hung: nothing is pushed, and its webhook refuses every
 *	                      write of an Istio object, at once or after 10 s
 *	  churn_ms            another Service changes so often; 0: it does not
 *	  late_ms             each of clusters, endpoints, routes reaches a proxy after 1 … so many
 *	  warming_ms          a new cluster serves 2 … so many later
 *	  stopped             these proxies do nothing and acknowledge nothing
 *	  scoped              these are never sent anything (their Sidecar leaves it out)
 *
 * HTTPRoutes (gateway.h) are accepted by a controller that is late by -accept-delay; the mesh takes
 * what was accepted. Told by
 *
 *	GET /sim/gateway      whether it is there, its name, and how late it is
 *	POST /sim/gateway     any of {"controller": "up" | "down", "accept_delay_ms": 100}
 *
 * Served: namespaces, nodes, pods, services, events, configmaps, resourcequotas (only
 * spec.hard.pods counts), deployments, replicasets, statefulsets, daemonsets,
 * controllerrevisions, jobs, poddisruptionbudgets (their status; there is no eviction), HPAs,
 * scaledobjects (keda.c), endpointslices, leases, virtualservices, destinationrules, httproutes,
 * selfsubjectaccessreviews; and only stored: cronjobs, networkpolicies, persistentvolumeclaims,
 * storageclasses, peerauthentications.
 *
 * Pods, by their image's tag: -nopull -crash -never -slow -flap -nosched -errN -latN; of a Job,
 * -fail alone. Annotations: pod lab/ready-after, pod lab/rps (capacity), Service lab/rps (traffic
 * without a route), VirtualService and HTTPRoute lab/headers, and, only here, their lab/rps
 * (traffic instead of -rps; 0: none), HPA lab/hpa-desired (what it would scale to), and
 *ScaledObject lab/active ("false": its triggers have nothing to do).
 *
 * -reporters: who counts in istio_requests_total, the pods that answered (reporter="destination"),
 * the proxies that sent (source), or both.
 *
 * Faults, on the API's port, without a token:
 *
 *	POST /sim/faults      one rule or a list: {"match": {…}, "count": 3 | "percent": 20,
 *	                      "effect": {…}}; without count and percent it befalls every request
 *	  match: verb         get list watch create update patch delete deletecollection, read,
 *	                      write, or a method such as PATCH
 *	         path         a regular expression (POSIX extended), anywhere in the path
 *	         kind         Deployment or deployments
 *	         namespace    of the path;  user_agent: a part of it
 *	  effect: latency_ms  before the request is looked at; goes with any other
 *	          status      answered instead, with retry_after (seconds) if given; after: true
 *	                      means that the request takes effect all the same
 *	          drop        the connection is closed; nothing took effect
 *	          drop_after  the request takes effect, its answer is lost
 *	          conflict    409, as if the object had been modified
 *	          webhook_refuses  500 "failed calling webhook" for writes of Istio objects
 *	          cut_watches, mute_watches   now, the open watches that match: cut off, or left
 *	                      open and silent for ever
 *	          expire_history   now: every resourceVersion so far is too old (410)
 *	          denied      403 with this text, and a selfsubjectaccessreview of such a request
 *	                      is not allowed, with this as its reason ("": none)
 *	          quota       number of pods that match.namespace may have (FailedCreate beyond)
 *	GET /sim/faults       the rules, with hits and what is left of the count
 *	DELETE /sim/faults    none any more
 *	GET /sim/requests     counts by verb, kind and user agent, and the last 1000 requests, each
 *	                      with the user it was sent as (Impersonate-User)
 *	POST /sim/requests/reset
 *	GET /sim/state        resourceVersion, open watches, objects by kind */
#include "files.h"
#include "http.h"
#include "istiod.h"
#include "measure.h"
#include "plan.h"
#include "store.h"
#include "util.h"
#include "watch.h"
#include "world.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct options {
	char *dir;
	int64_t ready_after, mesh_delay, accept_delay, bookmark;
	double rps;
	long long seed, history;
	const char *token;
	bool tls, no_world;
	struct http_settings http;
	struct istiod_settings istiod;
	int64_t debounce_after, debounce_max;
	int istiod_port;
};

static const char help[] =
    "usage: airis-sim -dir DIR [options]\n"
    "A Kubernetes cluster with a mesh and its clients, simulated. Foreground; SIGTERM ends it.\n"
    "  -dir DIR           where kubeconfig, apiserver.pid and ready are written (made if missing)\n"
    "  -ready-after 300ms how long a pod takes to be ready\n"
    "  -mesh-delay 500ms  how late routing changes reach the mesh\n"
    "  -mesh kubelab      or istiod: debounced pushes to -proxies 2, warming, istiod's pages;\n"
    "                     -debounce-after 100ms -debounce-max 10s -istiod-port N -istiod-token T\n"
    "                     told by GET and POST /sim/mesh\n"
    "  -reporters destination  or source, or both: who counts in istio_requests_total\n"
    "  -accept-delay 100ms how late the Gateway's controller accepts an HTTPRoute;\n"
    "                     told by GET and POST /sim/gateway\n"
    "  -rps 100           requests per second for each route\n"
    "  -seed 1            random seed\n"
    "  -world=false       controllers only: no nodes' life, no mesh, no traffic\n"
    "  -port N            of the API server; a free one if not given\n"
    "  -metrics-port N    of /metrics; a free one if not given\n"
    "  -tls               HTTPS with a certificate of its own (DIR/apiserver.crt)\n"
    "  -token T           a bearer token that every request must carry\n"
    "  -history 5000      changes of each kind that watches can go back\n"
    "  -bookmark 60s      how often a watch gets a bookmark\n"
    "Faults on demand: POST, GET, DELETE /sim/faults on the API's port, a JSON rule or list:\n"
    "  {\"match\": {verb, path, kind, namespace, user_agent}, \"count\": N or \"percent\": P,\n"
    "   \"effect\": {latency_ms, status, retry_after, after, drop, drop_after, conflict,\n"
    "              webhook_refuses, denied, cut_watches, mute_watches, expire_history,\n"
    "              quota}}\n"
    "Requests seen: GET /sim/requests, POST /sim/requests/reset; objects: GET /sim/state.\n"
    "The top of tests/sim/main.c says what each of these means.\n";

static int
bad(const char *flag, const char *value, const char *allowed)
{
	fprintf(stderr, "airis-sim: %s: \"%s\" is not %s\n", flag, value, allowed);
	return -1;
}

static int
read_duration(const char *flag, const char *value, int64_t *out)
{
	int64_t ms = duration_ms(value);

	if (ms < 0)
		return bad(flag, value, "a duration such as 300ms or 2s");
	*out = ms;
	return 0;
}

static int
read_number(const char *flag, const char *value, double most, double *out)
{
	char *end;
	double v = strtod(value, &end);

	if (end == value || *end != '\0' || !(v >= 0) || v > most)
		return bad(flag, value, "a number in range");
	*out = v;
	return 0;
}

/* The options of -mesh istiod. 1: it is none of them. */
static int
read_mesh(struct options *o, const char *flag, const char *value)
{
	double v = 0;

	if (strcmp(flag, "-mesh") == 0) {
		o->istiod.on = strcmp(value, "istiod") == 0;
		return o->istiod.on || strcmp(value, "kubelab") == 0
			   ? 0
			   : bad(flag, value, "kubelab or istiod");
	}
	if (strcmp(flag, "-debounce-after") == 0)
		return read_duration(flag, value, &o->debounce_after);
	if (strcmp(flag, "-debounce-max") == 0)
		return read_duration(flag, value, &o->debounce_max);
	if (strcmp(flag, "-istiod-token") == 0) {
		o->istiod.token = value;
		return 0;
	}
	if (strcmp(flag, "-istiod-port") == 0) {
		int rc = read_number(flag, value, 65535, &v);

		o->istiod_port = (int)v;
		return rc;
	}
	if (strcmp(flag, "-proxies") != 0)
		return 1;
	if (read_number(flag, value, 16, &v) < 0)
		return -1;
	o->istiod.proxies = (size_t)v;
	return 0;
}

static int
read_value(struct options *o, const char *flag, const char *value)
{
	double v = 0;
	int rc = read_mesh(o, flag, value);

	if (rc <= 0)
		return rc;

	if (strcmp(flag, "-ready-after") == 0)
		return read_duration(flag, value, &o->ready_after);
	if (strcmp(flag, "-mesh-delay") == 0)
		return read_duration(flag, value, &o->mesh_delay);
	if (strcmp(flag, "-accept-delay") == 0)
		return read_duration(flag, value, &o->accept_delay);
	if (strcmp(flag, "-bookmark") == 0)
		return read_duration(flag, value, &o->bookmark);
	if (strcmp(flag, "-rps") == 0)
		return read_number(flag, value, 1e6, &o->rps);
	if (strcmp(flag, "-reporters") == 0)
		return measure_reporters(value) ? 0
						: bad(flag, value, "destination, source or both");
	if (strcmp(flag, "-dir") == 0) {
		free(o->dir);
		o->dir = xdup(value);
	} else if (strcmp(flag, "-crds") == 0) {
		return 0; /* kubelab's; here they are built in */
	} else if (strcmp(flag, "-world") == 0) {
		o->no_world = strcmp(value, "false") == 0;
	} else if (strcmp(flag, "-token") == 0) {
		o->token = value;
	} else if (strcmp(flag, "-seed") == 0) {
		o->seed = strtoll(value, NULL, 10);
	} else if (strcmp(flag, "-history") == 0) {
		if (read_number(flag, value, 1e6, &v) < 0)
			return -1;
		if (v < 1)
			return bad(flag, value, "at least 1");
		o->history = (long long)v;
	} else if (strcmp(flag, "-port") == 0 || strcmp(flag, "-metrics-port") == 0) {
		if (read_number(flag, value, 65535, &v) < 0)
			return -1;
		*(flag[1] == 'p' ? &o->http.port : &o->http.metrics_port) = (int)v;
	} else {
		fprintf(stderr, "airis-sim: there is no option %s; see --help\n", flag);
		return -1;
	}
	return 0;
}

/* Options come as -name value or -name=value, with one dash or two. */
static int
read_options(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *flag = xdup(argv[i][0] == '-' && argv[i][1] == '-' ? argv[i] + 1 : argv[i]);
		char *eq = strchr(flag, '=');
		int rc = 0;

		if (strcmp(flag, "-help") == 0 || strcmp(flag, "-h") == 0) {
			fputs(help, stdout);
			exit(0);
		}
		if (strcmp(flag, "-tls") == 0) {
			o->tls = true;
		} else if (eq != NULL) {
			*eq = '\0';
			rc = read_value(o, flag, argv[i] + (eq - flag) + 1 + (argv[i][1] == '-'));
		} else if (i + 1 < argc) {
			rc = read_value(o, flag, argv[++i]);
		} else {
			fprintf(stderr, "airis-sim: %s needs a value; see --help\n", flag);
			rc = -1;
		}
		free(flag);
		if (rc < 0)
			return -1;
	}
	if (o->dir == NULL) {
		fputs("airis-sim: -dir is required; see --help\n", stderr);
		return -1;
	}
	return 0;
}

static int
make_dir(struct options *o)
{
	char *full;

	if (mkdir(o->dir, 0755) < 0 && errno != EEXIST) {
		fprintf(stderr, "airis-sim: cannot make %s: %s\n", o->dir, strerror(errno));
		return -1;
	}
	full = realpath(o->dir, NULL);
	if (full == NULL) {
		perror("airis-sim: -dir");
		return -1;
	}
	free(o->dir);
	o->dir = full;
	files_remove(o->dir);
	return 0;
}

static void
wait_for_end(const sigset_t *set)
{
	int sig;

	while (sigwait(set, &sig) != 0)
		;
}

static int
run(struct options *o)
{
	struct world_settings w = {(uint64_t)o->ready_after, (uint64_t)o->mesh_delay,
	    (uint64_t)o->accept_delay, o->rps, !o->no_world, o->istiod};
	struct files files = {.token = o->token};
	sigset_t set;

	w.istiod.after_ms = (uint64_t)o->debounce_after;
	w.istiod.max_ms = (uint64_t)o->debounce_max;
	w.istiod.rps = o->rps;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	rnd_seed((uint64_t)o->seed);
	if (o->tls && tls_make(&o->http.cert, &o->http.key) < 0) {
		fputs("airis-sim: no certificate could be made\n", stderr);
		return 1;
	}
	o->http.token = o->token;
	store_init((size_t)o->history);
	plan_start();
	big_lock();
	world_init(&w);
	watch_init((uint64_t)o->bookmark);
	big_unlock();
	if (http_start(&o->http) < 0 || (istiod_on() && istiodz_start(&o->istiod_port) < 0))
		return 1;
	files.port = o->http.port;
	files.metrics_port = o->http.metrics_port;
	files.istiod_port = istiod_on() ? o->istiod_port : 0;
	files.cert = o->http.cert;
	if (files_write(o->dir, &files) == 0)
		wait_for_end(&set);
	files_remove(o->dir);
	istiodz_stop();
	http_stop();
	plan_stop();
	store_free();
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o = {.ready_after = 300,
	    .mesh_delay = 500,
	    .accept_delay = 100,
	    .bookmark = 60000,
	    .rps = 100,
	    .debounce_after = 100,
	    .debounce_max = 10000,
	    .istiod = {.proxies = 2},
	    .seed = 1,
	    .history = 5000};
	int rc;

	rc = read_options(&o, argc, argv) < 0 || make_dir(&o) < 0 ? 2 : run(&o);
	free(o.dir);
	free(o.http.cert);
	free(o.http.key);
	return rc;
}
