/* Small texts with a meaning: durations, numbers, names, images, times, listening addresses, paths
 * of requests, traceparents, answers of who takes spans. Each input is read as all of them. */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "api/api.h"
#include "base/id.h"
#include "base/jsonx.h"
#include "base/trace.h"
#include "cluster/observe_fields.h"
#include "cluster/route.h"
#include "http/httpd_room.h"
#include "mesh/read.h"
#include "model/release.h"
#include "traces/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_duration(const char *text)
{
	char again[64];
	int64_t ms, other;

	if (str_duration(text, &ms) < 0)
		return;
	assert(ms >= 0 && ms <= INT64_C(36525) * 86400000);
	str_duration_text(ms, again, sizeof(again));
	assert(str_duration(again, &other) == 0 && other == ms);
}

static void
check_numbers(const char *text)
{
	struct str written;
	int64_t number;
	double real, again;
	char *same;

	if (str_number(text, -1000, INT64_MAX, &number) == 0) {
		same = str_format("%lld", (long long)number);
		assert(number >= -1000 && text[strspn(text, "-0123456789")] == '\0');
		assert(text[strspn(text, "-0")] == '\0' || strstr(text, same + (number < 0)));
		free(same);
	}
	if (str_real(text, &real) < 0)
		return;
	assert(isfinite(real));
	str_init(&written, 0);
	jsonx_add_real(&written, real);
	assert(str_real(str_text(&written), &again) == 0 && again == real);
	str_done(&written);
}

static void
check_names(const char *text)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@";

	assert(!str_is_dns_label(text) || str_is_dns_name(text));
	assert(!str_is_dns_name(text) || strlen(text) <= 253);
	if (image_ok(text)) {
		char *tagged = str_format("%s@sha256:%064d", text, 7);

		assert(strlen(text) < APP_IMAGE && strspn(text, allowed) == strlen(text));
		assert(
		    strlen(tagged) >= APP_IMAGE || strchr(text, '@') != NULL || image_ok(tagged));
		free(tagged);
	}
	assert(!route_is_host(text, "web", "prod") || str_starts(text, "web"));
}

/* RFC 3339, UTC, as we write it ourselves. */
static void
check_times(const char *text)
{
	int64_t ms = mesh_read_time_ms(text), seconds = observe_time_ms(text);
	char written[64];

	if (ms <= 0 || strlen(text) < 20 || strlen(text) > 24 || text[strlen(text) - 1] != 'Z' ||
	    seconds <= 0)
		return;
	assert(seconds / 1000 == ms / 1000 || strchr(text, '.') != NULL);
	str_time_text(seconds, written, sizeof(written));
	assert(observe_time_ms(written) == seconds && mesh_read_time_ms(written) == seconds);
}

static void
check_address(const char *text)
{
	struct err e = {""};

	if (api_tcp_check(text, false, &e) < 0)
		assert(str_starts(e.text, text) || strlen(text) > 500 ||
		       !str_utf8_ok(text, strlen(text)));
	else
		assert(str_starts(text, "127.") || strchr(text, ':') != strrchr(text, ':'));
}

/* What is passed on is what was given, but for what later versions have at the end. */
static void
check_trace(const char *text)
{
	struct trace trace, again;
	char written[TRACE_PARENT], why[64];

	assert(otlp_rejected(text, strlen(text), why, sizeof(why)) >= 0);
	if (!trace_read(text, &trace))
		return;
	trace_write(&trace, trace.parent, written);
	assert(strncmp(written + 2, text + 2, 51) == 0);
	assert(
	    trace_given(&trace) && trace_read(written, &again) && trace.sampled == again.sampled);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size), cut[16];
	size_t length = strlen(text);

	check_duration(text);
	check_numbers(text);
	check_names(text);
	check_times(text);
	check_address(text);
	check_trace(text);
	assert(!httpd_check_uri(text) || text[0] == '/');
	if (str_utf8_ok(text, length)) {
		(void)str_copy(cut, sizeof(cut), text);
		assert(str_utf8_ok(cut, strlen(cut)) && str_starts(text, cut));
		(void)str_print(cut, sizeof(cut), "%s", text);
		assert(str_utf8_ok(cut, strlen(cut)) && str_starts(text, cut));
	}
	free(text);
	return 0;
}
