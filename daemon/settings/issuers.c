/* Issuers of tokens that airisd believes, and what is granted to whom of theirs. */
#include <string.h>
#include "settings/file.h"
#include "settings/table.h"

#define IN_ISSUER(member) .offset = offsetof(struct settings_issuer, member)
#define IN_RULE(member) .offset = offsetof(struct settings_rule, member)
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

#define MINUTE_MS INT64_C(60000)

/* YAML makes a number of 74 and a boolean of true; what claims are compared with is text. */
static bool
pin_text(const json_t *value, char *to, size_t size)
{
	if (json_is_integer(value))
		return str_print(to, size, "%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return str_print(to, size, "%s", json_is_true(value) ? "true" : "false");
	const char *text = json_string_value(value);
	return text != NULL && text[0] != '\0' && str_copy(to, size, text);
}

static void
parse_claims(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	struct settings_pins *pins = slot;
	json_t *walk = (json_t *)value, *item;
	const char *name;
	size_t count = json_object_size(value);
	if (!json_is_object(value) || count == 0 || count > SETTINGS_PINS) {
		keys_wrong(at, key, value);
		return;
	}
	json_object_foreach(walk, name, item)
	{
		struct settings_pin *pin = &pins->items[pins->count++];
		size_t mark = keys_enter(at, name);
		if (!str_copy(pin->claim, sizeof(pin->claim), name))
			keys_error(at, "expected: a claim's name of at most %zu bytes",
			    sizeof(pin->claim) - 1);
		if (!pin_text(item, pin->value, sizeof(pin->value)))
			keys_error(at,
			    "expected: a text of 1 to %zu bytes, such as "
			    "refs/heads/main",
			    sizeof(pin->value) - 1);
		keys_leave(at, mark);
	}
}

const struct key_type settings_claims = {
    .name = "1 to 8 claims as NAME: VALUE", .bare = true, .parse = parse_claims};

json_t *
settings_claims_json(const void *slot)
{
	const struct settings_pins *pins = slot;
	json_t *object = json_object();
	for (int i = 0; i < pins->count; i++)
		json_object_set_new(
		    object, pins->items[i].claim, json_string(pins->items[i].value));
	return object;
}

static void *
add_rule(void *record)
{
	struct settings_issuer *issuer = record;
	if (issuer->rule_count == SETTINGS_RULES)
		return NULL;
	return &issuer->rules[issuer->rule_count++];
}

const struct key settings_rule_keys[] = {
    {"claims", &settings_claims, NULL,
	"what the token must claim, such as repository_id: \"74\" and ref: refs/heads/main; * in a "
	"value stands for any characters",
	IN_RULE(pins), .required = true},
    {"role", &keys_choice, NULL, "what such a pipeline may, as in access", IN_RULE(role),
	.choices = settings_roles, .required = true},
    {"namespaces", &keys_globs, NULL, "whose apps; * stands for any characters",
	IN_RULE(namespaces), .required = true},
    {"apps", &keys_globs, "[\"*\"]", "which apps there", IN_RULE(apps)}, END};

const struct key settings_issuer_keys[] = {
    {"name", &keys_label, NULL, "what people call it, such as github", IN_ISSUER(name),
	.required = true},
    {"issuer", &keys_text, NULL,
	"https URL, to the letter as its tokens have it in iss, such as "
	"https://token.actions.githubusercontent.com",
	IN_ISSUER(url), .max = 256, .required = true},
    {"audience", &keys_text, NULL,
	"what its tokens must have in aud, such as https://airis.example.org: ask the issuer for "
	"tokens with it, so that nobody can show here what was made for another service",
	IN_ISSUER(audience), .max = 128, .required = true},
    {"keys", &keys_text, NULL, "https URL of its keys (JWKS); when not given: as it says itself",
	IN_ISSUER(keys), .max = 256},
    {"caFile", &settings_file, NULL, "PEM file to verify it by; when not given: the system's",
	IN_ISSUER(ca_file), .max = SETTINGS_PATH},
    {"tokenLife", &keys_duration, "1h", "how long a token is good that is given in exchange",
	IN_ISSUER(life_ms), .min = MINUTE_MS, .max = 24 * 60 * MINUTE_MS},
    {"rules", &keys_list, NULL, "who may what; the first that fits counts, and without one nobody",
	.max = SETTINGS_RULES, .inside = settings_rule_keys, .add = add_rule, .required = true},
    END};
