/* httproutes: see httproutes.h. Names of rules need not be unique: that is a rule of the
 * experimental channel only. */
#include "httproutes.h"

#include "jx.h"
#include "util.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- defaults ----------------------------------------------------------------------------- */

/* null counts as not given. */
static bool
absent(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return v == NULL || json_is_null(v);
}

static void
text(json_t *o, const char *key, const char *value)
{
	if (json_is_object(o) && absent(o, key))
		jx_set_str(o, key, value);
}

static void
number(json_t *o, const char *key, int64_t value)
{
	if (json_is_object(o) && absent(o, key))
		jx_set_int(o, key, value);
}

/* Everything that starts with "/". */
static json_t *
any_path(void)
{
	return json_pack("{s:s, s:s}", "type", "PathPrefix", "value", "/");
}

static void
default_reference(json_t *ref, const char *group, const char *kind)
{
	text(ref, "group", group);
	text(ref, "kind", kind);
}

static void
default_filters(json_t *owner)
{
	json_t *filters = jx_own_list(owner, "filters"), *f, *mirror;
	size_t i;

	json_array_foreach(filters, i, f)
	{
		if (!json_is_object(json_object_get(f, "requestMirror")))
			continue;
		mirror = jx_own(f, "requestMirror");
		if (json_is_object(json_object_get(mirror, "backendRef")))
			default_reference(jx_own(mirror, "backendRef"), "", "Service");
		if (json_is_object(json_object_get(mirror, "fraction")))
			number(jx_own(mirror, "fraction"), "denominator", 100);
	}
}

static void
default_named(json_t *match, const char *key)
{
	json_t *list = jx_own_list(match, key), *one;
	size_t i;

	json_array_foreach(list, i, one) text(one, "type", "Exact");
}

static void
default_match(json_t *match)
{
	if (absent(match, "path"))
		json_object_set_new(match, "path", any_path());
	if (json_is_object(json_object_get(match, "path"))) {
		json_t *path = jx_own(match, "path");

		text(path, "type", "PathPrefix");
		text(path, "value", "/");
	}
	default_named(match, "headers");
	default_named(match, "queryParams");
}

static void
default_rule(json_t *rule)
{
	json_t *list, *one;
	size_t i;

	if (absent(rule, "matches"))
		json_object_set_new(rule, "matches", json_pack("[{}]"));
	list = jx_own_list(rule, "matches");
	json_array_foreach(list, i, one)
	{
		if (json_is_object(one))
			default_match(one);
	}
	list = jx_own_list(rule, "backendRefs");
	json_array_foreach(list, i, one)
	{
		default_reference(one, "", "Service");
		number(one, "weight", 1);
		default_filters(one);
	}
	default_filters(rule);
}

void
httproute_defaults(json_t *root)
{
	json_t *spec, *list, *one;
	size_t i;

	if (!json_is_object(json_object_get(root, "spec")))
		return;
	spec = jx_own(root, "spec");
	list = jx_own_list(spec, "parentRefs");
	json_array_foreach(list, i, one)
	    default_reference(one, "gateway.networking.k8s.io", "Gateway");
	if (absent(spec, "rules"))
		json_object_set_new(spec, "rules", json_pack("[{}]"));
	list = jx_own_list(spec, "rules");
	json_array_foreach(list, i, one)
	{
		if (json_is_object(one))
			default_rule(one);
	}
}

/* --- checks ------------------------------------------------------------------------------- */

#define NAME_PATTERN "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

/* What is wrong so far. Rules that compare fields are checked only if the form is right. */
struct check {
	json_t *causes;
	bool malformed;
};

static void __attribute__((format(printf, 4, 5)))
wrong(struct check *c, const char *reason, const char *field, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	json_array_append_new(c->causes,
	    json_pack("{s:s, s:s, s:s}", "reason", reason, "message", message, "field", field));
}

static const char *
type_of(const json_t *v)
{
	return json_is_object(v)    ? "object"
	       : json_is_array(v)   ? "array"
	       : json_is_string(v)  ? "string"
	       : json_is_boolean(v) ? "boolean"
	       : json_is_integer(v) ? "integer"
	       : json_is_null(v)    ? "null"
				    : "float64";
}

