/* httproutes: what the API server does to an HTTPRoute by the schema of its CRD (Gateway API
 * v1.6.3, standard channel): defaults are written into the object, and what the schema forbids is
 * refused in the same words. Not modelled: hostnames, the insides of filters, two parentRefs to one
 * parent, pruning, and the schema of the status. */
#ifndef SIM_HTTPROUTES_H
#define SIM_HTTPROUTES_H

#include "status.h"

/* root is an owned tree. */
void httproute_defaults(json_t *root);
int httproute_check(const struct kind *k, const json_t *next, struct reply *r);

#endif
