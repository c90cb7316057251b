/* What MHD lets through and we do not: heads that two readers can understand in two ways (request
 * smuggling), and paths that change when they are decoded. */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "http/httpd_room.h"

/* The undecoded URI: every % is followed by two hex digits that are not 00, and it is a path. */
bool
httpd_check_uri(const char *uri)
{
	if (uri[0] != '/')
		return false;
	for (const char *p = strchr(uri, '%'); p != NULL; p = strchr(p + 1, '%')) {
		if (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]))
			return false;
		if (p[1] == '0' && p[2] == '0')
			return false;
	}
	return true;
}

/* RFC 9110: a token. */
static bool
name_ok(const char *name)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (const char *c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr(marks, *c) == NULL)
			return false;
	return *name != '\0';
}

struct head {
	bool odd_name;
	int lengths;
	int encodings;
	int hosts;
	bool odd_encoding;
};

static enum MHD_Result
count_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct head *head = ctx;

	(void)kind;
	if (!name_ok(name))
		head->odd_name = true;
	if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0)
		head->lengths++;
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0)
		head->hosts++;
	if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		head->encodings++;
		if (value == NULL || strcasecmp(value, "chunked") != 0)
			head->odd_encoding = true;
	}
	return MHD_YES;
}

static enum MHD_Result
check_argument(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_size,
    const char *value, size_t value_size)
{
	bool *good = ctx;

	(void)kind;
	if (!str_utf8_ok(name, name_size) || (value != NULL && !str_utf8_ok(value, value_size)))
		*good = false;
	return MHD_YES;
}

struct size {
	size_t bytes;
	int lines;
};

static enum MHD_Result
add_size(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_size, const char *value,
    size_t value_size)
{
	struct size *size = ctx;

	(void)kind;
	(void)name;
	(void)value;
	size->bytes += name_size + value_size + strlen(": \r\n");
	size->lines++;
	return MHD_YES;
}

bool
httpd_check_size(struct httpd_request *request)
{
	struct size size = {.bytes = request->uri_length};

	(void)MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, add_size, &size);
	return size.bytes <= HTTPD_HEAD_BYTES && size.lines <= HTTPD_HEAD_LINES;
}

const char *
httpd_check_head(struct httpd_request *request, const char *url)
{
	struct head head = {0};
	bool good = true;

	if (request->bad_uri)
		return "The path must start with / and every % in it be followed by two hex "
		       "digits, not 00.";
	if (!str_utf8_ok(url, strlen(url)))
		return "The path is not valid UTF-8.";
	(void)MHD_get_connection_values_n(
	    request->mhd, MHD_GET_ARGUMENT_KIND, check_argument, &good);
	if (!good)
		return "The query is not valid UTF-8.";
	(void)MHD_get_connection_values(request->mhd, MHD_HEADER_KIND, count_header, &head);
	if (head.odd_name)
		return "A header's name is empty or has characters that no name may have.";
	if (head.lengths > 1)
		return "Content-Length is given more than once.";
	if (head.lengths > 0 && head.encodings > 0)
		return "Content-Length and Transfer-Encoding exclude each other.";
	if (head.encodings > 1 || head.odd_encoding)
		return "The only Transfer-Encoding that is understood is chunked, once.";
	if (head.hosts > 1)
		return "Host is given more than once.";
	return NULL;
}
