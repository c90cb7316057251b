/* Identifiers: time-ordered, 26 characters of Crockford base32 in lower case (48 bits of ms,
 * 80 random bits), so that they sort by age and cannot be guessed. Not for secrets. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_SIZE 32 /* room for a prefix of at most 4 bytes, 26 characters and the NUL */

void id_new(char to[ID_SIZE], const char *prefix, int64_t wall_ms); /* prefix: e.g. "r-" */
bool id_ok(const char *text, const char *prefix);
double id_random(void); /* [0, 1), for jitter */
/* Tests and simulation only: from now on everything here follows from the seed. */
void id_seed(uint64_t seed);

#endif
