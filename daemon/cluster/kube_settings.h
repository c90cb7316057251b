/* How to reach one cluster and how much to ask of it. Zero or NULL: the default in brackets. */
#ifndef CLUSTER_KUBE_SETTINGS_H
#define CLUSTER_KUBE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct kube_settings {		/* strings are copied */
	const char *name;	/* the cluster's name in texts and logs ["cluster"] */
	const char *kubeconfig; /* file, or several with ':' [KUBECONFIG, then ~/.kube/config] */
	const char *context;	/* [the file's current-context] */
	bool in_cluster;	/* the pod's service account and no kubeconfig */
	const char
	    *service_account; /* its folder [/var/run/secrets/kubernetes.io/serviceaccount] */
	bool exec_allowed;    /* a kubeconfig may name a program that gives credentials */
	bool no_http2;
	double qps;	/* normal lane: requests per second [20] ... */
	int burst;	/* ... and at once [40] */
	int concurrent; /* normal requests under way [8]; urgent ones have 4 of their own */
	int64_t request_timeout_ms; /* one attempt [10 s] */
	int64_t deadline_ms;	    /* a call with its waits and attempts [30 s] */
	int64_t idle_ms;	    /* a watch silent for so long is begun again [45 s] */
	int64_t probe_ms;   /* from one probe of the server to the next [10 s]; they take at most a
			       quarter */
	int64_t grace_ms;   /* a watch that was cut may take so long to be back [5 s] */
	int64_t linger_ms;  /* a cache nobody wants any more is kept for [60 s] */
	int64_t absent_ms;  /* an optional kind that there is none of is looked for again [5 min] */
	int64_t backoff_ms; /* first wait after a failure [800 ms]; at most 30 s */
};

#endif
