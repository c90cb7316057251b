/* From a CI system's token to what it is granted: keys that are fetched, rotated and out of reach,
 * rules, and tokens that are shown twice. The net is played by hand, and so is time. */
#include "jwt_maker.h"
#include "access/oidc.h"
#include "base/jsonx.h"
#include "virtual_loop.h"

#define ISSUER "https://ci.example"
#define KEYS ISSUER "/keys"
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static struct loop *loop;
static struct oidc *oidc;
static struct oidc_settings settings;
static EVP_PKEY *old_key, *new_key, *stranger;

/* --- the net ---------------------------------------------------------------------------------- */

static struct {
	uint64_t number; /* 0: nothing is asked */
	char url[256];
	struct httpc_request request;
	int count, cancelled;
} net;

struct httpc_pool *
httpc_pool_new(struct loop *of, int connections)
{
	assert_true(of == loop && connections > 0);
	return (struct httpc_pool *)&net;
}

void
httpc_pool_free(struct httpc_pool *pool)
{
	assert_ptr_equal(pool, &net);
	assert_int_equal(net.number, 0);
}

uint64_t
httpc_start(struct httpc_pool *pool, const struct httpc_request *request)
{
	assert_ptr_equal(pool, &net);
	assert_int_equal(net.number, 0);
	assert_true(request->timeout_ms > 0 && request->max_body > 0);
	assert_false(request->tls.insecure);
	net.request = *request;
	str_copy(net.url, sizeof(net.url), request->url);
	net.number = (uint64_t)++net.count;
	return net.number;
}

void
httpc_cancel(struct httpc_pool *pool, uint64_t number)
{
	assert_ptr_equal(pool, &net);
	assert_int_equal(number, net.number);
	net.number = 0;
	net.cancelled++;
}

static void
turn(void)
{
	for (int i = 0; i < 5; i++) {
		virtual_loop_advance(loop, 1);
		virtual_loop_turn(loop);
	}
}

static void
net_answer(enum httpc_outcome outcome, int status, const char *body)
{
	struct httpc_answer answer = {.number = net.number,
	    .outcome = outcome,
	    .status = status,
	    .body = body,
	    .body_length = strlen(body),
	    .error = outcome == HTTPC_ANSWERED ? NULL : "the line is dead"};
	assert_int_not_equal(net.number, 0);
	net.number = 0;
	net.request.on_done(net.request.ctx, &answer);
	turn();
}

static void
asked(const char *url)
{
	if (net.number == 0)
		fail_msg("nothing is asked; expected: %s", url);
	assert_string_equal(net.url, url);
}

static void
net_config(const char *issuer, const char *keys)
{
	char body[512];
	str_print(body, sizeof(body), "{\"issuer\": \"%s\", \"jwks_uri\": \"%s\"}", issuer, keys);
	net_answer(HTTPC_ANSWERED, 200, body);
}

static void
net_keys(EVP_PKEY *first, EVP_PKEY *second)
{
	struct str text;
	jwt_keys_begin(&text);
	if (first != NULL)
		jwt_add_ec(first, "old", &text);
	if (second != NULL)
		jwt_add_ec(second, "new", &text);
	str_add(&text, "]}");
	net_answer(HTTPC_ANSWERED, 200, str_text(&text));
	str_done(&text);
}

/* --- exchanges -------------------------------------------------------------------------------- */

static int64_t
wall_ms(void *ctx)
{
	(void)ctx;
	return INT64_C(1700000000000) + virtual_loop_now(loop);
}

static int64_t
mono_ms(void *ctx)
{
	(void)ctx;
	return virtual_loop_now(loop);
}

static const struct clock_port times = {.wall_ms = wall_ms, .mono_ms = mono_ms};

static int answers;
static struct oidc_answer last;
static char last_why[1024];

