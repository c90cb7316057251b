/* Files with a key or a token alone, read when it is used. */
#ifndef BASE_SECRET_FILE_H
#define BASE_SECRET_FILE_H

#include <sys/types.h>

/* How many bytes, without the line's end; at most size, and no NUL behind them. -1: it cannot be
 * read, or is empty. Who is done with it wipes it. */
ssize_t secret_file_read(const char *path, char *to, size_t size);

#endif
