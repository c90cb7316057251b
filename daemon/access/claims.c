/* The checks of a token's claims, in the words of RFC 7519. */
#include "access/claims.h"

#include <stdlib.h>
#include <string.h>
#include "base/glob.h"
#include "base/jsonx.h"

static int
check_issuer(const json_t *claims, const char *issuer, struct err *why)
{
	const char *given = json_string_value(json_object_get(claims, "iss"));
	if (str_equal(given, issuer))
		return 0;
	return err_set(
	    why, "it is of the issuer \"%.128s\", not of %s", given ? given : "", issuer);
}

static bool
is_audience(const json_t *value, const char *audience)
{
	return str_equal(json_string_value(value), audience);
}

static int
check_audience(const json_t *claims, const char *audience, struct err *why)
{
	const json_t *given = json_object_get(claims, "aud"), *item;
	bool ours = is_audience(given, audience);
	size_t index;
	json_array_foreach(given, index, item) ours = ours || is_audience(item, audience);
	if (ours)
		return 0;
	return err_set(why,
	    "it is for the audience \"%.128s\"; ask the issuer for one with the "
	    "audience %s",
	    json_is_string(given) ? json_string_value(given) : "", audience);
}

/* Seconds; -1: it is not there. Some issuers write times with a fraction. */
static int64_t
read_time(const json_t *claims, const char *name)
{
	const json_t *value = json_object_get(claims, name);
	double seconds = json_number_value(value);
	return json_is_number(value) && seconds >= 0 && seconds < 1e11 ? (int64_t)seconds : -1;
}

int64_t
claims_expiry_s(const json_t *claims)
{
	return read_time(claims, "exp");
}

static int
check_not_before(const json_t *claims, const char *name, int64_t now_s, struct err *why)
{
	int64_t at_s = read_time(claims, name);
	if (json_object_get(claims, name) == NULL || (at_s >= 0 && at_s <= now_s + CLAIMS_SKEW_S))
		return 0;
	return err_set(why, "its %s is %lld s from now: is this host's clock right?", name,
	    (long long)(at_s - now_s));
}

static int
check_expiry(const json_t *claims, int64_t now_s, struct err *why)
{
	int64_t exp_s = claims_expiry_s(claims);
	if (exp_s < 0)
		return err_set(why, "it has no time of expiry (exp)");
	if (exp_s + CLAIMS_SKEW_S <= now_s)
		return err_set(why, "it has expired %lld s ago", (long long)(now_s - exp_s));
	if (exp_s > now_s + CLAIMS_LIFE_S + CLAIMS_SKEW_S)
		return err_set(why, "it is good for %lld s; at most %d are taken",
		    (long long)(exp_s - now_s), CLAIMS_LIFE_S);
	return 0;
}

int
claims_check(
    const json_t *claims, const char *issuer, const char *audience, int64_t now_s, struct err *why)
{
	if (check_issuer(claims, issuer, why) < 0 || check_audience(claims, audience, why) < 0 ||
	    check_expiry(claims, now_s, why) < 0)
		return -1;
	if (check_not_before(claims, "nbf", now_s, why) < 0)
		return -1;
	return check_not_before(claims, "iat", now_s, why);
}

/* --- rules ------------------------------------------------------------------------------------ */

static bool
pin_fits(const json_t *claims, const struct claims_pin *pin)
{
	const json_t *value = json_object_get(claims, pin->claim);
	if (json_is_string(value))
		return glob_matches(pin->value, json_string_value(value));
	if (!json_is_number(value) && !json_is_boolean(value))
		return false;
	char *text = jsonx_dump(value);
	bool fits = strcmp(pin->value, text) == 0;
	free(text);
	return fits;
}

static bool
is_pinned(const struct claims_pin *pins, int count, const char *claim)
{
	for (int i = 0; i < count; i++)
		if (strcmp(pins[i].claim, claim) == 0)
			return true;
	return false;
}

/* What tells where a pipeline's code comes from, and how it is called when that is a proposal. */
static const struct {
	const char *claim, *start;
} proposals[] = {{"event_name", "pull_request"}, {"pipeline_source", "merge_request_event"},
    {"pipeline_source", "external_pull_request_event"}};

bool
claims_fit(const json_t *claims, const struct claims_pin *pins, int count, struct err *why)
{
	for (int i = 0; i < count; i++)
		if (!pin_fits(claims, &pins[i])) {
			err_set(why, "its %s is not %s", pins[i].claim, pins[i].value);
			return false;
		}
	for (size_t i = 0; i < sizeof(proposals) / sizeof(proposals[0]); i++) {
		const char *claim = proposals[i].claim;
		const char *value = json_string_value(json_object_get(claims, claim));
		if (value == NULL || !str_starts(value, proposals[i].start) ||
		    is_pinned(pins, count, claim))
			continue;
		err_set(
		    why, "its %s is %.64s, which only a rule that asks for it takes", claim, value);
		return false;
	}
	return count > 0;
}

const char *
claims_pins_wrong(const struct claims_pin *pins, int count)
{
	static const char *const telling[] = {"sub", "repository", "repository_id",
	    "repository_owner_id", "project_id", "project_path", "namespace_id", "azp", "client_id",
	    "email"};
	for (int i = 0; i < count; i++)
		for (size_t t = 0; t < sizeof(telling) / sizeof(telling[0]); t++)
			if (strcmp(pins[i].claim, telling[t]) == 0 &&
			    strchr(pins[i].value, '*') == NULL)
				return NULL;
	return "names nobody: everyone with an account at this issuer would be let in; ask for a "
	       "repository_id, project_id, namespace_id or sub, without *";
}
