/* From a request to curl's options. What is always true: nothing here is shared between requests
 * but connections; redirects are never followed, the environment's proxies never used, system CAs
 * never added to a CA that was given. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "http/httpc_transfer.h"

enum {
	DEFAULT_CONNECT_MS = 5000,
	DEFAULT_TIMEOUT_MS = 30000, /* for what is no stream: every wait has a deadline */
	DEFAULT_MAX_BODY = 8 * 1024 * 1024,
	TIMEOUT_SLACK_MS = 1000,
	KEEPALIVE_IDLE_S = 20,
	KEEPALIVE_EVERY_S = 10,
	USER_TIMEOUT_MS = 30000
};

/* A peer that vanished without a word is noticed by the kernel: bytes not acknowledged for 30 s
 * end the connection, and keepalive makes sure that there are some. */
static int
set_user_timeout(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	unsigned int ms = USER_TIMEOUT_MS;

	(void)ctx;
	(void)purpose;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

/* Called by curl in the middle of its work: no curl_multi_* call may happen here. */
static size_t
take_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
	struct httpc_transfer *t = ctx;
	long status = 0;

	count *= size;
	if (t->state != HTTPC_RUNNING || t->cut != HTTPC_CUT_NONE)
		return 0;
	t->last_byte_ms = clock_mono_ms();
	if (t->on_data == NULL) {
		str_add_bytes(&t->collected, bytes, count);
		if (t->collected.full)
			t->cut = HTTPC_CUT_TOO_BIG;
		return t->collected.full ? 0 : count;
	}
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!t->on_data(t->ctx, t->number, (int)status, bytes, count))
		t->cut = HTTPC_CUT_STOPPED;
	return t->state == HTTPC_RUNNING && t->cut == HTTPC_CUT_NONE ? count : 0;
}

/* Called for each line of the header; the empty one ends it. */
static size_t
take_header(char *bytes, size_t size, size_t count, void *ctx)
{
	struct httpc_transfer *t = ctx;
	long status = 0, version = 0;

	count *= size;
	t->last_byte_ms = clock_mono_ms();
	if (t->state != HTTPC_RUNNING || t->opened || t->on_open == NULL || count > 2 ||
	    bytes[0] == ' ')
		return count;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
	if (status < 200)
		return count;
	t->opened = true;
	t->on_open(t->ctx, t->number, (int)status, version == CURL_HTTP_VERSION_2_0);
	return count;
}

/* The last moment before the request goes out: names are resolved, the connection is there. */
static int
ask_may_send(void *ctx, char *peer, char *own, int peer_port, int own_port)
{
	struct httpc_transfer *t = ctx;

	(void)peer;
	(void)own;
	(void)peer_port;
	(void)own_port;
	if (t->state == HTTPC_RUNNING && t->may_send(t->ctx, t->number))
		return CURL_PREREQFUNC_OK;
	t->cut = HTTPC_CUT_BARRED;
	return CURL_PREREQFUNC_ABORT;
}

static void
set_blob(CURL *easy, CURLoption option, const char *pem)
{
	struct curl_blob blob = {
	    .data = (void *)(uintptr_t)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY};

	curl_easy_setopt(easy, option, &blob);
}

static void
setup_tls(CURL *easy, const struct httpc_tls *tls)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	/* The system's folder of CAs would be trusted beside the CA that was given; and without it
	 * curl keeps the parsed bundle, which takes 60 ms of the loop to read. */
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (tls->ca_pem != NULL)
		set_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca_pem);
	if (tls->cert_pem != NULL)
		set_blob(easy, CURLOPT_SSLCERT_BLOB, tls->cert_pem);
	if (tls->key_pem != NULL)
		set_blob(easy, CURLOPT_SSLKEY_BLOB, tls->key_pem);
}

static void
add_header(struct httpc_transfer *t, const char *header)
{
	struct curl_slist *longer = curl_slist_append(t->headers, header);

	if (longer != NULL)
		t->headers = longer;
}

static bool
has_header(const struct httpc_request *request, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
		if (strncasecmp(request->headers[i], name, length) == 0 &&
		    request->headers[i][length] == ':')
			return true;
	return false;
}

/* A line break in a value (a token file's last newline) would let others write headers. */
static int
setup_headers(struct httpc_transfer *t, const struct httpc_request *request, struct err *e)
{
	for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++) {
		const char *header = request->headers[i];

		if (strpbrk(header, "\r\n") != NULL)
			return err_set(e, "header %.*s: holds a line break; take it off",
			    (int)strcspn(header, ":\r\n"), header);
		add_header(t, header);
	}
	/* No pause of a second for the permission to send a body, no guessed type. */
	add_header(t, "Expect:");
	if (!has_header(request, "Content-Type"))
		add_header(t, "Content-Type:");
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return 0;
}

