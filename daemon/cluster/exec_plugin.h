/* Runs a credential plugin: no shell, stdin is /dev/null, its output read by the loop without
 * blocking, at most 1 MiB of it, for a limited time. */
#ifndef CLUSTER_EXEC_PLUGIN_H
#define CLUSTER_EXEC_PLUGIN_H

#include "cluster/kubeconfig.h"
#include "loop/loop.h"

struct exec_plugin;

/* error NULL: it ended with 0 and printed output; else what went wrong, for people. The plugin is
 * gone when done returns. */
typedef void exec_plugin_done(void *ctx, const char *output, size_t length, const char *error);

/* ca_pem: for plugins that want to know the cluster; may be NULL. Never calls back before it
 * returned. NULL: it could not be started, e says why. */
struct exec_plugin *exec_plugin_start(struct loop *loop, const struct kubeconfig *config,
    const char *ca_pem, int64_t timeout_ms, exec_plugin_done *done, void *ctx, struct err *e);
void exec_plugin_cancel(struct exec_plugin *plugin); /* kills it, no callback; NULL is allowed */

/* What a plugin printed. Texts are owned by the caller; NULL: not given. */
struct exec_credential {
	char *token, *cert_pem, *key_pem;
	int64_t expires_ms; /* wall clock; 0: not said */
};
must_check int exec_credential_parse(
    const char *output, size_t length, struct exec_credential *to, struct err *e);
void exec_credential_done(struct exec_credential *credential); /* wipes */

#endif
