/* See otlp.h. */
#include "traces/otlp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/hex.h"
#include "base/jsonx.h"
#include "base/version.h"

#define ANSWER_MAX ((size_t)64 * 1024)
#define STATUS_ERROR 2

const char otlp_end[] = "]}]}]}";

static json_t *
hex_json(const unsigned char *bytes, size_t count)
{
	char text[TRACE_ID_HEX];
	hex_write(bytes, count, text);
	return json_string(text);
}

static json_t *
time_json(int64_t at_ms)
{
	char text[32];
	str_print(text, sizeof(text), "%" PRId64 "000000", at_ms);
	return json_string(text);
}

static json_t *
text_json(const char *text)
{
	json_t *json = json_string(text);
	return json != NULL ? json : json_string("(not UTF-8)");
}

static void
add_attribute(json_t *attributes, const char *key, const char *type, json_t *value)
{
	json_array_append_new(
	    attributes, json_pack("{s:s, s:{s:o}}", "key", key, "value", type, value));
}

void
otlp_text(json_t *attributes, const char *key, const char *value)
{
	if (value[0] != '\0')
		add_attribute(attributes, key, "stringValue", text_json(value));
}

void
otlp_number(json_t *attributes, const char *key, int64_t value)
{
	char text[24];
	str_print(text, sizeof(text), "%" PRId64, value);
	add_attribute(attributes, key, "intValue", json_string(text));
}

void
otlp_mark(json_t *marks, const char *name, int64_t at_ms, json_t *attributes)
{
	json_array_append_new(marks, json_pack("{s:o, s:s, s:o}", "timeUnixNano", time_json(at_ms),
					 "name", name, "attributes", attributes));
}

static void
add_error(json_t *json, const char *error)
{
	json_t *status = json_pack("{s:i}", "code", STATUS_ERROR);
	if (error[0] != '\0')
		json_object_set_new(status, "message", text_json(error));
	json_object_set_new(json, "status", status);
}

json_t *
otlp_span(const struct otlp_span *span)
{
	static const unsigned char none[TRACE_SPAN];
	json_t *json = json_pack("{s:o, s:o}", "traceId", hex_json(span->trace->id, TRACE_ID),
	    "spanId", hex_json(span->id, TRACE_SPAN));
	if (memcmp(span->parent, none, TRACE_SPAN) != 0)
		json_object_set_new(json, "parentSpanId", hex_json(span->parent, TRACE_SPAN));
	json_object_set_new(json, "name", text_json(span->name));
	json_object_set_new(json, "kind", json_integer(span->kind));
	json_object_set_new(json, "startTimeUnixNano", time_json(span->begin_ms));
	json_object_set_new(json, "endTimeUnixNano", time_json(span->end_ms));
	json_object_set_new(json, "attributes", span->attributes);
	if (json_array_size(span->marks) > 0)
		json_object_set(json, "events", span->marks);
	json_decref(span->marks);
	if (span->marks_left_out > 0)
		json_object_set_new(json, "droppedEventsCount", json_integer(span->marks_left_out));
	if (span->error != NULL)
		add_error(json, span->error);
	return json;
}

/* JSON without its end, where the list of spans is open. */
char *
otlp_head(const char *host, const char *instance)
{
	json_t *resource = json_array();
	struct str text;
	otlp_text(resource, "service.name", "airisd");
	otlp_text(resource, "service.version", version_text());
	otlp_text(resource, "service.instance.id", instance);
	otlp_text(resource, "host.name", host);
	str_init(&text, 0);
	str_add(&text, "{\"resourceSpans\":[{\"resource\":{\"attributes\":");
	jsonx_add(&text, resource);
	str_addf(&text,
	    "},\"scopeSpans\":[{\"scope\":{\"name\":\"airisd\",\"version\":\"%s\"},\"spans\":[",
	    version_text());
	json_decref(resource);
	return str_take(&text);
}

/* The number is a text where the rules of JSON for Protobuf are kept. */
int64_t
otlp_rejected(const char *body, size_t length, char *why, size_t size)
{
	struct err e;
	json_t *json = jsonx_parse(body, length, ANSWER_MAX, &e);
	const char *text = jsonx_text(json, "partialSuccess.rejectedSpans");
	int64_t count = 0;
	if (text == NULL)
		count = jsonx_count(json, "partialSuccess.rejectedSpans", 0);
	else if (str_number(text, 0, INT32_MAX, &count) < 0)
		count = 0;
	str_copy(why, size, jsonx_text_or(json, "partialSuccess.errorMessage", ""));
	json_decref(json);
	return count;
}
