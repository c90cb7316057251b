/* The token of the token file, which is admin. Only its digest is kept, and two digests
 * are compared in constant time, so neither its bytes nor its length can be measured. A token file
 * that has become unreadable or empty lets nobody in: the socket is still there. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "api/api_room.h"
#include "base/clock.h"
#include "base/log.h"

#define TOKEN_MAX 4096
#define TOKEN_SHORT 16
#define CHECK_MS 1000

static bool
is_visible(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	return length > 0;
}

static void
note_file(struct api_token *token, const struct stat *found)
{
	token->changed_ns = (int64_t)found->st_mtim.tv_sec * 1000000000 + found->st_mtim.tv_nsec;
	token->size = found->st_size;
	token->inode = found->st_ino;
}

/* What is in the file, without the line's end; the length, or -1. */
static ssize_t
read_token(struct api_token *token, char to[TOKEN_MAX], struct err *e)
{
	struct stat found;
	int fd = open(token->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, "token file %s: %s", token->file, strerror(errno));
	ssize_t length = read(fd, to, TOKEN_MAX);
	int code = errno;
	if (fstat(fd, &found) == 0) {
		note_file(token, &found);
		if (found.st_mode & (S_IROTH | S_IWOTH))
			log_warn("api", "token file %s: every user can read or write it; chmod 600",
			    token->file);
	}
	(void)close(fd);
	if (length < 0)
		return err_set(e, "token file %s: %s", token->file, strerror(code));
	if (length == TOKEN_MAX)
		return err_set(e, "token file %s: longer than %d bytes; it holds one token",
		    token->file, TOKEN_MAX - 1);
	while (length > 0 && strchr("\r\n \t", to[length - 1]) != NULL)
		length--;
	if (length == 0)
		return err_set(e,
		    "token file %s is empty; put a token into it, for example: openssl rand -hex "
		    "32 > %s",
		    token->file, token->file);
	return length;
}

static void
take_token(struct api_token *token, const char *text, size_t length)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)text, length, digest);
	token->version += CRYPTO_memcmp(digest, token->digest, sizeof(digest)) != 0;
	memcpy(token->digest, digest, sizeof(digest));
	token->known = true;
}

int
api_token_load(struct api_token *token, struct err *e)
{
	char text[TOKEN_MAX] = "";
	token->known = false;
	token->checked_ms = clock_mono_ms();
	if (token->file == NULL)
		return err_set(e, "no token file is set");
	token->changed_ns = 0;
	ssize_t length = read_token(token, text, e);
	if (length > 0 && !is_visible(text, (size_t)length))
		length = err_set(e,
		    "token file %s: a token is one line of visible ASCII characters without blanks",
		    token->file);
	if (length > 0) {
		if (length < TOKEN_SHORT)
			log_warn("api", "token file %s: a token under %d characters can be guessed",
			    token->file, TOKEN_SHORT);
		take_token(token, text, (size_t)length);
	}
	mem_wipe(text, sizeof(text));
	return length > 0 ? 0 : -1;
}

void
api_token_check(struct api_token *token, bool at_once)
{
	struct stat found;
	struct err e;
	int64_t now_ms = clock_mono_ms();
	if (token->file == NULL || (!at_once && now_ms < token->checked_ms + CHECK_MS))
		return;
	token->checked_ms = now_ms;
	struct api_token now = *token;
	if (stat(token->file, &found) == 0) {
		note_file(&now, &found);
		if (now.changed_ns == token->changed_ns && now.size == token->size &&
		    now.inode == token->inode)
			return;
	} else if (!token->known) {
		return;
	}
	if (api_token_load(token, &e) < 0)
		log_error("api", "%s; until then nobody is let in by TCP", e.text);
	else
		log_info("api", "the token was read again from %s", token->file);
}

bool
api_token_fits(const struct api_token *token, const char *secret)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)secret, strlen(secret), digest);
	bool same = CRYPTO_memcmp(digest, token->digest, sizeof(digest)) == 0;
	return same && token->known;
}
