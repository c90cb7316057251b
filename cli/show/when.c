/* See when.h. All times are UTC, as in the logs of the daemon and of the cluster. */
#include "show/when.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/jsonx.h"
#include "base/str.h"

bool
when_parse(const char *text, int64_t *ms)
{
	struct tm parts = {0};
	const char *rest;
	int64_t part = 0, unit = 100;

	if (text == NULL)
		return false;
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	if (rest == NULL)
		return false;
	if (*rest == '.') {
		for (rest++; *rest >= '0' && *rest <= '9'; rest++) {
			part += (*rest - '0') * unit;
			unit /= 10;
		}
	}
	if (!str_equal(rest, "Z") && !str_equal(rest, "+00:00"))
		return false;
	*ms = (int64_t)timegm(&parts) * 1000 + part;
	return true;
}

bool
when_at(const json_t *value, const char *path, int64_t *ms)
{
	return when_parse(jsonx_text(value, path), ms);
}

void
when_span(int64_t ms, char to[WHEN_SIZE])
{
	long long s = ms < 0 ? 0 : (long long)(ms / 1000);

	if (s < 60)
		str_print(to, WHEN_SIZE, "%llds", s);
	else if (s < 3600)
		str_print(to, WHEN_SIZE, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		str_print(to, WHEN_SIZE, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		str_print(to, WHEN_SIZE, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

void
when_clock(int64_t ms, int64_t now_ms, char to[WHEN_SIZE])
{
	char text[WHEN_SIZE];

	str_time_text(ms, text, sizeof(text));
	text[19] = '\0'; /* without ms */
	text[10] = ' ';
	str_copy(to, WHEN_SIZE, ms / 86400000 == now_ms / 86400000 ? text + 11 : text);
}