static void
on_answer(void *ctx, uint64_t number, const struct oidc_answer *answer)
{
	assert_ptr_equal(ctx, &answers);
	assert_int_equal(number, 7);
	answers++;
	last = *answer;
	str_copy(last_why, sizeof(last_why), answer->why);
}

static int tokens;

static char *
token_of(EVP_PKEY *key, const char *kid, const char *claims)
{
	char header[128], body[1024];
	str_print(header, sizeof(header), "{\"alg\": \"ES256\", \"kid\": \"%s\"}", kid);
	str_print(body, sizeof(body),
	    "{\"iss\": \"" ISSUER "\", \"aud\": \"airis\", \"exp\": %lld, \"jti\": \"%d\", %s}",
	    (long long)(wall_ms(NULL) / 1000 + 300), ++tokens, claims);
	return jwt_sign(key, header, body);
}

static void
show(const char *token)
{
	answers = 0;
	oidc_exchange(oidc, token, on_answer, &answers, 7);
	assert_int_equal(answers, 0); /* in a later turn */
	turn();
}

#define WEB "\"sub\": \"repo:shop/web\", \"repository_id\": \"74\""

static void
show_signed(EVP_PKEY *key, const char *kid, const char *claims)
{
	char *token = token_of(key, kid, claims);
	show(token);
	free(token);
}

static void
answered(enum oidc_verdict verdict, const char *why)
{
	assert_int_equal(answers, 1);
	if (last.verdict != verdict || strstr(last_why, why) == NULL)
		fail_msg("verdict %d: %s", (int)last.verdict, last_why);
}

/* --- the tests -------------------------------------------------------------------------------- */

static void
test_found_by_discovery(void **state)
{
	(void)state;
	show_signed(old_key, "old", WEB);
	assert_int_equal(answers, 0);
	asked(ISSUER "/.well-known/openid-configuration");
	net_config(ISSUER, KEYS);
	asked(KEYS);
	net_keys(old_key, NULL);
	answered(OIDC_GOOD, "");
	assert_string_equal(last.id, "oidc:ci:repo:shop/web");
	assert_string_equal(last.name, "repo:shop/web");
	assert_int_equal(last.grant.role, ROLE_DEPLOYER);
	/* The keys are kept. */
	show_signed(old_key, "old", WEB);
	answered(OIDC_GOOD, "");
	show_signed(stranger, "old", WEB);
	answered(OIDC_BAD, "signature");
	assert_int_equal(net.count, 2);
}

static void
learn_keys(void)
{
	show_signed(old_key, "old", WEB);
	net_config(ISSUER, KEYS);
	net_keys(old_key, NULL);
	answered(OIDC_GOOD, "");
}

static void
test_each_rule_has_its_role(void **state)
{
	(void)state;
	learn_keys();
	show_signed(old_key, "old", "\"sub\": \"repo:shop/ops\", \"repository_id\": \"75\"");
	answered(OIDC_GOOD, "");
	assert_int_equal(last.grant.role, ROLE_APPROVER);
	show_signed(old_key, "old", "\"sub\": \"repo:other/web\", \"repository_id\": \"76\"");
	answered(OIDC_NO_RULE, "its repository_id is not 75");
	assert_string_equal(last.id, "oidc:ci:repo:other/web");
	show_signed(old_key, "old", WEB ", \"event_name\": \"pull_request\"");
	answered(OIDC_NO_RULE, "");
	show_signed(old_key, "old", "\"repository_id\": \"74\"");
	answered(OIDC_BAD, "(sub)");
}

