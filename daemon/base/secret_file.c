/* See secret_file.h. */
#include "base/secret_file.h"

#include <fcntl.h>
#include <unistd.h>

ssize_t
secret_file_read(const char *path, char *to, size_t size)
{
	/* A pipe in the file's place must not stop the loop. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length = fd < 0 ? -1 : read(fd, to, size);
	if (fd >= 0)
		(void)close(fd);
	while (length > 0 && (to[length - 1] == '\n' || to[length - 1] == '\r'))
		length--;
	return length > 0 ? length : -1;
}
