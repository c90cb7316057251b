/* JSON of others: what is taken comes out of the writer as it was, and paths into it are never a
 * way out. The first line is a path, the rest the JSON. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_path(const json_t *root, const char *path)
{
	const json_t *at = jsonx_at(root, path);
	int64_t number = jsonx_int(root, path, -7);

	assert((jsonx_text(root, path) != NULL) == json_is_string(at));
	assert(number == -7 || json_is_number(at));
	assert(jsonx_count(root, path, -1) == -1 || jsonx_count(root, path, -1) == number);
	assert(jsonx_bool(root, path, true) || json_is_false(at));
	(void)jsonx_real(root, path, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = memchr(data, '\n', size);
	size_t length = line != NULL ? (size_t)(line - (const char *)data) : size;
	char *path = mem_strndup((const char *)data, length), *text;
	struct err e = {""};
	json_t *root, *again;

	if (line == NULL) {
		free(path);
		return 0;
	}
	length = size - length - 1;
	root = jsonx_parse(line + 1, length, 1 << 20, &e);
	if (root == NULL) {
		assert(e.text[0] != '\0' && str_utf8_ok(e.text, strlen(e.text)));
	} else {
		check_path(root, path);
		text = jsonx_dump(root);
		again = jsonx_parse(text, strlen(text), strlen(text), &e);
		assert(again != NULL && json_equal(root, again));
		json_decref(again);
		free(text);
	}
	json_decref(root);
	free(path);
	return 0;
}
