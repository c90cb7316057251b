/* What was asked, checked: names and values of the query, types and sizes of bodies. */
#include <string.h>
#include <strings.h>
#include "api/ask.h"
#include "api/routes.h"
#include "base/jsonx.h"

#define NAMES_MAX 12
#define DEPTH 32

struct query_check {
	const char *allowed;
	const char *seen[NAMES_MAX];
	int count;
	struct err e;
	bool bad;
};

/* Is name one of the words in list? */
static bool
is_one_of(const char *list, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = list; *at != '\0';) {
		size_t word = strcspn(at, " ");
		if (word == length && strncmp(at, name, word) == 0)
			return true;
		at += word + strspn(at + word, " ");
	}
	return false;
}

static void
check_argument(void *ctx, const char *name, const char *value)
{
	struct query_check *check = ctx;
	(void)value;
	if (check->bad)
		return;
	if (!is_one_of(check->allowed, name)) {
		check->bad = true;
		err_set(&check->e, "the query has \"%.64s\"; allowed here: %s", name,
		    check->allowed[0] ? check->allowed : "none");
		return;
	}
	for (int i = 0; i < check->count; i++)
		if (strcmp(check->seen[i], name) == 0) {
			check->bad = true;
			err_set(&check->e, "the query has \"%s\" twice; give it once", name);
		}
	if (check->count < NAMES_MAX)
		check->seen[check->count++] = name;
}

bool
api_ask_query(struct call *call, const char *allowed)
{
	struct query_check check = {.allowed = allowed};
	httpd_each_query(call->request, check_argument, &check);
	if (check.bad)
		api_problem(call->api, call->number, CODE_BAD_REQUEST, "%s", check.e.text);
	return !check.bad;
}

static bool
ask_between(struct call *call, const char *name, int64_t min, int64_t max, int64_t *number)
{
	const char *text = httpd_query(call->request, name);
	if (text == NULL || str_number(text, min, max, number) == 0)
		return true;
	api_problem(call->api, call->number, CODE_BAD_REQUEST,
	    "%s is \"%.64s\"; allowed: a whole number from %lld to %lld", name, text,
	    (long long)min, (long long)max);
	return false;
}

bool
api_ask_limit(struct call *call, int *limit)
{
	int64_t number = *limit;
	if (!ask_between(call, "limit", 1, API_LIMIT_MAX, &number))
		return false;
	*limit = (int)number;
	return true;
}

bool
api_ask_number(struct call *call, const char *name, int64_t *number)
{
	return ask_between(call, name, 0, INT64_MAX, number);
}

bool
api_ask_flag(struct call *call, const char *name, bool *flag)
{
	const char *text = httpd_query(call->request, name);
	if (text == NULL)
		return true;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
		api_problem(call->api, call->number, CODE_BAD_REQUEST,
		    "%s is \"%.64s\"; allowed: true, false", name, text);
		return false;
	}
	*flag = strcmp(text, "true") == 0;
	return true;
}

