/* Growing strings with a bound, and small text helpers. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"

struct str {
	char *data; /* always NUL-terminated once something was added; NULL when empty */
	size_t length;
	size_t limit; /* bytes; 0: no bound. What would go over it is dropped and full is set */
	bool full;
	size_t room; /* allocated */
};

void str_init(struct str *s, size_t limit);
void str_done(struct str *s);
void str_add(struct str *s, const char *text); /* cuts, if it must, between characters */
void str_add_bytes(struct str *s, const void *bytes, size_t count);
void str_addf(struct str *s, const char *format, ...) printf_like(2, 3);
void str_clear(struct str *s);
char *str_take(struct str *s); /* the caller owns the text ("" when empty); s is empty again */
const char *str_text(const struct str *s); /* never NULL */

char *str_format(const char *format, ...) printf_like(1, 2); /* owned by the caller */
char *str_vformat(const char *format, va_list args) printf_like(1, 0);
/* Copies with a bound and a NUL; false if it had to cut. */
bool str_copy(char *to, size_t size, const char *from);
bool str_print(char *to, size_t size, const char *format, ...) printf_like(3, 4);
bool str_equal(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
bool str_utf8_ok(const char *bytes, size_t length);
/* Length in bytes (1-4) of the UTF-8 character at the start; 0 if there is none. */
size_t str_utf8_char(const char *bytes, size_t length);

/* "250ms" "10s" "5m" "1h30m" "2d" -> ms; -1 on failure. A bare number is refused, and so are
 * units out of order and more than 100 years. */
must_check int str_duration(const char *text, int64_t *ms);
void str_duration_text(int64_t ms, char *to, size_t size); /* "1h30m", "1d", "1s500ms" */
must_check int str_number(const char *text, int64_t min, int64_t max, int64_t *value);
must_check int str_real(const char *text, double *value); /* strict strtod; finite only */
/* RFC 1123 label or subdomain, as Kubernetes names are. */
bool str_is_dns_label(const char *text);
bool str_is_dns_name(const char *text);
void str_time_text(int64_t wall_ms, char *to, size_t size); /* RFC 3339, UTC, ms */
/* The same with six digits, which is how Kubernetes wants a MicroTime. */
void str_micro_text(int64_t wall_ms, char *to, size_t size);

#endif
