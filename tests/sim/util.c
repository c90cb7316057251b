/* util: see util.h. The random numbers are a xorshift generator with one state for the whole
 * program, always used under the big lock, so a seed gives one course of events. */
#include "util.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t rnd_state = 88172645463325252ULL;
static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";

static void
no_memory(void)
{
	fputs("airis-sim: out of memory\n", stderr);
	abort();
}

void *
xalloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (p == NULL)
		no_memory();
	return p;
}

void *
xgrow(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (p == NULL)
		no_memory();
	return p;
}

char *
xdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xalloc(n), s, n);
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (b->len + n + 1 > b->cap) {
		b->cap = b->cap ? b->cap * 2 : 256;
		if (b->cap < b->len + n + 1)
			b->cap = b->len + n + 1;
		b->p = xgrow(b->p, b->cap);
	}
	if (n > 0)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
}

void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static void
buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
	char small[512], *big;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n >= 0 && (size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
	} else if (n >= 0) {
		big = xalloc((size_t)n + 1);
		vsnprintf(big, (size_t)n + 1, fmt, again);
		buf_add(b, big, (size_t)n);
		free(big);
	}
	va_end(again);
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(b, fmt, ap);
	va_end(ap);
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){0};
}

char *
xfmt(const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	buf_add(&b, "", 0);
	va_start(ap, fmt);
	buf_vfmt(&b, fmt, ap);
	va_end(ap);
	return b.p;
}

uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t
wall_now(void)
{
	return (int64_t)time(NULL);
}

void
wall_text(char *out, size_t cap)
{
	time_t t = time(NULL);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int64_t
wall_parse(const char *s)
{
	struct tm tm = {0};

	if (s == NULL || strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return 0;
	return (int64_t)timegm(&tm);
}

int64_t
duration_ms(const char *s)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1000}};
	char *end;
	double v;

	if (s == NULL || *s == '\0')
		return -1;
	v = strtod(s, &end);
	if (end == s || !(v >= 0) || v > 1e9)
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0)
			return (int64_t)(v * units[i].ms);
	return -1;
}

void
rnd_seed(uint64_t seed)
{
	rnd_state = seed * 0x9E3779B97F4A7C15ULL + 88172645463325252ULL;
	if (rnd_state == 0)
		rnd_state = 1;
	for (int i = 0; i < 16; i++)
		rnd_next();
}

uint64_t
rnd_next(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state * 0x2545F4914F6CDD1DULL;
}

uint64_t
rnd_below(uint64_t n)
{
	return n == 0 ? 0 : (rnd_next() >> 8) % n;
}

double
rnd_unit(void)
{
	return (double)(rnd_next() >> 11) / 9007199254740992.0;
}

double
rnd_normal(void)
{
	double u = 1.0 - rnd_unit(), v = rnd_unit();

	return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void
rnd_uuid(char *out)
{
	uint64_t a = rnd_next(), b = rnd_next();

	snprintf(out, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
	    (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff,
	    (((unsigned)(b >> 48)) & 0x3fff) | 0x8000, (unsigned long long)(b & 0xffffffffffffULL));
}

void
rnd_suffix(char *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = alphabet[rnd_below(sizeof(alphabet) - 1)];
	out[n] = '\0';
}

uint64_t
hash_text(const char *s, size_t len)
{
	uint64_t h = 1469598103934665603ULL;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211ULL;
	h ^= h >> 32;
	return h * 0x9E3779B97F4A7C15ULL;
}

void
hash_suffix(const char *text, size_t len, char *out)
{
	uint64_t h = hash_text(text, len);

	for (int i = 0; i < 10; i++, h /= sizeof(alphabet) - 1)
		out[i] = alphabet[h % (sizeof(alphabet) - 1)];
	out[10] = '\0';
}

bool
starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}