static void
test_who_it_is_has_bounds(void **state)
{
	char claims[512], first[PRINCIPAL_ID];
	(void)state;
	learn_keys();
	str_print(claims, sizeof(claims), "\"sub\": \"%0200d1\", \"repository_id\": \"74\"", 0);
	show_signed(old_key, "old", claims);
	answered(OIDC_GOOD, "");
	assert_true(str_starts(last.id, "oidc:ci:sha256:"));
	str_copy(first, sizeof(first), last.id);
	str_print(claims, sizeof(claims), "\"sub\": \"%0200d2\", \"repository_id\": \"74\"", 0);
	show_signed(old_key, "old", claims);
	answered(OIDC_GOOD, "");
	assert_string_not_equal(last.id, first);
	show_signed(old_key, "old", "\"sub\": \"a\\nb\", \"repository_id\": \"74\"");
	answered(OIDC_BAD, "(sub)");
	/* None can look like another one behind a name, nor like a digest. */
	show_signed(old_key, "old", "\"sub\": \"repo:x uid=0\", \"repository_id\": \"74\"");
	answered(OIDC_GOOD, "");
	assert_true(str_starts(last.id, "oidc:ci:sha256:"));
	str_print(claims, sizeof(claims), "\"sub\": \"%s\", \"repository_id\": \"74\"",
	    first + strlen("oidc:ci:"));
	show_signed(old_key, "old", claims);
	answered(OIDC_GOOD, "");
	assert_string_not_equal(last.id, first);
}

static void
test_shown_once(void **state)
{
	(void)state;
	learn_keys();
	char *token = token_of(old_key, "old", WEB);
	show(token);
	answered(OIDC_GOOD, "");
	show(token);
	answered(OIDC_BAD, "shown before");
	free(token);
	/* Without a number of its own, what is signed tells it apart. */
	token = jwt_sign(old_key, "{\"alg\": \"ES256\", \"kid\": \"old\"}",
	    "{\"iss\": \"" ISSUER "\", \"aud\": \"airis\", \"exp\": 1700000100, " WEB "}");
	show(token);
	answered(OIDC_GOOD, "");
	show(token);
	answered(OIDC_BAD, "shown before");
	free(token);
}

static void
test_expired(void **state)
{
	(void)state;
	learn_keys();
	char *token = token_of(old_key, "old", WEB);
	virtual_loop_advance(loop, 400 * SECOND);
	show(token);
	answered(OIDC_BAD, "expired");
	free(token);
}

static void
test_of_nobody_known(void **state)
{
	(void)state;
	show("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZSJ9.AA");
	answered(OIDC_BAD, "\"https://evil.example\" is not in the settings");
	show("not a token");
	answered(OIDC_BAD, "three parts");
	assert_int_equal(net.count, 0); /* nobody is asked for those */
}

/* The issuer has a new key: it is fetched for the first token that names it. */
static void
test_rotation(void **state)
{
	(void)state;
	learn_keys();
	virtual_loop_advance(loop, MINUTE);
	show_signed(new_key, "new", WEB);
	assert_int_equal(answers, 0);
	/* Who needs no new one does not wait for it. */
	show_signed(old_key, "old", WEB);
	answered(OIDC_GOOD, "");
	answers = 0;
	net_config(ISSUER, KEYS);
	net_keys(old_key, new_key);
	answered(OIDC_GOOD, "");
}

/* Tokens with keys that nobody has make us ask once a minute, not once each. */
static void
test_a_flood_of_unknown_keys(void **state)
{
	(void)state;
	learn_keys();
	int before = net.count;
	for (int i = 0; i < 20; i++) {
		show_signed(stranger, "made up", WEB);
		answered(OIDC_BAD, "no ES256 key \"made up\"");
	}
	assert_int_equal(net.count, before);
	virtual_loop_advance(loop, MINUTE);
	show_signed(stranger, "made up", WEB);
	net_config(ISSUER, KEYS);
	net_keys(old_key, NULL);
	answered(OIDC_BAD, "made up");
	show_signed(stranger, "made up", WEB);
	answered(OIDC_BAD, "made up");
	assert_int_equal(net.count, before + 2);
}

