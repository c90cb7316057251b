/* managedFields: each entry is a manager, the time of its last operation, and a tree of the
 * fields that it owns. A write by someone else takes a field away from who had it. */
#include "cluster/observe_fields.h"

#include <string.h>
#include <time.h>
#include "base/jsonx.h"
#include "cluster/workload.h"

int64_t
observe_time_ms(const char *text)
{
	struct tm parts = {0};
	const char *end;

	if (text == NULL)
		return 0;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	if (end == NULL || (*end != 'Z' && *end != '.'))
		return 0;
	return (int64_t)timegm(&parts) * 1000;
}

static bool
owns(const json_t *entry, const char *const *path)
{
	const json_t *at = json_object_get(entry, "fieldsV1");

	for (; at != NULL && *path != NULL; path++)
		at = json_object_get(at, *path);
	return at != NULL;
}

void
observe_editor(const json_t *object, const char *const *path, char *to, size_t size, int64_t *at_ms)
{
	const json_t *entries = jsonx_at(object, "metadata.managedFields"), *entry;
	const char *newest = "";
	int64_t when = 0;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		const char *manager = jsonx_text_or(entry, "manager", "");
		int64_t at = observe_time_ms(jsonx_text(entry, "time"));

		if (!owns(entry, path))
			continue;
		if (strcmp(manager, WORKLOAD_MANAGER) == 0) {
			newest = "";
			when = at;
			break;
		}
		if (newest[0] == '\0' || at >= when) {
			newest = manager;
			when = at;
		}
	}
	str_copy(to, size, newest);
	if (at_ms != NULL)
		*at_ms = when;
}
