/* See sign.h. */
#include "hooks/sign.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

void
sign_text(const char *key, size_t length, int64_t time_s, const char *body, char to[SIGN_TEXT])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	char *text = str_format("%" PRId64 ".%s", time_s, body);
	if (HMAC(EVP_sha256(), key, (int)length, (const unsigned char *)text, strlen(text), digest,
		&size) == NULL)
		log_fatal("libcrypto cannot do HMAC-SHA256");
	str_copy(to, SIGN_TEXT, "v1=");
	hex_write(digest, size, to + 3);
	free(text);
}
