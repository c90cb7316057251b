/* gateway: the Gateway's controller. It looks at each HTTPRoute some time after its change
 * (-accept-delay) and says in its status, for each parentRef, whether it accepts it (it always
 * does) and whether the backends are there. Gateways themselves are not modelled. What the mesh
 * takes of an HTTPRoute is what was accepted last; from then on it is as late as with other routes.
 *
 * With -mesh istiod the controller is istiod: while that is down or hangs, nothing is accepted. */
#ifndef SIM_GATEWAY_H
#define SIM_GATEWAY_H

#include "api.h"

void gateway_init(uint64_t delay_ms);
/* It looks at all HTTPRoutes anew: it was away. */
void gateway_wake(void);

/* What the mesh gets to know: whether the controller has accepted the route as it is now, and
 * whether that would be news to somebody who has it as in known (may be NULL). */
bool gateway_is_accepted(const json_t *route);
bool gateway_is_news(const json_t *known, const json_t *route);

/* GET and POST /sim/gateway. */
void gateway_show(struct reply *r);
void gateway_control(struct req *q, struct reply *r);

#endif
