/* Names of images: [HOST[:PORT]/]PATH[:TAG][@ALGORITHM:HEX], as container runtimes take them.
 * Always true: nothing that a registry could not hold is let through. */
#include "model/release.h"

#include <string.h>
#include "base/str.h"

static const char lower_digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char hex_digits[] = "0123456789abcdef";
static const char tag_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

/* Letters and digits, with one of `.` `_` `__` or any number of `-` between them. */
static bool
is_component(const char *text, size_t length)
{
	size_t i = 0;

	for (;;) {
		size_t run = strspn(text + i, lower_digits), between = 0;

		if (run == 0 || i + run > length)
			return false;
		i += run;
		if (i == length)
			return true;
		if (text[i] == '.')
			between = 1;
		else if (text[i] == '_')
			between = text[i + 1] == '_' ? 2 : 1;
		else if (text[i] == '-')
			between = strspn(text + i, "-");
		if (between == 0)
			return false;
		i += between;
	}
}

static bool
is_host(const char *text, size_t length)
{
	char host[APP_IMAGE], *port;
	int64_t number;

	str_print(host, sizeof(host), "%.*s", (int)length, text);
	port = strchr(host, ':');
	if (port != NULL) {
		*port++ = '\0';
		if (str_number(port, 1, 65535, &number) != 0)
			return false;
	}
	for (char *c = host; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return str_is_dns_name(host);
}

/* The first part is a host if it could not be part of a path. */
static bool
looks_like_host(const char *text, size_t length)
{
	return memchr(text, '.', length) != NULL || memchr(text, ':', length) != NULL ||
	       (length == 9 && strncmp(text, "localhost", 9) == 0);
}

static bool
is_path(const char *text, size_t length)
{
	const char *slash = memchr(text, '/', length);

	if (slash != NULL && looks_like_host(text, (size_t)(slash - text))) {
		if (!is_host(text, (size_t)(slash - text)))
			return false;
		length -= (size_t)(slash + 1 - text);
		text = slash + 1;
	}
	while ((slash = memchr(text, '/', length)) != NULL) {
		if (!is_component(text, (size_t)(slash - text)))
			return false;
		length -= (size_t)(slash + 1 - text);
		text = slash + 1;
	}
	return length > 0 && is_component(text, length);
}

static bool
is_digest(const char *text)
{
	size_t algorithm = strspn(text, lower_digits);
	size_t digits;

	if (algorithm == 0 || text[algorithm] != ':')
		return false;
	text += algorithm + 1;
	digits = strspn(text, hex_digits);
	return digits >= 32 && text[digits] == '\0';
}

static bool
is_tag(const char *text, size_t length)
{
	return length >= 1 && length <= 128 && strspn(text, tag_chars) >= length &&
	       text[0] != '.' && text[0] != '-';
}

bool
image_ok(const char *image)
{
	const char *digest, *colon, *slash;
	size_t length;

	if (image == NULL || strnlen(image, APP_IMAGE) >= APP_IMAGE)
		return false;
	digest = strchr(image, '@');
	length = digest == NULL ? strlen(image) : (size_t)(digest - image);
	if (digest != NULL && !is_digest(digest + 1))
		return false;
	slash = memrchr(image, '/', length);
	colon = memrchr(image, ':', length);
	if (colon != NULL && (slash == NULL || colon > slash)) {
		size_t tag = (size_t)(image + length - colon - 1);

		if (!is_tag(colon + 1, tag))
			return false;
		length = (size_t)(colon - image);
	}
	return is_path(image, length);
}
