/* The YAML reader: libyaml's events into JSON values. Always true: the depth is checked at each
 * event, so that the reader stops long before libyaml gets slow; every container is owned by
 * the one around it from its first moment; the path of the current value is known. */
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "base/jsonx.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "base/yaml_plain.h"

#define DEPTH_MAX 64
#define BYTES_MAX (1024 * 1024)
#define KEY_MAX 1024
/* Lines are remembered for paths up to these lengths, each and in sum; deeper places get the
 * line of what is around them. */
#define PATH_MAX_BYTES 512
#define PATHS_MAX_BYTES (8 * 1024 * 1024)

struct yaml_lines {
	struct map *by_path; /* line numbers as pointers */
	size_t bytes;
};

struct level {
	json_t *container;  /* borrowed */
	char *key;	    /* object: the key that waits for its value, or NULL */
	size_t path_length; /* of the container's own path */
};

struct reader {
	yaml_parser_t parser;
	const char *text;
	size_t length;
	struct level levels[DEPTH_MAX];
	int depth;
	struct str path;
	struct yaml_lines *lines;
	json_t *root;
	bool done;
	struct err *e;
};

int
yaml_line(const struct yaml_lines *lines, const char *path)
{
	char *part;
	size_t length;
	int line = 0;

	if (lines == NULL || path == NULL)
		return 0;
	part = mem_strdup(path);
	length = strlen(part);
	while ((line = (int)(intptr_t)map_get(lines->by_path, part)) == 0 && length > 0) {
		do
			length--;
		while (length > 0 && part[length] != '.' && part[length] != '[');
		part[length] = '\0';
	}
	free(part);
	return line;
}

void
yaml_lines_free(struct yaml_lines *lines)
{
	if (lines == NULL)
		return;
	map_free(lines->by_path, NULL);
	free(lines);
}

void
yaml_locate(const struct yaml_lines *lines, struct errlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		list->items[i].line = yaml_line(lines, list->items[i].path);
}

static void
remember_line(struct reader *r, const yaml_mark_t *mark)
{
	struct yaml_lines *lines = r->lines;

	if (r->path.length > PATH_MAX_BYTES || lines->bytes > PATHS_MAX_BYTES)
		return;
	lines->bytes += r->path.length + 1;
	map_set(lines->by_path, str_text(&r->path), (void *)(intptr_t)(mark->line + 1));
}

static int
refuse(struct reader *r, const yaml_mark_t *mark, const char *what)
{
	return err_set(r->e, "line %zu, column %zu: %s", mark->line + 1, mark->column + 1, what);
}

static size_t
line_of(const char *text, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return line;
}

static bool
is_indented_by_tab(const struct reader *r, size_t line)
{
	const char *at = r->text, *end = r->text + r->length;

	while (line > 1 && at < end)
		line -= *at++ == '\n';
	while (at < end && *at == ' ')
		at++;
	return at < end && *at == '\t';
}

/* Turns libyaml's complaint into a sentence. */
static int
refuse_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem == NULL ? "not valid YAML" : p->problem;

	if (p->error == YAML_MEMORY_ERROR)
		log_fatal("out of memory in the YAML reader");
	if (p->error == YAML_READER_ERROR)
		return err_set(r->e, "line %zu: %s", line_of(r->text, p->problem_offset), problem);
	refuse(r, &p->problem_mark, problem);
	if (r->e != NULL && p->context != NULL)
		err_set(r->e, "%s (%s that starts in line %zu)", r->e->text, p->context,
		    p->context_mark.line + 1);
	if (r->e != NULL && is_indented_by_tab(r, p->problem_mark.line + 1))
		err_set(r->e, "%s; YAML is indented with spaces, not tabs", r->e->text);
	return -1;
}

/* Sets the path to that of the next child of the innermost container. */
static void
enter_child(struct reader *r)
{
	struct level *level = &r->levels[r->depth - 1];

	r->path.length = level->path_length;
	if (level->key == NULL)
		str_addf(&r->path, "[%zu]", json_array_size(level->container));
	else
		str_addf(&r->path, "%s%s", level->path_length > 0 ? "." : "", level->key);
}

