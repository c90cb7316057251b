/* See host.h. */
#include "base/host.h"

#include <arpa/inet.h>
#include "base/str.h"

static bool
is_loopback6(const char *text)
{
	struct in6_addr address;

	if (inet_pton(AF_INET6, text, &address) != 1)
		return false;
	return IN6_IS_ADDR_LOOPBACK(&address) ||
	       (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

bool
host_is_loopback(const char *host, size_t length)
{
	struct in_addr address;
	char text[64];
	bool brackets = length >= 2 && host[0] == '[' && host[length - 1] == ']';

	if (brackets) {
		host++;
		length -= 2;
	}
	if (!str_print(text, sizeof(text), "%.*s", (int)(length < 64 ? length : 64), host))
		return false;
	if (brackets)
		return is_loopback6(text);
	return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}
