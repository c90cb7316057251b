/* What is told, when it is tried again, and how it is signed: the pure parts of webhooks. */
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "hooks/hooks.h"
#include "hooks/pace.h"
#include "hooks/say.h"
#include "hooks/sign.h"

#define HOUR (INT64_C(3600) * 1000)
#define MINUTE (INT64_C(60) * 1000)

static void
the_signature_covers_time_and_body(void **state)
{
	char text[SIGN_TEXT], other[SIGN_TEXT];
	(void)state;
	/* openssl: printf '1764457200.{"a":1}' | openssl dgst -sha256 -hmac secret */
	sign_text("secret", 6, 1764457200, "{\"a\":1}", text);
	assert_string_equal(
	    text, "v1=eb3f693028c710987f70cbb649bca41137435e70668fb2312b8efb42ee08aee1");
	sign_text("secret", 6, 1764457201, "{\"a\":1}", other);
	assert_string_not_equal(text, other);
	sign_text("secret", 6, 1764457200, "{\"a\":2}", other);
	assert_string_not_equal(text, other);
	/* Another key. */
	sign_text("Jefe", 4, 1764457200, "{\"a\":1}", other);
	assert_string_not_equal(text, other);
}

static void
the_pace(void **state)
{
	(void)state;
	assert_int_equal(pace_delay_ms(1, -1, 0), 1000);
	assert_int_equal(pace_delay_ms(1, -1, 0.999), 1249);
	assert_int_equal(pace_delay_ms(2, -1, 0), 2000);
	assert_int_equal(pace_delay_ms(10, -1, 0), 512000);
	assert_int_equal(pace_delay_ms(11, -1, 0), 600000);
	assert_int_equal(pace_delay_ms(1000000, -1, 0), 600000);
	assert_int_equal(pace_delay_ms(1, 7000, 0), 7000);
	assert_int_equal(pace_delay_ms(10, 7000, 0), 512000);
	assert_int_equal(pace_delay_ms(1, 24 * HOUR, 0), HOUR);
	assert_int_equal(pace_verdict(200), PACE_TAKEN);
	assert_int_equal(pace_verdict(299), PACE_TAKEN);
	assert_int_equal(pace_verdict(302), PACE_AGAIN);
	assert_int_equal(pace_verdict(410), PACE_GONE);
	assert_int_equal(pace_verdict(429), PACE_AGAIN);
	assert_int_equal(pace_verdict(0), PACE_AGAIN);
	for (int status = 400; status < 500; status++)
		assert_int_equal(
		    pace_is_choosy(status), status != 408 && status != 425 && status != 429);
	assert_false(pace_is_choosy(0) || pace_is_choosy(302) || pace_is_choosy(500));
	assert_int_equal(pace_flap(-1, false, 1), PACE_SEND);
	assert_int_equal(pace_flap(-1, true, 1), PACE_SKIP);
	assert_int_equal(pace_flap(1000, false, 1000 + MINUTE - 1), PACE_HOLD);
	assert_int_equal(pace_flap(1000, false, 1000 + MINUTE), PACE_SEND);
}

static enum notice
noted(enum event_kind kind, enum phase from, enum phase to, const char *waited, const char *waits)
{
	struct rollout r = {.phase = from};
	str_copy(r.waiting.object, sizeof(r.waiting.object), waited);
	struct notice_mark before = notice_mark(&r);
	r.phase = to;
	str_copy(r.waiting.object, sizeof(r.waiting.object), waits);
	return notice_of(&r, kind, &before);
}

