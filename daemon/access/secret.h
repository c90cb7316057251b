/* The text of a token, as it is given out once and shown ever after:
 *
 *   airis_ID_RANDOM_CHECK   8, 32 and 6 characters
 *
 * The prefix is for those who look for secrets where none should be, the checksum tells a mistyped
 * one from an unknown one without a look into any table, and the id is what may be shown, logged
 * and revoked. 32 random characters of 62 are 190 bits: nobody guesses one, so a plain SHA-256 of
 * it is enough to keep. */
#ifndef ACCESS_SECRET_H
#define ACCESS_SECRET_H

#include <stdbool.h>

#define SECRET_ID 9    /* a-z and 0-9, and NUL */
#define SECRET_TEXT 55 /* and NUL */
#define SECRET_DIGEST 32

void secret_make(char text[SECRET_TEXT]); /* mem_wipe it */
enum secret_form {
	SECRET_GOOD,
	SECRET_FOREIGN, /* not one of ours at all */
	SECRET_MISTYPED /* one of ours, and the checksum is another */
};
enum secret_form secret_read(const char *text, char id[SECRET_ID]); /* id: if GOOD */
bool secret_id_ok(const char *id);
void secret_digest(const char *text, unsigned char digest[SECRET_DIGEST]);
/* In constant time. */
bool secret_same(const unsigned char a[SECRET_DIGEST], const unsigned char b[SECRET_DIGEST]);

#endif