/* The media type alone, without parameters, in lower case; "" if there is none. */
static void
media_type(const struct call *call, char to[64])
{
	const char *type = httpd_header(call->request, "Content-Type");
	size_t length = type == NULL ? 0 : strcspn(type, "; \t");
	str_print(to, 64, "%.*s", (int)(length < 64 ? length : 63), type == NULL ? "" : type);
	for (char *c = to; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
}

/* Nobody unpacks here: a small body that becomes a large one is one more way to flood. */
static bool
is_unpacked(struct call *call)
{
	const char *coding = httpd_header(call->request, "Content-Encoding");
	if (coding == NULL || strcasecmp(coding, "identity") == 0)
		return true;
	api_problem(call->api, call->number, CODE_UNSUPPORTED_MEDIA_TYPE,
	    "Content-Encoding is \"%.64s\"; allowed: none, send the body as it is", coding);
	return false;
}

static bool
refuse_type(struct call *call, const char *type, const char *allowed)
{
	api_problem(call->api, call->number, CODE_UNSUPPORTED_MEDIA_TYPE,
	    "Content-Type is \"%s\"; allowed: %s", type, allowed);
	return false;
}

/* Arrays and objects within each other; nothing that can be asked for needs so many. */
static bool
is_deeper(const json_t *value, int levels)
{
	json_t *walk = (json_t *)value, *item;
	const char *name;
	size_t i;
	if (!json_is_object(value) && !json_is_array(value))
		return false;
	if (levels == 0)
		return true;
	json_array_foreach(walk, i, item) if (is_deeper(item, levels - 1)) return true;
	json_object_foreach(walk, name, item) if (is_deeper(item, levels - 1)) return true;
	return false;
}

static bool
refuse_depth(struct call *call)
{
	api_problem(call->api, call->number, CODE_BAD_REQUEST,
	    "the body is nested deeper than the %d levels allowed", DEPTH);
	return false;
}

static bool
parse_json(struct call *call, json_t **json)
{
	struct err e;
	size_t length;
	const char *body = httpd_body(call->request, &length);
	if (!str_utf8_ok(body, length))
		err_set(&e, "it is not valid UTF-8");
	else if ((*json = jsonx_parse(body, length, length, &e)) != NULL) {
		if (!is_deeper(*json, DEPTH))
			return true;
		json_decref(*json);
		return refuse_depth(call);
	}
	api_problem(call->api, call->number, CODE_BAD_REQUEST, "the body is no JSON: %s", e.text);
	return false;
}

static bool
check_object(struct call *call, const json_t *json, const struct key *table, void *record)
{
	struct errlist errors;
	struct keys_at at = {.errors = &errors};
	errlist_init(&errors);
	if (!json_is_object(json))
		errlist_add(&errors, "", "the body must be a JSON object");
	else
		keys_read(table, json, record, &at);
	bool good = errors.count == 0;
	if (!good)
		api_problem_list(call->api, call->number,
		    "the body has mistakes: see errors; nothing was changed", &errors);
	errlist_done(&errors);
	return good;
}

bool
api_ask_body(struct call *call, void *record)
{
	char type[64];
	size_t length;
	json_t *json;
	(void)httpd_body(call->request, &length);
	if (!is_unpacked(call))
		return false;
	if (length == 0 && call->route->empty)
		return true;
	media_type(call, type);
	if (strcmp(type, "application/json") != 0)
		return refuse_type(call, type, "application/json");
	if (!parse_json(call, &json))
		return false;
	bool good = check_object(call, json, call->route->body, record);
	json_decref(json);
	return good;
}

bool
api_ask_document(struct call *call, json_t **document, struct yaml_lines **lines)
{
	char type[64];
	size_t length;
	struct err e;
	const char *body = httpd_body(call->request, &length);
	if (!is_unpacked(call))
		return false;
	media_type(call, type);
	if (strcmp(type, "application/json") == 0) {
		json_t *again = NULL;
		if (!parse_json(call, document))
			return false;
		/* JSON is YAML too: a second look tells the lines. */
		if (yaml_parse(body, length, &again, lines, &e) < 0)
			*lines = NULL;
		json_decref(again);
		return true;
	}
	if (strcmp(type, "application/yaml") != 0)
		return refuse_type(call, type, "application/json, application/yaml");
	if (yaml_parse(body, length, document, lines, &e) == 0) {
		if (!is_deeper(*document, DEPTH))
			return true;
		json_decref(*document);
		yaml_lines_free(*lines);
		return refuse_depth(call);
	}
	api_problem(call->api, call->number, CODE_BAD_REQUEST, "the body is no YAML: %s", e.text);
	return false;
}

/* --- types of keys ---------------------------------------------------------------------------- */

static void
parse_free(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	const char *text = json_string_value(value);
	if (text == NULL) {
		keys_wrong(at, key, value);
		return;
	}
	for (const char *c = text; *c != '\0'; c++)
		if (((unsigned char)*c < 0x20 && *c != '\n' && *c != '\t' && *c != '\r') ||
		    *c == 0x7f) {
			keys_error(at, "has control characters; allowed: text, with line breaks");
			return;
		}
	if (strlen(text) >= (size_t)key->max)
		keys_error(at, "has %zu bytes; allowed: at most %lld", strlen(text),
		    (long long)key->max - 1);
	else
		str_copy(slot, (size_t)key->max, text);
}

static void
parse_image(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	const char *text = json_string_value(value);
	if (text == NULL || !image_ok(text))
		keys_wrong(at, key, value);
	else
		str_copy(slot, APP_IMAGE, text);
}

const struct key_type api_key_free = {.name = "text",
    .schema = "{\"type\": \"string\", \"pattern\": "
	      "\"^[^\\\\x00-\\\\x08\\\\x0b\\\\x0c\\\\x0e-\\\\x1f\\\\x7f]*$\"}",
    .parse = parse_free};
/* As model/app_image.c takes them. */
#define WORD "[a-z0-9]+"
#define PLAIN WORD "((__?|-+)" WORD ")*"
#define PART WORD "((\\\\.|__?|-+)" WORD ")*"
#define HOST_LABEL "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
#define PORT                                                                                       \
	":0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]" \
	")"
#define HOST HOST_LABEL "((\\\\." HOST_LABEL ")+(" PORT ")?|" PORT ")"
#define TAG ":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
#define DIGEST "@[a-z0-9]+:[0-9a-f]{32,}"

const struct key_type api_key_image = {.name = "image such as registry.example/shop/web:1.2",
    .schema = "{\"type\": \"string\", \"maxLength\": 511, \"pattern\": \"^((" HOST "|" PLAIN
	      ")/(" PART "/)*)?" PART "(" TAG ")?(" DIGEST ")?$\"}",
    .parse = parse_image};
