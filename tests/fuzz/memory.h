/* A journal in memory: ports/journal.h without a disk. What is appended is there at once; done
 * comes in a later turn. */
#ifndef TESTS_FUZZ_MEMORY_H
#define TESTS_FUZZ_MEMORY_H

#include "loop/loop.h"
#include "ports/journal.h"

struct memory;

struct memory *memory_new(struct loop *loop);
void memory_free(struct memory *memory); /* what was not told yet is not told */
struct journal_port memory_port(struct memory *memory);

#endif
