/* Kubeconfig files: reading, merging ($KUBECONFIG, first wins) and choosing a context. Files named
 * inside are not read here, only their paths made absolute; in-cluster settings become the same. */
#ifndef CLUSTER_KUBECONFIG_H
#define CLUSTER_KUBECONFIG_H

#include <stdbool.h>
#include "base/err.h"
#include "base/map.h"

/* Text given in place, or a file to read it from. Both NULL: not given. */
struct kubeconfig_text {
	char *data;
	char *file; /* absolute */
};

struct kubeconfig_exec {
	char *command;	   /* NULL: no plugin. With a '/': absolute; else looked for in PATH */
	char **arguments;  /* NULL-terminated, without the command */
	char **variables;  /* "NAME=value", NULL-terminated */
	char *api_version; /* client.authentication.k8s.io/v1 or v1beta1 */
	char *hint;	   /* installHint or NULL */
	bool cluster_info; /* provideClusterInfo */
};

/* One cluster and one user: what a context names. */
struct kubeconfig {
	char *context, *namespace; /* never NULL; "default" */
	char *server;		   /* URL without a '/' at the end */
	char *server_name;	   /* tls-server-name or NULL */
	char *proxy;		   /* URL or NULL */
	bool insecure;
	struct kubeconfig_text ca, cert, key, token;
	char *username, *password;
	char **impersonate; /* headers "Impersonate-…: …", NULL-terminated; NULL: none */
	struct kubeconfig_exec exec;
};

/* Several files, merged as they come: the first to name a cluster, user or context wins whole. */
struct kubeconfig_set;
struct kubeconfig_set *kubeconfig_set_new(void);
void kubeconfig_set_free(struct kubeconfig_set *set);
must_check int kubeconfig_set_add(
    struct kubeconfig_set *set, const char *text, size_t length, const char *file, struct err *e);
/* context NULL: the current one. exec_allowed false: a user with a plugin is an error. *to is
 * filled on success only; release it with kubeconfig_done. */
must_check int kubeconfig_set_choose(const struct kubeconfig_set *set, const char *context,
    bool exec_allowed, struct kubeconfig *to, struct err *e);

/* files: one, or several with ':' between (then missing ones are skipped, but not all). */
must_check int kubeconfig_load(const char *files, const char *context, bool exec_allowed,
    struct kubeconfig *to, struct err *e);
/* From KUBERNETES_SERVICE_HOST and _PORT and the folder with token, ca.crt, namespace. */
must_check int kubeconfig_in_cluster(const char *folder, struct kubeconfig *to, struct err *e);
void kubeconfig_done(struct kubeconfig *config); /* wipes the secrets */

/* A whole small file (at most 1 MiB); owned by the caller. NULL: e has the path and why. */
char *kubeconfig_read_file(const char *path, size_t *length, struct err *e);

#endif