/* v has this JSON type, or is not there and need not be; false: nothing inside can be checked. */
static bool
has_type(struct check *c, const json_t *v, const char *type, const char *field, bool required)
{
	if (v == NULL && required) {
		wrong(c, "FieldValueRequired", field, "Required value");
		c->malformed = true;
	}
	if (v == NULL)
		return false;
	if (strcmp(type_of(v), type) == 0)
		return true;
	wrong(c, "FieldValueTypeInvalid", field,
	    "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", type_of(v), field, type,
	    type_of(v));
	c->malformed = true;
	return false;
}

/* A list in bounds, or not there. */
static bool
is_list(struct check *c, const json_t *v, size_t most, const char *field)
{
	if (!has_type(c, v, "array", field, false))
		return false;
	if (json_array_size(v) <= most)
		return true;
	wrong(c, "FieldValueTooMany", field, "Too many: %zu: must have at most %zu items",
	    json_array_size(v), most);
	c->malformed = true;
	return false;
}

static void
check_range(struct check *c, const json_t *v, json_int_t least, json_int_t most, const char *field)
{
	json_int_t n = json_integer_value(v);

	if (!has_type(c, v, "integer", field, false))
		return;
	if (n < least)
		wrong(c, "FieldValueInvalid", field,
		    "Invalid value: %lld: %s in body should be greater than or equal to %lld",
		    (long long)n, field, (long long)least);
	if (n > most)
		wrong(c, "FieldValueInvalid", field,
		    "Invalid value: %lld: %s in body should be less than or equal to %lld",
		    (long long)n, field, (long long)most);
}

/* Text of at least one character. */
static bool
is_text(struct check *c, const json_t *v, const char *field, bool required)
{
	if (!has_type(c, v, "string", field, required))
		return false;
	if (json_string_length(v) > 0)
		return true;
	wrong(c, "FieldValueInvalid", field,
	    "Invalid value: \"\": %s in body should be at least 1 chars long", field);
	return false;
}

static void
check_rule_name(struct check *c, const json_t *v, const char *field)
{
	static regex_t pattern;
	static bool compiled;

	if (!compiled)
		compiled = regcomp(&pattern, NAME_PATTERN, REG_EXTENDED | REG_NOSUB) == 0;
	if (is_text(c, v, field, false) && regexec(&pattern, json_string_value(v), 0, NULL, 0) != 0)
		wrong(c, "FieldValueInvalid", field,
		    "Invalid value: \"%s\": %s in body should match '" NAME_PATTERN "'",
		    json_string_value(v), field);
}

static void
check_backend(struct check *c, const json_t *ref, const char *field)
{
	char *name = xfmt("%s.name", field), *port = xfmt("%s.port", field);
	char *weight = xfmt("%s.weight", field);

	if (has_type(c, ref, "object", field, false)) {
		is_text(c, json_object_get(ref, "name"), name, true);
		check_range(c, json_object_get(ref, "port"), 1, 65535, port);
		check_range(c, json_object_get(ref, "weight"), 0, 1000000, weight);
	}
	free(name);
	free(port);
	free(weight);
}

/* The words are separated by "|"; one of them must be the value. */
static void
check_word(struct check *c, const json_t *v, const char *words, const char *field)
{
	struct buf list = {0};
	const char *value = json_string_value(v);
	bool found = false;

	if (!has_type(c, v, "string", field, false))
		return;
	for (size_t n; *words != '\0'; words += n + (words[n] == '|')) {
		n = strcspn(words, "|");
		found = found || (strlen(value) == n && strncmp(words, value, n) == 0);
		buf_fmt(&list, "%s\"%.*s\"", list.len > 0 ? ", " : "", (int)n, words);
	}
	if (!found) {
		wrong(c, "FieldValueNotSupported", field,
		    "Unsupported value: \"%s\": supported values: %s", value, list.p);
		c->malformed = true;
	}
	buf_free(&list);
}

/* Each header once. */
static void
check_headers(struct check *c, const json_t *list, const char *field)
{
	json_t *one, *other;
	size_t i, j;

	if (!is_list(c, list, 16, field))
		return;
	json_array_foreach(list, i, one)
	{
		char *at = xfmt("%s[%zu].name", field, i), *value = xfmt("%s[%zu].value", field, i);

		is_text(c, json_object_get(one, "name"), at, true);
		is_text(c, json_object_get(one, "value"), value, true);
		at[strlen(at) - strlen(".name")] = '\0';
		json_array_foreach(list, j, other)
		{
			if (j < i && jx_str(one, "name") != NULL &&
			    json_equal(
				json_object_get(one, "name"), json_object_get(other, "name")))
				wrong(c, "FieldValueDuplicate", at,
				    "Duplicate value: {\"name\":\"%s\"}", jx_str(one, "name"));
		}
		free(at);
		free(value);
	}
}

