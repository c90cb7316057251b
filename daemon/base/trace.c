/* See trace.h. */
#include "base/trace.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>
#include "base/hex.h"
#include "base/log.h"
#include "base/str.h"

#define DIGEST 32

/* Where the parts of a traceparent are: 00-ID-SPAN-FLAGS. */
enum { AT_ID = 3, AT_SPAN = 36, AT_FLAGS = 53, LENGTH = 55 };

static bool
is_zero(const unsigned char *bytes, size_t count)
{
	while (count > 0 && bytes[count - 1] == 0)
		count--;
	return count == 0;
}

static bool
read_part(const char *from, unsigned char *bytes, size_t count)
{
	char part[TRACE_ID_HEX];
	memcpy(part, from, 2 * count);
	part[2 * count] = '\0';
	return hex_read(part, bytes, count);
}

/* A later version may have more behind another dash; of it this much is still what it is here. */
static bool
has_form(const char *text, unsigned char version)
{
	size_t length = strlen(text);
	bool ends = length == LENGTH || (version > 0 && text[LENGTH] == '-');
	return ends && version != 0xff && text[AT_ID - 1] == '-' && text[AT_SPAN - 1] == '-' &&
	       text[AT_FLAGS - 1] == '-';
}

bool
trace_read(const char *text, struct trace *trace)
{
	struct trace read;
	unsigned char version, flags;
	if (text == NULL || strlen(text) < LENGTH || !read_part(text, &version, 1) ||
	    !has_form(text, version) || !read_part(text + AT_ID, read.id, TRACE_ID) ||
	    !read_part(text + AT_SPAN, read.parent, TRACE_SPAN) ||
	    !read_part(text + AT_FLAGS, &flags, 1) || is_zero(read.id, TRACE_ID) ||
	    is_zero(read.parent, TRACE_SPAN))
		return false;
	read.sampled = (flags & 1) != 0;
	*trace = read;
	return true;
}

static void
digest(const char *text, unsigned char to[DIGEST])
{
	if (EVP_Digest(text, strlen(text), to, NULL, EVP_sha256(), NULL) != 1)
		log_fatal("libcrypto cannot do SHA-256");
}

void
trace_of(const char *rollout, struct trace *trace)
{
	unsigned char hash[DIGEST];
	digest(rollout, hash);
	*trace = (struct trace){.sampled = true};
	memcpy(trace->id, hash, TRACE_ID);
}

bool
trace_given(const struct trace *trace)
{
	return !is_zero(trace->parent, TRACE_SPAN);
}

void
trace_span(const char *rollout, const char *kind, int64_t number, unsigned char span[TRACE_SPAN])
{
	unsigned char hash[DIGEST];
	char text[128];
	str_print(text, sizeof(text), "%s %s %" PRId64, rollout, kind, number);
	digest(text, hash);
	memcpy(span, hash, TRACE_SPAN);
}

void
trace_write(const struct trace *trace, const unsigned char span[TRACE_SPAN], char to[TRACE_PARENT])
{
	char id[TRACE_ID_HEX], parent[TRACE_SPAN_HEX];
	hex_write(trace->id, TRACE_ID, id);
	hex_write(span, TRACE_SPAN, parent);
	str_print(to, TRACE_PARENT, "00-%s-%s-%s", id, parent, trace->sampled ? "01" : "00");
}
