/* The lines of a watch's stream: put together from what comes, however it was cut, and carried into
 * the cache. Bounded: a line over 8 MiB ends the stream, and so does one that is no watch event. */
#include <string.h>
#include "base/jsonx.h"
#include "cluster/kube_caches.h"

enum { KEEP_ROOM = 256 * 1024 /* of the line's memory, for the next one */ };

static void
take_object(struct kube_cache *cache, const char *type, json_t *object)
{
	const char *version = jsonx_text(object, "metadata.resourceVersion");
	const char *name = jsonx_text(object, "metadata.name");
	char seen[64];

	if (!version || !str_copy(seen, sizeof seen, version))
		return;
	if (!strcmp(type, "DELETED") && name)
		(void)cache_remove(cache->store, name, jsonx_text(object, "metadata.uid"), version);
	else if (!strcmp(type, "ADDED") || !strcmp(type, "MODIFIED"))
		(void)cache_put(cache->store, json_incref(object));
	cache_seen(cache->store, seen);
}

/* An ERROR event is a Status; 410 is the common one. None can be continued from. */
static void
take_error(struct kube_cache *cache, const json_t *status)
{
	struct err why;

	err_set(&why, "the stream said: %.300s (%d)", jsonx_text_or(status, "message", ""),
	    (int)jsonx_int(status, "code", 0));
	kube_cache_broken(cache, why.text);
	cache->relist = true;
}

/* False: the stream is of no more use. */
static bool
take_line(struct kube_cache *cache, const char *line, size_t length)
{
	struct err e;
	json_t *event;
	const char *type;

	if (length == 0 || (length == 1 && *line == '\r'))
		return true;
	event = jsonx_parse(line, length, KUBE_LINE_MAX, &e);
	type = jsonx_text(event, "type");
	if (!type) {
		if (event)
			err_set(&e, "it has no type");
		err_wrap(&e, "the stream sent a line that is no watch event");
		kube_cache_broken(cache, e.text);
		cache->relist = true;
	} else if (!strcmp(type, "ERROR"))
		take_error(cache, json_object_get(event, "object"));
	else
		take_object(cache, type, json_object_get(event, "object"));
	json_decref(event);
	return !cache->relist;
}

/* The end of the line is in bytes at count-1, or it is not complete yet. */
static bool
take_part(struct kube_cache *cache, const char *bytes, size_t count, bool whole)
{
	bool good = true;

	if (whole && cache->line.length == 0)
		return take_line(cache, bytes, count);
	str_add_bytes(&cache->line, bytes, count);
	if (cache->line.full) {
		kube_cache_broken(cache, "the stream sent a line of more than 8 MiB");
		cache->relist = true;
		return false;
	}
	if (!whole)
		return true;
	good = take_line(cache, str_text(&cache->line), cache->line.length);
	if (cache->line.room > KEEP_ROOM)
		str_done(&cache->line);
	else
		str_clear(&cache->line);
	return good;
}

bool
kube_lines_feed(struct kube_cache *cache, const char *bytes, size_t count)
{
	while (count) {
		const char *end = memchr(bytes, '\n', count);
		size_t length = end ? (size_t)(end - bytes) : count;

		if (!take_part(cache, bytes, length, end != NULL))
			return false;
		length += end != NULL;
		bytes += length;
		count -= length;
	}
	return true;
}
