/* Help for targets whose input is JSON: changes that keep it JSON, so that what is behind the
 * parser is reached. */
#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* Behind `head` bytes that mean something else there is a JSON text: one of its values goes, comes
 * twice, trades places, or becomes another. Now and then, and when it is no JSON, bytes are changed
 * as libFuzzer would. For LLVMFuzzerCustomMutator; returns the new size, at most max. */
size_t mutate_json(uint8_t *data, size_t size, size_t max, unsigned seed, size_t head);

#define MUTATE_JSON(head)                                                                          \
	size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);     \
	size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)      \
	{                                                                                          \
		return mutate_json(data, size, max, seed, head);                                   \
	}

#endif
