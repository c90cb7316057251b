/* See httpc_url.h. */
#include "http/httpc_url.h"

#include <curl/curl.h>
#include <string.h>
#include "base/host.h"
#include "base/str.h"

static bool
has(CURLU *parts, CURLUPart part)
{
	char *text = NULL;
	bool there = curl_url_get(parts, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return there;
}

static bool
take(CURLU *parts, CURLUPart part, char *to, size_t size)
{
	char *text = NULL;
	bool good = curl_url_get(parts, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    str_copy(to, size, text);

	curl_free(text);
	return good;
}

bool
httpc_url_read(const char *text, struct httpc_url *url)
{
	CURLU *parts = curl_url();
	bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, text, 0) == CURLUE_OK &&
		    take(parts, CURLUPART_SCHEME, url->scheme, sizeof(url->scheme)) &&
		    take(parts, CURLUPART_HOST, url->host, sizeof(url->host));

	if (good) {
		url->user = has(parts, CURLUPART_USER) || has(parts, CURLUPART_PASSWORD);
		url->query = has(parts, CURLUPART_QUERY);
		url->fragment = has(parts, CURLUPART_FRAGMENT);
		if (!take(parts, CURLUPART_PORT, url->port, sizeof(url->port)))
			url->port[0] = '\0';
	}
	curl_url_cleanup(parts);
	return good;
}

static bool
is_here(const char *host)
{
	return strcmp(host, "localhost") == 0 || host_is_loopback(host, strlen(host));
}

int
httpc_url_guarded(const char *text, struct err *e)
{
	struct httpc_url url;
	bool good = httpc_url_read(text, &url) && !url.user && !url.fragment &&
		    (strcmp(url.scheme, "https") == 0 ||
			(strcmp(url.scheme, "http") == 0 && is_here(url.host)));
	if (good)
		return 0;
	return err_set(e,
	    "must be an https:// URL without user, password and fragment; http:// is for this "
	    "host's loopback alone (127.0.0.1, localhost)");
}