static bool
wants_key(const struct reader *r)
{
	return r->depth > 0 && json_is_object(r->levels[r->depth - 1].container) &&
	       r->levels[r->depth - 1].key == NULL;
}

/* Puts a value (a new reference) where the path points. */
static void
place(struct reader *r, json_t *value, const yaml_mark_t *mark)
{
	struct level *level;
	int failed;

	if (r->depth == 0) {
		str_clear(&r->path);
		remember_line(r, mark);
		r->root = value;
		return;
	}
	level = &r->levels[r->depth - 1];
	enter_child(r);
	if (level->key == NULL) {
		remember_line(r, mark);
		failed = json_array_append_new(level->container, value);
	} else {
		/* The line of a member is that of its key, remembered there. */
		failed = json_object_set_new(level->container, level->key, value);
		free(level->key);
		level->key = NULL;
	}
	if (failed)
		log_fatal("yaml: a value that JSON does not take");
}

static int
refuse_twice(struct reader *r, const char *key, const yaml_mark_t *mark)
{
	int first = yaml_line(r->lines, str_text(&r->path));

	return err_set(r->e,
	    "line %zu, column %zu: the key \"%.100s\" stands here a second time (first in line %d)",
	    mark->line + 1, mark->column + 1, key, first);
}

static int
take_key(struct reader *r, const yaml_event_t *event)
{
	struct level *level = &r->levels[r->depth - 1];
	const char *key = (const char *)event->data.scalar.value;

	if (event->data.scalar.length > KEY_MAX)
		return refuse(r, &event->start_mark, "a key of more than 1024 bytes");
	if (*key == '\0' && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return refuse(r, &event->start_mark, "a value without a key");
	level->key = mem_strdup(key);
	enter_child(r);
	if (json_object_get(level->container, key) != NULL)
		return refuse_twice(r, key, &event->start_mark);
	remember_line(r, &event->start_mark);
	return 0;
}

static int
take_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	struct err why;
	json_t *value;

	if (memchr(text, '\0', event->data.scalar.length) != NULL)
		return refuse(r, &event->start_mark, "a text with a NUL character in it");
	if (wants_key(r))
		return take_key(r, event);
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		value = yaml_plain(text, &why);
	else if ((value = json_string(text)) == NULL)
		log_fatal("yaml: a scalar that is not UTF-8");
	if (value == NULL)
		return refuse(r, &event->start_mark, why.text);
	place(r, value, &event->start_mark);
	return 0;
}

static int
open_container(struct reader *r, const yaml_event_t *event, json_t *container)
{
	if (wants_key(r) || r->depth == DEPTH_MAX) {
		json_decref(container);
		return refuse(r, &event->start_mark,
		    r->depth == DEPTH_MAX ? "nested deeper than 64 levels"
					  : "a key must be a text, not a list or a mapping");
	}
	place(r, container, &event->start_mark);
	r->levels[r->depth++] = (struct level){
	    .container = container,
	    .path_length = r->path.length,
	};
	return 0;
}

/* Anchors and tags are refused on whatever carries them. */
static int
check_extras(struct reader *r, const yaml_event_t *event, const void *anchor, const void *tag)
{
	if (anchor != NULL)
		return refuse(r, &event->start_mark,
		    "anchors (&name) and aliases (*name) are not supported; write the value out, "
		    "or quote a text that starts with & or *");
	if (tag != NULL)
		return refuse(r, &event->start_mark,
		    "tags (!name) are not supported; quote a text that starts with !");
	return 0;
}

