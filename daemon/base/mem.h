/* Memory that is never NULL. Running out of it is the machine's failure, not the caller's:
 * the process says so and aborts; the journal makes a restart safe. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size); /* zeroed; owned by the caller, released with free() */
void *mem_array(size_t count, size_t size);
void *mem_grow(void *block, size_t count, size_t size); /* realloc with an overflow check */
char *mem_strdup(const char *text);			/* NULL gives NULL */
char *mem_strndup(const char *text, size_t length);
void mem_json_hook(void); /* makes jansson allocate with the same rule; call once, first */
void mem_wipe(void *secret, size_t size);

#define must_check __attribute__((warn_unused_result))
#define printf_like(text, first) __attribute__((format(printf, text, first)))

#endif
