/* Growing strings and bounded copies. Always true: what is cut is cut between characters
 * (except raw bytes), and once a string was cut nothing more is added, so there are no gaps. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

void
str_init(struct str *s, size_t limit)
{
	*s = (struct str){.limit = limit};
}

void
str_done(struct str *s)
{
	free(s->data);
	str_init(s, s->limit);
}

/* How many of length bytes may stay when only room are free and no character may be torn. */
static size_t
cut_at(const char *text, size_t length, size_t room)
{
	if (length <= room)
		return length;
	while (room > 0 && ((unsigned char)text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

static size_t
room_left(const struct str *s)
{
	if (s->full)
		return 0;
	return s->limit == 0 ? SIZE_MAX - 1 - s->length : s->limit - s->length;
}

static void
reserve(struct str *s, size_t more)
{
	size_t room = s->room == 0 ? 64 : s->room;

	while (room - s->length - 1 < more) {
		if (room > SIZE_MAX / 2)
			log_fatal("a string of %zu bytes", s->length);
		room *= 2;
	}
	if (s->data == NULL || room != s->room)
		s->data = mem_grow(s->data, room, 1);
	s->room = room;
}

static void
append(struct str *s, const void *bytes, size_t count)
{
	reserve(s, count);
	if (count > 0)
		memcpy(s->data + s->length, bytes, count);
	s->length += count;
	s->data[s->length] = '\0';
}

void
str_add(struct str *s, const char *text)
{
	size_t length = strlen(text), fits = cut_at(text, length, room_left(s));

	append(s, text, fits);
	if (fits < length)
		s->full = true;
}

void
str_add_bytes(struct str *s, const void *bytes, size_t count)
{
	size_t room = room_left(s), fits = count < room ? count : room;

	append(s, bytes, fits);
	if (fits < count)
		s->full = true;
}

void
str_addf(struct str *s, const char *format, ...)
{
	char small[256];
	char *big;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (length < 0)
		log_fatal("str_addf: bad format \"%s\"", format);
	if ((size_t)length < sizeof(small)) {
		str_add(s, small);
		return;
	}
	big = mem_alloc((size_t)length + 1);
	va_start(args, format);
	vsnprintf(big, (size_t)length + 1, format, args);
	va_end(args);
	str_add(s, big);
	free(big);
}

void
str_clear(struct str *s)
{
	s->length = 0;
	s->full = false;
	if (s->data != NULL)
		s->data[0] = '\0';
}

char *
str_take(struct str *s)
{
	char *text = s->data == NULL ? mem_strdup("") : s->data;

	str_init(s, s->limit);
	return text;
}

const char *
str_text(const struct str *s)
{
	return s->data == NULL ? "" : s->data;
}

char *
str_vformat(const char *format, va_list args)
{
	char small[256];
	char *text;
	va_list again;
	int length;

	va_copy(again, args);
	length = vsnprintf(small, sizeof(small), format, again);
	va_end(again);
	if (length < 0)
		log_fatal("str_format: bad format \"%s\"", format);
	if ((size_t)length < sizeof(small))
		return mem_strndup(small, (size_t)length);
	text = mem_alloc((size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, args);
	return text;
}

char *
str_format(const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	text = str_vformat(format, args);
	va_end(args);
	return text;
}

bool
str_copy(char *to, size_t size, const char *from)
{
	size_t length = strlen(from), fits;

	if (size == 0)
		return false;
	fits = cut_at(from, length, size - 1);
	memmove(to, from, fits);
	to[fits] = '\0';
	return fits == length;
}

bool
str_print(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	if (size == 0)
		return false;
	va_start(args, format);
	length = vsnprintf(to, size, format, args);
	va_end(args);
	if (length < 0)
		log_fatal("str_print: bad format \"%s\"", format);
	if ((size_t)length < size)
		return true;
	/* The byte behind the cut is lost: take away a last character that is not whole. */
	for (size_t at = size - 1; at > 0 && size - at <= 4; at--) {
		if (((unsigned char)to[at - 1] & 0xc0) == 0x80)
			continue;
		if (str_utf8_char(to + at - 1, size - at) == 0)
			to[at - 1] = '\0';
		break;
	}
	return false;
}

bool
str_equal(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
str_ends(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && memcmp(text + length - tail, suffix, tail) == 0;
}

size_t
str_utf8_char(const char *bytes, size_t length)
{
	/* By length: the smallest code point that needs it, so that longer forms are refused. */
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *b = (const unsigned char *)bytes;
	uint32_t point;
	size_t count;

	if (length == 0)
		return 0;
	if (b[0] < 0x80)
		return 1;
	count = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	if (b[0] < 0xc2 || b[0] > 0xf4 || count > length)
		return 0;
	point = b[0] & (0x7fu >> count);
	for (size_t i = 1; i < count; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (b[i] & 0x3f);
	}
	if (point < smallest[count] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return count;
}

bool
str_utf8_ok(const char *bytes, size_t length)
{
	for (size_t at = 0, step; at < length; at += step) {
		step = str_utf8_char(bytes + at, length - at);
		if (step == 0)
			return false;
	}
	return true;
}
