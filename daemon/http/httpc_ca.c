/* See httpc_ca.h. */
#include "http/httpc_ca.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"

#define CA_MAX ((size_t)1024 * 1024)
#define NONE "-" /* no PEM at all */

char *
httpc_ca_read(const char *path, const char *whose)
{
	if (path == NULL || path[0] == '\0')
		return NULL;
	char *text = mem_alloc(CA_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length = fd < 0 ? -1 : read(fd, text, CA_MAX - sizeof(NONE));
	if (length < 0)
		log_error(
		    "http", "%s: %s: %s; nobody is verified by it", whose, path, strerror(errno));
	if (length <= 0)
		memcpy(text, NONE, sizeof(NONE));
	if (fd >= 0)
		(void)close(fd);
	return text;
}
