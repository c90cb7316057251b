/* See hex.h. */
#include "base/hex.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

void
hex_write(const unsigned char *bytes, size_t count, char *to)
{
	for (size_t i = 0; i < count; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
	to[2 * count] = '\0';
}

bool
hex_read(const char *text, unsigned char *bytes, size_t count)
{
	if (text == NULL || strlen(text) != 2 * count || strspn(text, digits) != 2 * count)
		return false;
	for (size_t i = 0; i < count; i++)
		bytes[i] = (unsigned char)((strchr(digits, text[2 * i]) - digits) << 4 |
					   (strchr(digits, text[2 * i + 1]) - digits));
	return true;
}
