/* Lists come in pages; people want the list. */
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "cmd/cmd.h"

enum { PAGE = 100, MOST_PAGES = 1000 };

static char *
page_path(const char *path, const char *cursor, const json_t *next, int64_t limit)
{
	struct str all;
	char *value;

	str_init(&all, 0);
	str_addf(
	    &all, "%s%slimit=%lld", path, strchr(path, '?') == NULL ? "?" : "&", (long long)limit);
	if (json_is_integer(next))
		str_addf(&all, "&%s=%lld", cursor, (long long)json_integer_value(next));
	else if (json_is_string(next)) {
		value = path_format("%", json_string_value(next));
		str_addf(&all, "&%s=%s", cursor, value);
		free(value);
	}
	return str_take(&all);
}

/* Moves the items of a page to all; false: it was the last one. */
static bool
take_page(json_t *all, json_t *page, int64_t limit)
{
	json_t *items = json_object_get(all, "items"), *more = json_object_get(page, "items");
	json_t *next = json_object_get(page, "next"), *before = json_object_get(all, "next");
	bool same = next == NULL || json_is_null(next) || json_equal(next, before);
	size_t count = json_array_size(more);

	json_array_extend(items, more);
	if (next == NULL)
		next = json_null();
	json_object_set(all, "next", next);
	return (count > 0 || json_is_string(next)) && !same &&
	       (limit == 0 || (int64_t)json_array_size(items) < limit);
}

int
cmd_pages(struct cli *cli, const char *path, const char *cursor, int64_t limit, json_t **all)
{
	json_t *list = json_pack("{s:[], s:n}", "items", "next");
	bool more = true;

	for (int pages = 0; more && pages < MOST_PAGES; pages++) {
		int64_t have = (int64_t)json_array_size(json_object_get(list, "items"));
		int64_t left = limit == 0 || limit - have > PAGE ? PAGE : limit - have;
		char *one = page_path(path, cursor, json_object_get(list, "next"), left);
		struct answer answer;
		int code = cmd_get(cli, one, &answer);

		free(one);
		if (code != CODE_OK) {
			json_decref(list);
			return code;
		}
		more = take_page(list, answer.json, limit);
		answer_done(&answer);
	}
	*all = list;
	return CODE_OK;
}
