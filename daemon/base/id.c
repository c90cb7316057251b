/* Identifiers and jitter. The randomness is the kernel's, unless a simulation seeded it. */
#include "base/id.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "base/log.h"

#define TIME_CHARS 10
#define RANDOM_CHARS 16

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
static bool seeded;
static uint64_t state;

/* splitmix64: small, and good enough where replay matters and secrecy does not. */
static uint64_t
next_seeded(void)
{
	uint64_t x = state += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint64_t
random_bits(void)
{
	uint64_t bits;

	if (seeded)
		return next_seeded();
	while (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits)) {
		if (errno != EINTR)
			log_fatal("the kernel gives no random numbers: %s", strerror(errno));
	}
	return bits;
}

static void
encode(char *to, size_t count, uint64_t bits)
{
	while (count-- > 0) {
		to[count] = alphabet[bits & 31];
		bits >>= 5;
	}
}

void
id_new(char to[ID_SIZE], const char *prefix, int64_t wall_ms)
{
	size_t length = strlen(prefix);

	assert(length <= 4);
	memcpy(to, prefix, length);
	to += length;
	encode(to, TIME_CHARS, (uint64_t)wall_ms & 0xffffffffffffu);
	encode(to + TIME_CHARS, RANDOM_CHARS / 2, random_bits());
	encode(to + TIME_CHARS + RANDOM_CHARS / 2, RANDOM_CHARS / 2, random_bits());
	to[TIME_CHARS + RANDOM_CHARS] = '\0';
}

bool
id_ok(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (text == NULL || strncmp(text, prefix, length) != 0)
		return false;
	text += length;
	/* 10 characters hold 50 bits, the time has 48. */
	return strspn(text, alphabet) == TIME_CHARS + RANDOM_CHARS &&
	       text[TIME_CHARS + RANDOM_CHARS] == '\0' && text[0] <= '7';
}

double
id_random(void)
{
	return (double)(random_bits() >> 11) * 0x1p-53;
}

void
id_seed(uint64_t seed)
{
	seeded = true;
	state = seed;
}
