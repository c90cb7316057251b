/* util: memory, growing text, clocks, random numbers and durations for the simulator. Every
 * allocator here ends the program when memory runs out, so callers never check. */
#ifndef SIM_UTIL_H
#define SIM_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *p;
	size_t len, cap;
};

void *xalloc(size_t n); /* zeroed */
void *xgrow(void *p, size_t n);
char *xdup(const char *s);

/* buf: text that is always NUL-terminated once something was added. */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *b);
/* A new string, owned by the caller. */
char *xfmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds of a clock that never goes back. */
uint64_t now_ms(void);
/* Wall time as Kubernetes writes it, whole seconds, UTC; out holds at least 32 bytes. */
void wall_text(char *out, size_t cap);
/* Seconds since 1970 of such a text, or 0. */
int64_t wall_parse(const char *s);
int64_t wall_now(void);

/* "300ms", "1.5s", "2m", "1h" or plain seconds as milliseconds; -1 if it is none of these. */
int64_t duration_ms(const char *s);

void rnd_seed(uint64_t seed);
uint64_t rnd_next(void);
uint64_t rnd_below(uint64_t n); /* 0 … n-1; 0 for n = 0 */
double rnd_unit(void);		/* [0, 1) */
double rnd_normal(void);
/* A random version-4 UUID; out holds 37 bytes. */
void rnd_uuid(char *out);
/* n characters of the alphabet that Kubernetes uses for suffixes, and a NUL. */
void rnd_suffix(char *out, size_t n);
/* The same alphabet, 10 characters, from a hash of the text; out holds 11 bytes. */
void hash_suffix(const char *text, size_t len, char *out);
uint64_t hash_text(const char *s, size_t len);

bool starts_with(const char *s, const char *prefix);

#endif
