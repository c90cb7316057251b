/* Limits by who asks. */
#include "api/limit.h"

#include <arpa/inet.h>
#include <string.h>
#include "api/rate.h"
#include "base/clock.h"
#include "base/log.h"

static void
host_of(const char *peer, char to[API_WHO])
{
	size_t length = strcspn(peer, "%");
	if (peer[0] == '[')
		length = strcspn(++peer, "]%");
	else if (strrchr(peer, ':') != NULL)
		length = (size_t)(strrchr(peer, ':') - peer);
	str_print(to, API_WHO, "%.*s", (int)(length < API_WHO ? length : API_WHO - 1), peer);
}

void
api_who_address(const char *peer, char to[API_WHO])
{
	char host[API_WHO];
	struct in6_addr v6;
	host_of(peer, host);
	if (inet_pton(AF_INET6, host, &v6) != 1) {
		str_print(to, API_WHO, "address %.48s", host);
		return;
	}
	const uint8_t *b = v6.s6_addr;
	str_print(to, API_WHO, "address %02x%02x:%02x%02x:%02x%02x:%02x%02x::/64", b[0], b[1], b[2],
	    b[3], b[4], b[5], b[6], b[7]);
}

bool
api_limit_rate(struct call *call, const char *who)
{
	struct api *api = call->api;
	int64_t wait_ms = api->asks == NULL ? 0 : rate_take(api->asks, who, clock_mono_ms());
	if (wait_ms == 0)
		return true;
	api_problem_later(api, call->number, wait_ms,
	    "too many requests by the same token or address: limits.rate are allowed each second, "
	    "limits.burst at once; nothing was done, ask again after Retry-After");
	return false;
}

bool
api_limit_logins(struct call *call, const char *address)
{
	struct api *api = call->api;
	int64_t wait_ms =
	    api->logins == NULL ? 0 : rate_look(api->logins, address, clock_mono_ms());
	if (wait_ms == 0)
		return true;
	api_problem_later(api, call->number, wait_ms,
	    "too many wrong tokens came from this address (limits.failedLogins a minute), so that "
	    "none is looked at now; ask again after Retry-After, or use the Unix socket");
	return false;
}

void
api_limit_failed(struct api *api, const char *address)
{
	if (api->logins == NULL)
		return;
	(void)rate_take(api->logins, address, clock_mono_ms());
	if (rate_look(api->logins, address, clock_mono_ms()) > 0)
		log_warn("api",
		    "%s: too many wrong tokens; none from there is looked at for a while", address);
}
