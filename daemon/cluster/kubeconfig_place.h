/* Inside the room kubeconfig only: a JSON value with the place it came from, and getters that say
 * the place when the type is wrong. */
#ifndef CLUSTER_KUBECONFIG_PLACE_H
#define CLUSTER_KUBECONFIG_PLACE_H

#include <jansson.h>
#include "base/yaml.h"
#include "cluster/kubeconfig.h"

struct kubeconfig_source {
	char *file;   /* as it was given */
	char *folder; /* relative paths start here */
	struct yaml_lines *lines;
	struct kubeconfig_source *next;
};

struct kubeconfig_place {
	const struct kubeconfig_source *source;
	json_t *value; /* borrowed; an object */
	char path[96]; /* "users[1].user" */
};

enum kubeconfig_section { KUBECONFIG_CLUSTERS, KUBECONFIG_USERS, KUBECONFIG_CONTEXTS };

/* The named entry's inner object. -1: e says which names there are. */
must_check int kubeconfig_find(const struct kubeconfig_set *set, enum kubeconfig_section section,
    const char *name, struct kubeconfig_place *to, struct err *e);
const char *kubeconfig_current(const struct kubeconfig_set *set); /* "" : none */

/* Puts "FILE, line N: PATH.KEY: " before the text. Always -1. */
int kubeconfig_locate(const struct kubeconfig_place *place, const char *key, struct err *e);
/* Absent, null and "" leave *to alone; else a copy that the caller owns. */
must_check int kubeconfig_text(
    const struct kubeconfig_place *place, const char *key, char **to, struct err *e);
must_check int kubeconfig_flag(
    const struct kubeconfig_place *place, const char *key, bool *to, struct err *e);
/* A path, relative to the file it stands in, made absolute. */
must_check int kubeconfig_path(
    const struct kubeconfig_place *place, const char *key, char **to, struct err *e);
/* Base64 in KEY-data, or a path in KEY. */
must_check int kubeconfig_pem(const struct kubeconfig_place *place, const char *key,
    struct kubeconfig_text *to, struct err *e);
/* An array of texts; *to NULL-terminated; absent leaves it alone. */
must_check int kubeconfig_texts(
    const struct kubeconfig_place *place, const char *key, char ***to, struct err *e);
/* The object at key: 1 found, 0 absent, -1 not an object. */
must_check int kubeconfig_inner(const struct kubeconfig_place *place, const char *key,
    struct kubeconfig_place *to, struct err *e);

#endif
