/* What an unquoted scalar means. Always true: only the spellings of the core schema are special;
 * `no`, `on` and dates are text. */
#include "base/yaml_plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"

static bool
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

static const char *
skip_digits(const char *text)
{
	return text + strspn(text, "0123456789");
}

static const char *
skip_sign(const char *text)
{
	return *text == '-' || *text == '+' ? text + 1 : text;
}

/* 10, 8 or 16 when the text is an integer of the core schema; 0 otherwise. */
static int
integer_base(const char *text)
{
	const char *digits = skip_sign(text);

	if (*digits != '\0' && *skip_digits(digits) == '\0')
		return 10;
	if (strncmp(text, "0o", 2) == 0 && text[2] != '\0')
		return text[2 + strspn(text + 2, "01234567")] == '\0' ? 8 : 0;
	if (strncmp(text, "0x", 2) == 0 && text[2] != '\0')
		return text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0' ? 16 : 0;
	return 0;
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ([eE][-+]?[0-9]+)? */
static bool
is_real(const char *text)
{
	const char *whole = skip_sign(text), *at = skip_digits(whole);

	if (*at == '.') {
		const char *fraction = at + 1;
		bool bare = at == whole;

		at = skip_digits(fraction);
		if (bare && at == fraction)
			return false;
	} else if (at == whole) {
		return false;
	}
	if (*at == 'e' || *at == 'E') {
		const char *exponent = skip_sign(at + 1);

		at = skip_digits(exponent);
		if (at == exponent)
			return false;
	}
	return *at == '\0';
}

static json_t *
integer_value(const char *text, int base, struct err *e)
{
	long long value;

	errno = 0;
	value = strtoll(base == 10 ? text : text + 2, NULL, base);
	if (errno != 0) {
		err_set(e, "the number %.40s does not fit into 64 bits; quote it if it is a text",
		    text);
		return NULL;
	}
	return json_integer(value);
}

static json_t *
real_value(const char *text, struct err *e)
{
	double value;

	if (str_real(text, &value) != 0) {
		err_set(e, "the number %.40s is too large; quote it if it is a text", text);
		return NULL;
	}
	return json_real(value);
}

json_t *
yaml_plain(const char *text, struct err *e)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
	static const char *const not_numbers[] = {".nan", ".NaN", ".NAN", NULL};
	json_t *value;
	int base;

	if (is_one_of(text, nulls))
		return json_null();
	if (is_one_of(text, trues))
		return json_true();
	if (is_one_of(text, falses))
		return json_false();
	base = integer_base(text);
	if (base != 0)
		return integer_value(text, base, e);
	if (is_real(text))
		return real_value(text, e);
	if (is_one_of(skip_sign(text), infinities) || is_one_of(text, not_numbers)) {
		err_set(e, "%s is not allowed as a number; quote it if it is a text", text);
		return NULL;
	}
	value = json_string(text);
	if (value == NULL)
		log_fatal("yaml: a scalar that is not UTF-8");
	return value;
}
