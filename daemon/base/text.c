/* What text means: durations, numbers, names, times. Part of base/str.h. Always true: a parser
 * takes the whole text or refuses it, and writes its result only on success. */
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
#define LONGEST_MS (36525 * DAY_MS)

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {{"d", DAY_MS}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
enum { UNITS = sizeof(units) / sizeof(units[0]) };

/* The number of the unit that the text starts with, from number first on; -1: none. */
static int
match_unit(const char *text, int first)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	for (int i = first; i < UNITS; i++) {
		if (strlen(units[i].name) == length && strncmp(text, units[i].name, length) == 0)
			return i;
	}
	return -1;
}

int
str_duration(const char *text, int64_t *ms)
{
	int64_t total = 0;
	int next = 0;

	if (text == NULL || *text == '\0')
		return -1;
	while (*text != '\0') {
		size_t digits = strspn(text, "0123456789");
		int unit = match_unit(text + digits, next);
		long long count;

		if (digits == 0 || digits > 15 || unit < 0)
			return -1;
		count = strtoll(text, NULL, 10);
		if (count > (LONGEST_MS - total) / units[unit].ms)
			return -1;
		total += count * units[unit].ms;
		text += digits + strlen(units[unit].name);
		next = unit + 1;
	}
	*ms = total;
	return 0;
}

void
str_duration_text(int64_t ms, char *to, size_t size)
{
	struct str s;
	uint64_t rest = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;

	str_init(&s, 0);
	if (ms < 0)
		str_add(&s, "-");
	for (int i = 0; i < UNITS; i++) {
		uint64_t count = rest / (uint64_t)units[i].ms;

		if (count > 0)
			str_addf(&s, "%llu%s", (unsigned long long)count, units[i].name);
		rest %= (uint64_t)units[i].ms;
	}
	str_copy(to, size, s.length == 0 ? "0s" : str_text(&s));
	str_done(&s);
}

int
str_number(const char *text, int64_t min, int64_t max, int64_t *value)
{
	const char *digits = text;
	char *end;
	long long number;

	if (text == NULL)
		return -1;
	if (*digits == '-')
		digits++;
	if (*digits < '0' || *digits > '9')
		return -1;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || number < min || number > max)
		return -1;
	*value = number;
	return 0;
}

int
str_real(const char *text, double *value)
{
	char *end;
	double number;

	/* strtod itself also takes spaces, hexadecimal, "inf" and "nan". */
	if (text == NULL || *text == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
		return -1;
	number = strtod(text, &end);
	if (*end != '\0' || !isfinite(number))
		return -1;
	*value = number;
	return 0;
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Length of a label at the start: letters and digits, hyphens only inside; 0: none. */
static size_t
label_length(const char *text)
{
	size_t length = 0;

	while (is_name_char(text[length]) || (length > 0 && text[length] == '-'))
		length++;
	return length > 0 && text[length - 1] == '-' ? 0 : length;
}

bool
str_is_dns_label(const char *text)
{
	size_t length = text == NULL ? 0 : label_length(text);

	return length > 0 && length <= 63 && text[length] == '\0';
}

bool
str_is_dns_name(const char *text)
{
	if (text == NULL || strnlen(text, 254) > 253)
		return false;
	for (;;) {
		size_t length = label_length(text);

		if (length == 0)
			return false;
		if (text[length] == '\0')
			return true;
		if (text[length] != '.')
			return false;
		text += length + 1;
	}
}

void
str_time_text(int64_t wall_ms, char *to, size_t size)
{
	int64_t ms = wall_ms % 1000;
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm parts = {0};

	if (ms < 0) {
		ms += 1000;
		seconds--;
	}
	gmtime_r(&seconds, &parts);
	str_print(to, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
	    parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)ms);
}

void
str_micro_text(int64_t wall_ms, char *to, size_t size)
{
	char ms[40];

	str_time_text(wall_ms, ms, sizeof(ms));
	(void)str_print(to, size, "%.*s000Z", (int)strcspn(ms, "Z"), ms);
}
