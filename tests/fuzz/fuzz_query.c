/* Query templates with hostile values: the first line is the value, the rest the query. A value
 * never changes how the query goes on behind its string. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "model/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The value, read back from `x{a="VALUE"}!` as Prometheus would; anything else is a way out. */
static void
check_contained(const char *value)
{
	const struct query_vars vars = {.app = value, .window_ms = 1};
	char *expanded;
	const char *at;
	size_t read = 0;

	if (query_expand("x{a=\"{{app}}\"}!", &vars, &expanded, NULL) != 0)
		return;
	for (at = expanded + 5; *at != '"'; at++, read++) {
		at += *at == '\\';
		assert(*at != '\0' && value[read] == *at);
	}
	assert(value[read] == '\0' && strcmp(at, "\"}!") == 0);
	free(expanded);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size), *query = strchr(text, '\n');
	char *expanded;
	struct err e;

	if (query != NULL) {
		struct query_vars vars = {.app = text,
		    .namespace = "n",
		    .stable = "s",
		    .canary = "s-canary",
		    .window_ms = 1500,
		    .since_weight_ms = 10};

		*query++ = '\0';
		check_contained(text);
		if (query_expand(query, &vars, &expanded, &e) == 0) {
			assert(strlen(query) > 1000 || query_check(query, &e) == 0);
			free(expanded);
		}
	}
	free(text);
	return 0;
}
