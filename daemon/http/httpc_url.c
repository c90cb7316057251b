/* See httpc_url.h. */
#include "http/httpc_url.h"

#include <curl/curl.h>
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