static void
what_is_a_notice(void **state)
{
	(void)state;
#define PHASES(from, to) noted(EVENT_PHASE, PHASE_##from, PHASE_##to, "", "")
	assert_int_equal(PHASES(QUEUED, PROGRESSING), NOTICES);
	assert_int_equal(PHASES(PROGRESSING, PAUSED), NOTICE_PAUSED);
	assert_int_equal(PHASES(PAUSED, PROGRESSING), NOTICE_RESUMED);
	assert_int_equal(PHASES(PAUSED, PAUSED), NOTICES);
	assert_int_equal(PHASES(PROGRESSING, SUCCEEDED), NOTICE_SUCCEEDED);
	assert_int_equal(PHASES(PAUSED, ABORTING), NOTICE_ABORTING);
	assert_int_equal(PHASES(ABORTING, ABORTED), NOTICE_ABORTED);
	assert_int_equal(PHASES(ABORTING, FAILED), NOTICE_FAILED);
	assert_int_equal(noted(EVENT_CREATED, PHASE_QUEUED, PHASE_QUEUED, "", ""), NOTICE_STARTED);
	assert_int_equal(
	    noted(EVENT_STAGE, PHASE_PROGRESSING, PHASE_PROGRESSING, "", ""), NOTICE_STAGE);
	assert_int_equal(noted(EVENT_WAITS, PHASE_PROGRESSING, PHASE_PROGRESSING, "", "Approval"),
	    NOTICE_APPROVAL);
	assert_int_equal(
	    noted(EVENT_WAITS, PHASE_PROGRESSING, PHASE_PROGRESSING, "Approval", "Approval"),
	    NOTICES);
	assert_int_equal(
	    noted(EVENT_WAITS, PHASE_PROGRESSING, PHASE_PROGRESSING, "", "Gate"), NOTICES);
	assert_int_equal(noted(EVENT_ACT, PHASE_PROGRESSING, PHASE_PAUSED, "", ""), NOTICES);
	for (int i = 0; i < NOTICES; i++)
		assert_int_equal(notice_of_name(notice_name((enum notice)i)), i);
}

static void
only_https_or_this_host(void **state)
{
	static const char *const good[] = {"https://hooks.example/x?y=1", "http://127.0.0.1:8/x",
	    "http://localhost/x", "http://[::1]:90/x", "https://192.168.0.1/x"};
	static const char *const bad[] = {"http://hooks.example/x", "http://169.254.169.254/x",
	    "http://[::ffff:127.0.0.1]/x", "https://u@hooks.example/", "https://u:p@hooks.example/",
	    "https://hooks.example/#x", "ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1",
	    "http://localhost.example/", "http://127.0.0.1@evil.example/", ""};
	struct err e;
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(hooks_check(&(struct hooks_hook){.url = good[i]}, &e), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (hooks_check(&(struct hooks_hook){.url = bad[i]}, &e) == 0)
			fail_msg("%s is taken", bad[i]);
}

static void
alerts_begin_and_end(void **state)
{
	static const char *const events[] = {"approval", "stage"};
	const int64_t at_ms = INT64_C(1764457200000);
	char at[40], over[40];
	(void)state;
	str_time_text(at_ms, at, sizeof(at));
	str_time_text(at_ms - 5 * MINUTE, over, sizeof(over));
	for (int i = 0; i < 2; i++) {
		const struct say_row row = {.id = "d-1",
		    .event = events[i],
		    .at_ms = at_ms,
		    .data = "{\"rollout\":{\"id\":\"r-1\"}}"};
		char *body = say_body(SAY_ALERTMANAGER, &row);
		struct err e;
		json_t *alerts = jsonx_parse(body, strlen(body), 1 << 16, &e);
		const json_t *waits = json_array_get(alerts, 0), *bad = json_array_get(alerts, 1);
		assert_string_equal(jsonx_text(waits, "labels.alertname"), "AirisRolloutWaits");
		assert_string_equal(jsonx_text(waits, "labels.rollout"), "r-1");
		assert_string_equal(jsonx_text(waits, "startsAt"), i == 0 ? at : over);
		assert_int_equal(strcmp(jsonx_text(waits, "endsAt"), at) > 0, i == 0);
		assert_string_equal(jsonx_text(bad, "labels.alertname"), "AirisRolloutFailed");
		/* Over for an Alertmanager whose clock is minutes behind, too. */
		assert_string_equal(jsonx_text(bad, "startsAt"), over);
		assert_string_equal(jsonx_text(bad, "endsAt"), over);
		json_decref(alerts);
		free(body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_signature_covers_time_and_body),
	    cmocka_unit_test(the_pace),
	    cmocka_unit_test(what_is_a_notice),
	    cmocka_unit_test(only_https_or_this_host),
	    cmocka_unit_test(alerts_begin_and_end),
	};
	return cmocka_run_group_tests_name("notices", tests, NULL, NULL);
}
