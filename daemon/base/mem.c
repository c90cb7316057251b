/* Memory that is never NULL. Always true: no function here returns to a caller without the
 * memory it asked for; the message of the failure itself needs no memory. */
#include "base/mem.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
give_up(void)
{
	static const char text[] = "fatal: out of memory; restart, the journal has everything\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)written;
	abort();
}

void *
mem_alloc(size_t size)
{
	return mem_array(1, size);
}

void *
mem_array(size_t count, size_t size)
{
	void *block;

	/* calloc(0) may give NULL, which would look like a failure. */
	if (count == 0 || size == 0)
		count = size = 1;
	block = calloc(count, size);
	if (block == NULL)
		give_up();
	return block;
}

void *
mem_grow(void *block, size_t count, size_t size)
{
	void *grown;

	if (count == 0 || size == 0)
		count = size = 1;
	if (count > SIZE_MAX / size)
		give_up();
	grown = realloc(block, count * size);
	if (grown == NULL)
		give_up();
	return grown;
}

char *
mem_strdup(const char *text)
{
	return text == NULL ? NULL : mem_strndup(text, strlen(text));
}

char *
mem_strndup(const char *text, size_t length)
{
	char *copy;

	if (text == NULL)
		return NULL;
	length = strnlen(text, length);
	copy = mem_alloc(length + 1);
	memcpy(copy, text, length);
	return copy;
}

static void *
json_alloc(size_t size)
{
	return mem_grow(NULL, size, 1);
}

void
mem_json_hook(void)
{
	json_set_alloc_funcs(json_alloc, free);
}

void
mem_wipe(void *secret, size_t size)
{
	if (secret != NULL)
		explicit_bzero(secret, size);
}
