/* How often somebody may ask, and be wrong about the token. Who comes by the Unix socket is not
 * counted: its file mode says who may, and it must work while others flood. */
#ifndef API_LIMIT_H
#define API_LIMIT_H

#include "api/api_room.h"

#define API_WHO 64

/* The key of who asks by TCP and is not known: its address, of IPv6 the first half (what one host
 * can choose freely is no other one). */
void api_who_address(const char *peer, char to[API_WHO]);
/* False: answered with 429. who: of a token, an account or an address. */
bool api_limit_rate(struct call *call, const char *who);
/* Checked before the token is: false: answered with 429, whatever the token. */
bool api_limit_logins(struct call *call, const char *address);
void api_limit_failed(struct api *api, const char *address); /* a token was wrong */

#endif