static int
take_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		if (r->root != NULL)
			return refuse(r, &event->start_mark,
			    "a second document starts here; only one is taken at a time");
		return 0;
	case YAML_STREAM_END_EVENT:
		r->done = true;
		return r->root == NULL ? err_set(r->e, "the text is empty") : 0;
	case YAML_ALIAS_EVENT:
		return check_extras(r, event, event->data.alias.anchor, NULL);
	case YAML_SCALAR_EVENT:
		if (check_extras(r, event, event->data.scalar.anchor, event->data.scalar.tag) != 0)
			return -1;
		return take_scalar(r, event);
	case YAML_SEQUENCE_START_EVENT:
		if (check_extras(r, event, event->data.sequence_start.anchor,
			event->data.sequence_start.tag) != 0)
			return -1;
		return open_container(r, event, json_array());
	case YAML_MAPPING_START_EVENT:
		if (check_extras(r, event, event->data.mapping_start.anchor,
			event->data.mapping_start.tag) != 0)
			return -1;
		return open_container(r, event, json_object());
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	}
	return 0;
}

static int
read_events(struct reader *r)
{
	yaml_event_t event;
	int failed = 0;

	while (!r->done && !failed) {
		if (!yaml_parser_parse(&r->parser, &event))
			return refuse_syntax(r);
		failed = take_event(r, &event);
		yaml_event_delete(&event);
	}
	return failed;
}

static int
check_bytes(const char *text, size_t length, struct err *e)
{
	if (length > BYTES_MAX)
		return err_set(
		    e, "the text has %zu bytes; at most %d (1 MiB) are taken", length, BYTES_MAX);
	for (size_t at = 0, step; at < length; at += step) {
		step = str_utf8_char(text + at, length - at);
		if (step == 0)
			return err_set(e,
			    "line %zu: byte 0x%02x is not UTF-8; save the text as UTF-8",
			    line_of(text, at), (unsigned char)text[at]);
	}
	return 0;
}

/* The value of four hexadecimal digits after a \u at the start; 0: there is none. */
static unsigned
escaped_unit(const char *text, const char *end)
{
	char digits[5] = {0};

	if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
		return 0;
	memcpy(digits, text + 2, 4);
	return (unsigned)strtoul(digits, NULL, 16);
}

/* JSON writes characters beyond U+FFFF as two \u escapes, which YAML does not know. A text that
 * is JSON gets YAML's own \U; NULL: leave the text as it is. */
static char *
translate_json(const char *text, size_t *length)
{
	const char *at = text, *end = text + *length;
	size_t blank = strspn(text, " \t\r\n");
	struct str s;
	json_t *json;

	if (strchr("{[\"", text[blank]) == NULL || strstr(text, "\\u") == NULL)
		return NULL;
	json = jsonx_parse(text, *length, BYTES_MAX, NULL);
	if (json == NULL)
		return NULL;
	json_decref(json);
	str_init(&s, 0);
	while (at < end) {
		unsigned high = escaped_unit(at, end);

		if (high >= 0xd800 && high < 0xdc00) {
			unsigned low = escaped_unit(at + 6, end);

			str_addf(&s, "\\U%08x", 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff));
			at += 12;
		} else {
			size_t step = *at == '\\' ? 2 : 1;

			str_add_bytes(&s, at, step);
			at += step;
		}
	}
	*length = s.length;
	return str_take(&s);
}

static void
reader_done(struct reader *r)
{
	for (int i = 0; i < r->depth; i++)
		free(r->levels[i].key);
	str_done(&r->path);
	yaml_parser_delete(&r->parser);
}

int
yaml_parse(
    const char *text, size_t length, json_t **value, struct yaml_lines **lines, struct err *e)
{
	struct reader r = {.e = e};
	char *copy, *translated;
	int failed;

	if (check_bytes(text, length, e) != 0)
		return -1;
	copy = mem_alloc(length + 1);
	memcpy(copy, text, length);
	translated = translate_json(copy, &length);
	r.text = translated == NULL ? copy : translated;
	r.length = length;
	r.lines = mem_alloc(sizeof(*r.lines));
	r.lines->by_path = map_new();
	str_init(&r.path, 0);
	if (!yaml_parser_initialize(&r.parser))
		log_fatal("out of memory in the YAML reader");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.text, r.length);
	failed = read_events(&r);
	reader_done(&r);
	free(copy);
	free(translated);
	if (failed)
		json_decref(r.root);
	else
		*value = r.root;
	if (failed || lines == NULL)
		yaml_lines_free(r.lines);
	else
		*lines = r.lines;
	return failed;
}
