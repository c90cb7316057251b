/* The lock on the database. Always true: while the descriptor is open, no other process gets one.
 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/str.h"

static int
refuse(int fd, const char *database, const char *path, struct err *e)
{
	char owner[32] = "";
	ssize_t count;

	if (errno != EWOULDBLOCK)
		return err_set(e, "cannot lock %s: %s; put the database on a local disk", path,
		    strerror(errno));
	count = pread(fd, owner, sizeof(owner) - 1, 0);
	if (count > 0)
		owner[strspn(owner, "0123456789")] = '\0';
	return err_set(e,
	    "the database %s is in use by another airisd (pid %s): stop that one, or give this one "
	    "a database of its own",
	    database, owner[0] == '\0' ? "not known" : owner);
}

static int
write_owner(int fd, const char *path, struct err *e)
{
	char owner[32];
	size_t length;

	str_print(owner, sizeof(owner), "%ld\n", (long)getpid());
	length = strlen(owner);
	/* Over the one before, so that a full disk has space for it. Nobody waits for a name that
	 * does not fit. */
	if ((pwrite(fd, owner, length, 0) == (ssize_t)length &&
		ftruncate(fd, (off_t)length) == 0) ||
	    errno == ENOSPC || errno == EDQUOT)
		return 0;
	return err_set(e, "cannot write %s: %s", path, strerror(errno));
}

int
store_lock(const char *database, struct err *e)
{
	char *path = str_format("%s.lock", database);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int result = -1;

	if (fd < 0)
		err_set(e, "cannot open %s: %s; its directory must exist and be writable", path,
		    strerror(errno));
	else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		refuse(fd, database, path, e);
	else
		result = write_owner(fd, path, e);
	free(path);
	if (result == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}
