/* What forbids a start or should be known before one, in the app's objects: checks that need more
 * than a line. Pure. Each returns 0, or -1 and e says everything that it found. */
#ifndef CLUSTER_OBSERVE_CHECKS_H
#define CLUSTER_OBSERVE_CHECKS_H

#include "cluster/observe.h"

/* The ports of route, Services and pods agree. */
must_check int observe_check_ports(
    const struct app *app, const struct observe_objects *objects, struct err *e);
/* Another VirtualService has one of the route's hosts. losing: look for those that take the
 * traffic away from it; else for those that only may get in its way. */
must_check int observe_check_hosts(
    const struct app *app, const struct observe_objects *objects, bool losing, struct err *e);

#endif
