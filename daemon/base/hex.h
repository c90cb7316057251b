/* Bytes as hexadecimal digits, in lower case. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>

/* to has room for 2 * count + 1. */
void hex_write(const unsigned char *bytes, size_t count, char *to);
/* Exactly so many bytes; false: it is something else (text may be NULL). */
bool hex_read(const char *text, unsigned char *bytes, size_t count);

#endif
