/* Streams of a watch: fed whole and fed in pieces, whose sizes come from the input too, they must
 * leave the same cache. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cluster/kube_caches.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned changes;

static void
on_changed(void *ctx, const char *name, json_t *old, json_t *new)
{
	(void)ctx;
	(void)name;
	(void)old;
	(void)new;
	changes++;
}

struct end {
	size_t count;
	unsigned changes;
	bool relist;
	char version[64];
};

static struct end
feed(const char *bytes, size_t size, const uint8_t *pieces, size_t piece_count)
{
	struct kube kube = {.name = "fuzz"};
	struct kube_cache cache = {.kube = &kube, .kind = KUBE_PODS, .ns = "x"};
	struct end end = {0};
	size_t turn = 0;

	changes = 0;
	cache.store = cache_new(cache.kind, on_changed, NULL);
	str_init(&cache.line, KUBE_LINE_MAX);
	while (size) {
		size_t count = piece_count ? 1 + pieces[turn++ % piece_count] % 64 : size;

		if (count > size)
			count = size;
		if (!kube_lines_feed(&cache, bytes, count))
			break;
		bytes += count;
		size -= count;
	}
	end.count = cache_count(cache.store);
	end.changes = changes;
	end.relist = cache.relist;
	str_copy(end.version, sizeof end.version, cache_version(cache.store));
	str_done(&cache.line);
	cache_free(cache.store);
	return end;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t pieces = size < 8 ? size : 8;
	const char *bytes = (const char *)data + pieces;
	struct end whole = feed(bytes, size - pieces, NULL, 0);
	struct end parts = feed(bytes, size - pieces, data, pieces);

	if (whole.count != parts.count || whole.changes != parts.changes ||
	    whole.relist != parts.relist || strcmp(whole.version, parts.version) != 0)
		log_fatal("cut in pieces it says something else");
	return 0;
}
