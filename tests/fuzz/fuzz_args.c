/* Command lines of airisctl, words separated by zero bytes, through the real tables. What is taken
 * is allowed by them; what is not is refused with a reason. Nothing is run. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "args.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS 24

static void
check_taken(const struct args *args)
{
	const struct command *command = args->command;
	struct goal goal;

	if (args_given(args, FLAG_HELP) || args_given(args, FLAG_VERSION))
		return;
	assert(command != NULL && command->run != NULL && args->count <= ARGS_WORDS);
	for (int i = 0; i < FLAG_COUNT; i++) {
		uint64_t bit = UINT64_C(1) << i;

		if (args->values[i] != NULL)
			assert((command->flags & bit) != 0 || flags[i].global);
		else
			assert((command->needs & bit) == 0);
		if (args->values[i] != NULL && args->values[i][0] == '\0')
			assert(flags[i].value == NULL || flags[i].optional);
	}
	for (int i = 0; i < args->count; i++)
		assert(args->words[i][0] != '\0');
	if (args_given(args, FLAG_WAIT) && args->values[FLAG_WAIT][0] != '\0')
		assert(goal_parse(args->values[FLAG_WAIT], &goal, NULL) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_alloc(size + 1), *argv[WORDS + 2] = {"airisctl"};
	struct args args;
	struct err e = {""};
	int argc = 1;

	memcpy(text, data, size);
	for (size_t at = 0; at < size && argc <= WORDS; at += strlen(text + at) + 1)
		argv[argc++] = text + at;
	if (args_parse(argc, argv, &args, &e) == 0)
		check_taken(&args);
	else
		assert(e.text[0] != '\0');
	if (args.command != NULL)
		free(command_usage(args.command));
	free(text);
	return 0;
}