static void
test_keys_are_fetched_again_and_kept_when_they_cannot_be(void **state)
{
	(void)state;
	learn_keys();
	virtual_loop_advance(loop, HOUR);
	show_signed(old_key, "old", WEB);
	assert_int_equal(answers, 0);
	net_answer(HTTPC_NOT_SENT, 0, "");
	answered(OIDC_GOOD, ""); /* by the old keys */
	virtual_loop_advance(loop, 23 * HOUR);
	show_signed(old_key, "old", WEB);
	assert_int_equal(answers, 0);
	net_answer(HTTPC_ANSWERED, 503, "");
	answered(OIDC_AWAY, "status 503");
}

/* The first failure costs two seconds, the sixth a minute. */
static void
test_out_of_reach(void **state)
{
	(void)state;
	show_signed(old_key, "old", WEB);
	net_answer(HTTPC_NOT_SENT, 0, "");
	answered(OIDC_AWAY, "the line is dead");
	int64_t waits[] = {1800, 3600, 7400, 14900, 29900, 59900, 59900};
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		int before = net.count;
		virtual_loop_advance(loop, waits[i]);
		show_signed(old_key, "old", WEB);
		answered(OIDC_AWAY, "the line is dead");
		assert_int_equal(net.count, before);
		virtual_loop_advance(loop, 200);
		show_signed(old_key, "old", WEB);
		assert_int_equal(answers, 0);
		net_answer(HTTPC_UNKNOWN, 0, "");
		answered(OIDC_AWAY, "the line is dead");
	}
	virtual_loop_advance(loop, MINUTE);
	learn_keys();
}

static void
refused_config(const char *issuer, const char *keys, const char *why)
{
	virtual_loop_advance(loop, MINUTE);
	show_signed(old_key, "old", WEB);
	net_config(issuer, keys);
	answered(OIDC_AWAY, why);
	assert_int_equal(net.number, 0);
}

/* Where the keys are is said by whoever answers: it must not lead us away. */
static void
test_a_configuration_that_leads_elsewhere(void **state)
{
	(void)state;
	refused_config("https://other.example", KEYS, "calls itself \"https://other.example\"");
	refused_config(ISSUER "/", KEYS, "calls itself");
	refused_config(ISSUER, "https://169.254.169.254/keys", "not at its own host");
	refused_config(ISSUER, "http://ci.example/keys", "not at its own host");
	refused_config(ISSUER, "https://ci.example:8443/keys", "not at its own host");
	refused_config(ISSUER, "https://ci.example@evil.example/keys", "not at its own host");
	refused_config(ISSUER, "file:///etc/passwd", "not at its own host");
	virtual_loop_advance(loop, MINUTE);
	show_signed(old_key, "old", WEB);
	net_config(ISSUER, "https://ci.example:443/other/keys"); /* the same host */
	asked("https://ci.example:443/other/keys");
	net_answer(HTTPC_ANSWERED, 200, "{\"keys\": []}");
	answered(OIDC_AWAY, "its keys: it holds no key");
}

static void
test_keys_named_in_the_settings(void **state)
{
	(void)state;
	str_copy(settings.issuers[0].keys, sizeof(settings.issuers[0].keys),
	    "https://keys.example/jwks");
	oidc_set(oidc, &settings);
	show_signed(old_key, "old", WEB);
	asked("https://keys.example/jwks");
	net_keys(old_key, NULL);
	answered(OIDC_GOOD, "");
}

static void
test_new_settings(void **state)
{
	(void)state;
	show_signed(old_key, "old", WEB);
	answers = 0;
	settings.rules[0].grant.role = ROLE_VIEWER;
	oidc_set(oidc, &settings);
	turn();
	answered(OIDC_AWAY, "read again");
	/* The issuer is the same, so its answer still comes. */
	net_config(ISSUER, KEYS);
	net_keys(old_key, NULL);
	show_signed(old_key, "old", WEB);
	answered(OIDC_GOOD, "");
	assert_int_equal(last.grant.role, ROLE_VIEWER);
	settings.issuer_count = settings.rule_count = 0;
	oidc_set(oidc, &settings);
	show_signed(old_key, "old", WEB);
	answered(OIDC_BAD, "not in the settings");
}