static void
setup_method(CURL *easy, const struct httpc_request *request)
{
	const char *method = request->method != NULL ? request->method : "GET";
	bool takes_body = str_equal(method, "POST") || str_equal(method, "PUT") ||
			  str_equal(method, "PATCH") || request->body != NULL;

	if (takes_body) {
		size_t length = request->body != NULL ? request->body_length : 0;

		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, length > 0 ? request->body : "");
	} else if (str_equal(method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* tls-server-name: the name that is asked for and verified goes into the URL, the real address into
 * CONNECT_TO, and the real one stays in Host. */
static int
swap_host(struct httpc_transfer *t, const char *name, CURLU *url)
{
	char *host = NULL, *port = NULL, *real_port = NULL, *text = NULL;
	int result = -1;

	if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		goto out;
	text = str_format("%s:%s:%s:%s", name, port, host, port);
	t->connect_to = curl_slist_append(NULL, text);
	free(text);
	if (t->connect_to == NULL || curl_url_set(url, CURLUPART_HOST, name, 0) != CURLUE_OK)
		goto out;
	(void)curl_url_get(url, CURLUPART_PORT, &real_port, CURLU_NO_DEFAULT_PORT);
	text = real_port != NULL ? str_format("Host: %s:%s", host, real_port)
				 : str_format("Host: %s", host);
	add_header(t, text);
	free(text);
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
	result = 0;
out:
	curl_free(host);
	curl_free(port);
	curl_free(real_port);
	return result;
}

static int
setup_url(struct httpc_transfer *t, const struct httpc_request *request, struct err *e)
{
	CURLU *url = curl_url();
	const char *name = request->tls.server_name;
	char *whole = NULL;
	CURLUcode code = CURLUE_OUT_OF_MEMORY;
	int result = 0;

	if (url != NULL)
		code = curl_url_set(url, CURLUPART_URL, request->url, 0);
	if (code != CURLUE_OK)
		result = err_set(e, "URL \"%.200s\": %s; expected http(s)://host[:port]/path",
		    request->url, curl_url_strerror(code));
	else if (name != NULL && name[0] != '\0' && swap_host(t, name, url) < 0)
		result = err_set(e, "TLS server name \"%.200s\": is no host name", name);
	else if (curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK)
		result = err_set(e, "URL \"%.200s\": cannot be used", request->url);
	else
		curl_easy_setopt(t->easy, CURLOPT_URL, whole);
	curl_free(whole);
	curl_url_cleanup(url);
	return result;
}

static void
setup_transport(CURL *easy, const struct httpc_request *request)
{
	int64_t connect_ms = request->connect_timeout_ms;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* A slow name server must not stop the loop when a resolving request ends. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(connect_ms > 0 ? connect_ms : DEFAULT_CONNECT_MS));
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_EVERY_S);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_user_timeout);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    (long)(request->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
	/* Waiting for a connection to share makes sense only where HTTP/2 can come of it. */
	bool share = request->http2 && strncasecmp(request->url, "https:", 6) == 0;
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, share ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy != NULL ? request->proxy : "");
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "airisd");
	if (request->basic != NULL) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(easy, CURLOPT_USERPWD, request->basic);
	}
}

static void
setup_callbacks(struct httpc_transfer *t, const struct httpc_request *request)
{
	size_t max_body = request->max_body > 0 ? request->max_body : (size_t)DEFAULT_MAX_BODY;

	str_init(&t->collected, max_body);
	t->timeout_ms = request->timeout_ms;
	t->idle_ms = request->idle_timeout_ms;
	t->proxied = request->proxy != NULL && request->proxy[0] != '\0';
	if (t->timeout_ms <= 0 && request->on_data == NULL)
		t->timeout_ms = DEFAULT_TIMEOUT_MS;
	/* The pool's timer comes first: it also runs while the request waits for a connection, and
	 * makes sure that a silent connection is not used again. */
	if (t->timeout_ms > 0)
		curl_easy_setopt(
		    t->easy, CURLOPT_TIMEOUT_MS, (long)(t->timeout_ms + TIMEOUT_SLACK_MS));
	/* Streams come as they are: a decompressor would hold small events back. */
	if (request->on_data == NULL)
		curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	if (t->may_send != NULL) {
		curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, ask_may_send);
		curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
	}
	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->curl_error);
}

int
httpc_easy_setup(
    struct httpc_transfer *transfer, const struct httpc_request *request, struct err *e)
{
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
		return err_set(e, "curl has no handle to give");
	setup_callbacks(transfer, request);
	setup_transport(transfer->easy, request);
	setup_tls(transfer->easy, &request->tls);
	setup_method(transfer->easy, request);
	if (setup_url(transfer, request, e) < 0)
		return -1;
	return setup_headers(transfer, request, e);
}

void
httpc_easy_done(struct httpc_transfer *transfer)
{
	if (transfer->easy != NULL)
		curl_easy_cleanup(transfer->easy);
	transfer->easy = NULL;
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
	curl_slist_free_all(transfer->connect_to);
	transfer->connect_to = NULL;
	str_done(&transfer->collected);
}
