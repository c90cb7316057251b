/* See host.h. */
#include "base/host.h"

#include <arpa/inet.h>
#include "base/str.h"

bool
host_is_loopback(const char *host, size_t length)
{
	struct in_addr v4;
	struct in6_addr v6;
	char text[64];
	bool brackets = length >= 2 && host[0] == '[' && host[length - 1] == ']';

	if (brackets) {
		host++;
		length -= 2;
	}
	if (!str_print(text, sizeof(text), "%.*s", (int)(length < 64 ? length : 64), host))
		return false;
	if (brackets)
		return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
	return inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}
