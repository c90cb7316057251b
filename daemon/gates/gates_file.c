/* Files with passwords, tokens and certificates. Always true: what is held is what the file had
 * when it was last asked for, and memory that held a secret is wiped before it is given back. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/str.h"
#include "gates/gates_room.h"

static void
forget(struct gates_file *file)
{
	if (file->text != NULL)
		mem_wipe(file->text, strlen(file->text));
	free(file->text);
	file->text = NULL;
}

void
gates_file_set(struct gates_file *file, const char *path)
{
	gates_file_done(file);
	file->path = mem_strdup(path);
}

void
gates_file_done(struct gates_file *file)
{
	forget(file);
	free(file->path);
	*file = (struct gates_file){0};
}

static bool
is_same(const struct gates_file *file, const struct stat *now)
{
	return file->text != NULL && file->device == now->st_dev && file->inode == now->st_ino &&
	       file->size == now->st_size && file->changed.tv_sec == now->st_ctim.tv_sec &&
	       file->changed.tv_nsec == now->st_ctim.tv_nsec;
}

static int
read_all(int fd, char *to, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t got = read(fd, to + have, size - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return 0;
}

/* Cuts the line end; a secret goes into a header and must be one line of text. */
static int
check_secret(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		text[--length] = '\0';
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return -1;
	}
	return length > 0 ? 0 : -1;
}

/* fd is open, now is what it is. */
static int
take(struct gates_file *file, int fd, const struct stat *now, bool secret, struct err *e)
{
	size_t size = (size_t)now->st_size;
	char *text = mem_alloc(size + 1);

	if (read_all(fd, text, size) != 0) {
		err_set(e, "%s cannot be read: %s", file->path, strerror(errno));
		goto fail;
	}
	if (secret && check_secret(text) != 0) {
		err_set(e, "%s must hold one line of text and nothing else", file->path);
		goto fail;
	}
	forget(file);
	file->text = text;
	file->device = now->st_dev;
	file->inode = now->st_ino;
	file->size = now->st_size;
	file->changed = now->st_ctim;
	return 0;
fail:
	mem_wipe(text, size);
	free(text);
	return -1;
}

int
gates_file_read(struct gates_file *file, size_t limit, bool secret, struct err *e)
{
	struct stat now;
	int fd, result = 0;

	if (file->path == NULL)
		return 0;
	if (stat(file->path, &now) == 0 && is_same(file, &now))
		return 0;
	/* A pipe in the file's place must not stop the loop. */
	fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, "%s cannot be opened: %s", file->path, strerror(errno));
	if (fstat(fd, &now) != 0)
		result = err_set(e, "%s cannot be read: %s", file->path, strerror(errno));
	else if (!S_ISREG(now.st_mode) || now.st_size < 0 || (uintmax_t)now.st_size > limit)
		result = err_set(e, "%s must be a file of at most %zu bytes", file->path, limit);
	else
		result = take(file, fd, &now, secret, e);
	close(fd);
	return result;
}
