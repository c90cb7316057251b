/* Streams of Server-Sent Events, as airisctl reads them: in one piece and in pieces whose sizes are
 * the first bytes of the input, they are the same messages. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "net/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
note(void *ctx, const char *event, const char *id, const char *data)
{
	assert(event[0] != '\0' && strpbrk(event, "\r\n") == NULL);
	assert(strpbrk(id, "\r\n") == NULL && strchr(data, '\r') == NULL);
	str_addf(ctx, "%s|%s|%s\n\n", event, id, data);
}

static bool
feed(const char *bytes, size_t size, const uint8_t *pieces, size_t piece_count, struct str *said)
{
	struct sse sse;
	bool good = true;

	str_init(said, 0);
	sse_init(&sse, note, said);
	for (size_t turn = 0; size > 0 && good; turn++) {
		size_t count = piece_count > 0 ? 1 + pieces[turn % piece_count] % 16 : size;

		if (count > size)
			count = size;
		good = sse_feed(&sse, bytes, count);
		bytes += count;
		size -= count;
	}
	sse_done(&sse);
	return good;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t pieces = size < 6 ? size : 6;
	const char *bytes = (const char *)data + pieces;
	struct str whole, parts;
	bool one = feed(bytes, size - pieces, NULL, 0, &whole);
	bool other = feed(bytes, size - pieces, data, pieces, &parts);

	assert(one == other && strcmp(str_text(&whole), str_text(&parts)) == 0);
	str_done(&whole);
	str_done(&parts);
	return 0;
}
