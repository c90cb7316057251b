/* The table of routes as an OpenAPI 3.1 document. */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include <jansson.h>
#include <stdint.h>
#include "api/routes.h"

json_t *api_openapi(void); /* new reference */
/* The codes that a route may be refused with, as bits. */
unsigned api_openapi_codes(const struct api_route *route);

#endif
