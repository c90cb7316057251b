/* The text of a token. */
#include "access/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define PREFIX "airis_"
#define ID (SECRET_ID - 1)
#define RANDOM 32
#define CHECK 6

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char base36[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* Each character as likely as any other: bytes beyond the last whole multiple are thrown away. */
static void
add_random(char *to, const char *alphabet, unsigned letters, int count)
{
	unsigned char bytes[64];
	size_t left = 0;
	for (int i = 0; i < count;) {
		if (left == 0) {
			if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
				if (errno != EINTR)
					log_fatal("the kernel gives no random numbers: %s",
					    strerror(errno));
				continue;
			}
			left = sizeof(bytes);
		}
		unsigned byte = bytes[--left];
		if (byte < 256 - 256 % letters)
			to[i++] = alphabet[byte % letters];
	}
	mem_wipe(bytes, sizeof(bytes));
}

/* CRC-32 as in zip. */
static uint32_t
checksum(const char *text, size_t length)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < length; i++) {
		crc ^= (unsigned char)text[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void
check_text(const char *text, size_t length, char to[CHECK])
{
	uint32_t crc = checksum(text, length);
	for (int i = CHECK - 1; i >= 0; i--) {
		to[i] = base62[crc % 62];
		crc /= 62;
	}
}

void
secret_make(char text[SECRET_TEXT])
{
	char *at = text + strlen(PREFIX);
	memcpy(text, PREFIX, strlen(PREFIX));
	add_random(at, base36, 36, ID);
	at += ID;
	*at++ = '_';
	add_random(at, base62, 62, RANDOM);
	at += RANDOM;
	size_t length = (size_t)(at - text);
	*at++ = '_';
	check_text(text, length, at);
	at[CHECK] = '\0';
}

bool
secret_id_ok(const char *id)
{
	return strlen(id) == ID && strspn(id, base36) == ID;
}

enum secret_form
secret_read(const char *text, char id[SECRET_ID])
{
	const size_t head = strlen(PREFIX), body = head + ID + 1 + RANDOM;
	char check[CHECK];
	if (!str_starts(text, PREFIX))
		return SECRET_FOREIGN;
	if (strlen(text) != body + 1 + CHECK || text[head + ID] != '_' || text[body] != '_')
		return SECRET_MISTYPED;
	if (strspn(text + head, base36) != ID || strspn(text + head + ID + 1, base62) != RANDOM)
		return SECRET_MISTYPED;
	check_text(text, body, check);
	if (memcmp(check, text + body + 1, CHECK) != 0)
		return SECRET_MISTYPED;
	str_print(id, SECRET_ID, "%.*s", ID, text + head);
	return SECRET_GOOD;
}

void
secret_digest(const char *text, unsigned char digest[SECRET_DIGEST])
{
	SHA256((const unsigned char *)text, strlen(text), digest);
}

bool
secret_same(const unsigned char a[SECRET_DIGEST], const unsigned char b[SECRET_DIGEST])
{
	return CRYPTO_memcmp(a, b, SECRET_DIGEST) == 0;
}
