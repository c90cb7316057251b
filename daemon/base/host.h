/* Which host an address in text is of. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdbool.h>
#include <stddef.h>

/* A number alone, IPv6 in brackets: "127.0.0.1", "[::1]". Names are none: where they lead is for
 * others to say; nor is IPv4 in IPv6's clothes, which nobody writes who means well. */
bool host_is_loopback(const char *host, size_t length);

#endif
