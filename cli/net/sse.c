/* After the HTML standard, section 9.2.6: lines end with CR, LF or CRLF; an empty line sends the
 * message; a colon first is a comment; one space after the colon of a field is dropped. The id is
 * that of the message alone, as only messages with an id move the cursor. */
#include "net/sse.h"

#include <string.h>

#define SSE_BYTES ((size_t)4 << 20)

void
sse_init(struct sse *sse,
    void (*on_message)(void *ctx, const char *event, const char *id, const char *data), void *ctx)
{
	*sse = (struct sse){.on_message = on_message, .ctx = ctx};
	str_init(&sse->line, SSE_BYTES);
	str_init(&sse->data, SSE_BYTES);
}

void
sse_done(struct sse *sse)
{
	str_done(&sse->line);
	str_done(&sse->data);
}

static void
forget_message(struct sse *sse)
{
	str_clear(&sse->data);
	sse->event[0] = sse->id[0] = '\0';
	sse->has_data = false;
}

void
sse_reset(struct sse *sse)
{
	str_clear(&sse->line);
	forget_message(sse);
	sse->after_cr = sse->too_big = false;
}

static void
take_field(struct sse *sse, const char *name, const char *value)
{
	if (str_equal(name, "data")) {
		if (sse->has_data)
			str_add(&sse->data, "\n");
		str_add(&sse->data, value);
		sse->has_data = true;
	} else if (str_equal(name, "event"))
		str_copy(sse->event, sizeof(sse->event), value);
	else if (str_equal(name, "id") && strlen(value) < sizeof(sse->id))
		str_copy(sse->id, sizeof(sse->id), value);
}

static void
send_message(struct sse *sse)
{
	if (sse->has_data)
		sse->on_message(sse->ctx, sse->event[0] == '\0' ? "message" : sse->event, sse->id,
		    str_text(&sse->data));
	forget_message(sse);
}

static void
take_line(struct sse *sse)
{
	char *text = sse->line.data, *colon, *value = "";

	if (sse->line.full || sse->data.full)
		sse->too_big = true;
	else if (sse->line.length == 0)
		send_message(sse);
	else if (*text != ':') {
		colon = strchr(text, ':');
		if (colon != NULL) {
			*colon = '\0';
			value = colon + 1 + (colon[1] == ' ');
		}
		take_field(sse, text, value);
	}
	str_clear(&sse->line);
}

bool
sse_feed(struct sse *sse, const char *bytes, size_t count)
{
	size_t at = 0;

	while (at < count && !sse->too_big) {
		size_t length = 0;

		if (sse->after_cr && bytes[at] == '\n')
			at++;
		sse->after_cr = false;
		while (
		    at + length < count && bytes[at + length] != '\n' && bytes[at + length] != '\r')
			length++;
		str_add_bytes(&sse->line, bytes + at, length);
		at += length;
		if (at == count)
			break;
		sse->after_cr = bytes[at] == '\r';
		at++;
		take_line(sse);
	}
	return !sse->too_big && !sse->line.full;
}