static void
test_too_many(void **state)
{
	(void)state;
	char *token = token_of(old_key, "old", WEB);
	answers = 0;
	for (int i = 0; i < 100; i++)
		oidc_exchange(oidc, token, on_answer, &answers, 7);
	turn();
	assert_int_equal(answers, 36);
	answers = 0;
	net_config(ISSUER, KEYS);
	net_keys(old_key, NULL);
	assert_int_equal(answers, 64);
	free(token);
}

static void
test_the_end_while_it_is_asked(void **state)
{
	(void)state;
	show_signed(old_key, "old", WEB);
	oidc_free(oidc);
	oidc = NULL;
	assert_int_equal(net.cancelled, 1);
	assert_int_equal(answers, 0);
}

static void
url_refused(const char *url, const char *keys)
{
	struct err e;
	assert_int_equal(issuer_check(&(struct issuer_settings){.url = url, .keys = keys}, &e), -1);
	assert_non_null(strstr(e.text, "https://"));
}

static void
test_urls(void **state)
{
	struct err e;
	(void)state;
	assert_int_equal(issuer_check(&(struct issuer_settings){.url = ISSUER}, &e), 0);
	assert_int_equal(issuer_check(&(struct issuer_settings){.url = ISSUER "/path/"}, &e), 0);
	url_refused("http://ci.example", NULL);
	url_refused("ci.example", NULL);
	url_refused("https://a:b@ci.example", NULL);
	url_refused("https://ci.example/?a=b", NULL);
	url_refused("https://ci.example/#a", NULL);
	url_refused("ftp://ci.example", NULL);
	url_refused("", NULL);
	url_refused(ISSUER, "http://ci.example/keys");
}

/* --- around ----------------------------------------------------------------------------------- */

static struct oidc_rule
rule_of(const char *claim, const char *value, enum role role)
{
	struct oidc_rule rule = {.pin_count = 1, .grant = {.role = role}};
	str_copy(rule.pins[0].claim, sizeof(rule.pins[0].claim), claim);
	str_copy(rule.pins[0].value, sizeof(rule.pins[0].value), value);
	return rule;
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	memset(&net, 0, sizeof(net));
	settings = (struct oidc_settings){.issuer_count = 1,
	    .issuers = {{.name = "ci", .url = ISSUER, .audience = "airis"}},
	    .rule_count = 2,
	    .rules = {rule_of("repository_id", "74", ROLE_DEPLOYER),
		rule_of("repository_id", "75", ROLE_APPROVER)}};
	oidc = oidc_new(loop, &times, &settings);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	oidc_free(oidc);
	loop_free(loop);
	return 0;
}

static int
make_keys(void **state)
{
	(void)state;
	old_key = EVP_EC_gen("P-256");
	new_key = EVP_EC_gen("P-256");
	stranger = EVP_EC_gen("P-256");
	return old_key && new_key && stranger ? 0 : -1;
}

static int
free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(old_key);
	EVP_PKEY_free(new_key);
	EVP_PKEY_free(stranger);
	return 0;
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    TEST(test_found_by_discovery),
	    TEST(test_each_rule_has_its_role),
	    TEST(test_who_it_is_has_bounds),
	    TEST(test_shown_once),
	    TEST(test_expired),
	    TEST(test_of_nobody_known),
	    TEST(test_rotation),
	    TEST(test_a_flood_of_unknown_keys),
	    TEST(test_keys_are_fetched_again_and_kept_when_they_cannot_be),
	    TEST(test_out_of_reach),
	    TEST(test_a_configuration_that_leads_elsewhere),
	    TEST(test_keys_named_in_the_settings),
	    TEST(test_new_settings),
	    TEST(test_too_many),
	    TEST(test_the_end_while_it_is_asked),
	    TEST(test_urls),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