static void
check_match(struct check *c, const json_t *match, const char *field)
{
	char *headers = xfmt("%s.headers", field), *method = xfmt("%s.method", field);
	char *type = xfmt("%s.path.type", field);

	check_headers(c, json_object_get(match, "headers"), headers);
	check_word(c, json_object_get(match, "method"),
	    "GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH", method);
	check_word(c, jx_at(match, "path.type"), "Exact|PathPrefix|RegularExpression", type);
	free(headers);
	free(method);
	free(type);
}

static void
each(struct check *c, const json_t *list, size_t most, const char *field,
    void (*check)(struct check *c, const json_t *one, const char *field))
{
	json_t *one;
	size_t i;

	if (!is_list(c, list, most, field))
		return;
	json_array_foreach(list, i, one)
	{
		char *at = xfmt("%s[%zu]", field, i);

		check(c, one, at);
		free(at);
	}
}

static void
check_rule(struct check *c, const json_t *rule, const char *field)
{
	char *refs = xfmt("%s.backendRefs", field), *matches = xfmt("%s.matches", field);
	char *name = xfmt("%s.name", field);

	if (has_type(c, rule, "object", field, false)) {
		each(c, json_object_get(rule, "backendRefs"), 16, refs, check_backend);
		each(c, json_object_get(rule, "matches"), 64, matches, check_match);
		check_rule_name(c, json_object_get(rule, "name"), name);
	}
	free(refs);
	free(matches);
	free(name);
}

static void
check_parent(struct check *c, const json_t *ref, const char *field)
{
	char *name = xfmt("%s.name", field);

	if (has_type(c, ref, "object", field, false))
		is_text(c, json_object_get(ref, "name"), name, true);
	free(name);
}

/* --- rules that compare fields (CEL in the schema) ------------------------------------------ */

static void
compare_backend(struct check *c, const json_t *ref, const char *field)
{
	const char *group = jx_str(ref, "group"), *kind = jx_str(ref, "kind");

	if (group != NULL && *group == '\0' && kind != NULL && strcmp(kind, "Service") == 0 &&
	    json_object_get(ref, "port") == NULL)
		wrong(c, "FieldValueInvalid", field,
		    "Invalid value: Must have port for Service reference");
}

static void
compare_match(struct check *c, const json_t *match, const char *field)
{
	const char *type = jx_str(match, "path.type"), *value = jx_str(match, "path.value");
	char *path = xfmt("%s.path", field);

	if (type != NULL && value != NULL && strcmp(type, "RegularExpression") != 0 &&
	    *value != '/')
		wrong(c, "FieldValueInvalid", path,
		    "Invalid value: value must be an absolute path and start with '/' when type "
		    "one of ['Exact', 'PathPrefix']");
	free(path);
}

static void
compare_rule(struct check *c, const json_t *rule, const char *field)
{
	char *refs = xfmt("%s.backendRefs", field), *matches = xfmt("%s.matches", field);

	each(c, json_object_get(rule, "backendRefs"), 16, refs, compare_backend);
	each(c, json_object_get(rule, "matches"), 64, matches, compare_match);
	free(refs);
	free(matches);
}

static void
compare(struct check *c, const json_t *spec)
{
	if (!c->malformed)
		each(c, json_object_get(spec, "rules"), 16, "spec.rules", compare_rule);
	else
		wrong(c, "FieldValueInvalid", "<nil>",
		    "Invalid value: null: some validation rules were not checked because the "
		    "object was invalid; correct the existing errors to complete validation");
}

int
httproute_check(const struct kind *k, const json_t *next, struct reply *r)
{
	const json_t *spec = json_object_get(next, "spec");
	const json_t *rules = json_object_get(spec, "rules");
	struct check c = {.causes = json_array()};

	if (has_type(&c, spec, "object", "spec", true)) {
		each(&c, json_object_get(spec, "parentRefs"), 32, "spec.parentRefs", check_parent);
		each(&c, rules, 16, "spec.rules", check_rule);
		if (json_is_array(rules) && json_array_size(rules) == 0)
			wrong(&c, "FieldValueInvalid", "spec.rules",
			    "Invalid value: 0: spec.rules in body should have at least 1 items");
	}
	compare(&c, spec);
	if (json_array_size(c.causes) > 0)
		return fail_causes(r, k, jx_str(next, "metadata.name"), c.causes);
	json_decref(c.causes);
	return 0;
}
