/* The signature of a delivery: HMAC-SHA256 over the time, a dot and the body, so that neither can
 * be changed, and an old one not be shown again. */
#ifndef HOOKS_SIGN_H
#define HOOKS_SIGN_H

#include <stddef.h>
#include <stdint.h>

#define SIGN_TEXT (3 + 64 + 1) /* "v1=", hex, NUL */

void sign_text(
    const char *key, size_t length, int64_t time_s, const char *body, char to[SIGN_TEXT]);

#endif
