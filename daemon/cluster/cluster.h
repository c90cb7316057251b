/* The cluster room's door: one cluster behind the socket of ports/cluster.h. Observing reads the
 * caches of kube.h, an act is one request. Several clusters are several of these. */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "base/err.h"
#include "cluster/bulletins.h"
#include "cluster/kube.h"
#include "cluster/lease.h"
#include "loop/loop.h"
#include "ports/cluster.h"

struct cluster;

/* Reads the credentials, does not connect yet. events is copied; its callbacks come from the loop.
 * lease NULL: writes need none. NULL: e says what is wrong with the settings or the kubeconfig. */
must_check struct cluster *cluster_new(struct loop *loop, const struct kube_settings *settings,
    const struct lease_settings *lease, const struct cluster_events *events, struct err *e);
/* Acts under way are forgotten: what they did is to be read back after the next start. */
void cluster_free(struct cluster *cluster);
struct cluster_port cluster_port(struct cluster *cluster);
/* Calls each for every ready endpoint of the app's side, by the rule that counts them; false: not
 * known now. Of the app only names are looked at. */
bool cluster_addresses(struct cluster *cluster, const struct app *app, bool canary,
    void (*each)(void *ctx, const char *address), void *ctx);
/* Whether notices are shown as Events; at first they are not. */
void cluster_tell_set(struct cluster *cluster, bool on);
/* Writes nothing from now on, waits for the answers to what was sent, gives the lease back. done
 * comes once, in a later turn; how long to wait for it is the caller's. */
void cluster_retire(struct cluster *cluster, void (*done)(void *ctx), void *ctx);
struct kube *cluster_kube(struct cluster *cluster);			  /* for its counters */
const struct lease *cluster_lease(const struct cluster *cluster);	  /* NULL: none is needed */
const struct bulletins *cluster_bulletins(const struct cluster *cluster); /* NULL: none is shown */

#endif
