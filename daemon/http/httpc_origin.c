/* Where a URL leads, by libcurl's own parser, so that what is checked is where it goes. */
#include "http/httpc_origin.h"

#include <curl/curl.h>
#include "base/str.h"

char *
httpc_origin(const char *url)
{
	CURLU *parts = curl_url();
	char *host = NULL, *port = NULL, *extra = NULL, *origin = NULL;
	if (parts == NULL || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK)
		goto out;
	if (curl_url_get(parts, CURLUPART_USER, &extra, 0) == CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_PASSWORD, &extra, 0) == CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_QUERY, &extra, 0) == CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_FRAGMENT, &extra, 0) == CURLUE_OK)
		goto out;
	if (str_starts(url, "https://") &&
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		origin = str_format("https://%s:%s", host, port);
out:
	curl_free(host);
	curl_free(port);
	curl_free(extra);
	curl_url_cleanup(parts);
	return origin;
}
