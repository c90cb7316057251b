/* The space in reserve. Always true: the file has all of its space or none. */
#include "store/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"

#define SOME (256 << 10) /* bytes: what opening the database needs, and then some */
#define PIECE (64 << 10) /* that is handed over to the log at a time */

struct store_reserve {
	char *path, *log;
	int64_t bytes, held;
	bool said; /* that there is none, and why */
	int fd;
};

static void
give_to_disk(struct store_reserve *reserve)
{
	if (reserve->fd >= 0 && ftruncate(reserve->fd, 0) != 0)
		log_warn("store", "%s: %s", reserve->path, strerror(errno));
	reserve->held = 0;
}

/* What an earlier run has kept. */
static int64_t
kept(const struct store_reserve *reserve)
{
	struct stat st;
	bool all = fstat(reserve->fd, &st) == 0 && st.st_size >= reserve->bytes &&
		   st.st_blocks * 512 >= reserve->bytes;

	return all ? reserve->bytes : 0;
}

static bool
is_hardly_any(const struct store_reserve *reserve)
{
	struct statvfs fs;

	return fstatvfs(reserve->fd, &fs) == 0 && fs.f_bavail < SOME / fs.f_frsize;
}

struct store_reserve *
store_reserve_new(const char *database, int64_t bytes)
{
	struct store_reserve *reserve = mem_alloc(sizeof(*reserve));

	reserve->path = str_format("%s.reserve", database);
	reserve->log = str_format("%s-wal", database);
	reserve->bytes = bytes;
	reserve->fd =
	    open(reserve->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (bytes > 0 ? O_CREAT : 0), 0600);
	if (reserve->fd < 0)
		return reserve;
	if (bytes == 0 || is_hardly_any(reserve))
		give_to_disk(reserve);
	else
		reserve->held = kept(reserve);
	return reserve;
}

void
store_reserve_free(struct store_reserve *reserve)
{
	if (reserve == NULL)
		return;
	if (reserve->fd >= 0)
		close(reserve->fd);
	free(reserve->path);
	free(reserve->log);
	free(reserve);
}

bool
store_reserve_wanted(const struct store_reserve *reserve)
{
	return reserve->bytes > 0;
}

static int
allocate(struct store_reserve *reserve)
{
	int error;

	if (reserve->fd < 0) /* there was no space for its name, or no right to make it */
		reserve->fd = open(reserve->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (reserve->fd < 0)
		return errno;
	do
		error = posix_fallocate(reserve->fd, 0, reserve->bytes + SOME);
	while (error == EINTR);
	if (ftruncate(reserve->fd, error == 0 ? reserve->bytes : reserve->held) != 0 && error == 0)
		error = errno;
	return error;
}

enum reserve_state
store_reserve_take(struct store_reserve *reserve, struct err *why)
{
	int error = store_reserve_wanted(reserve) ? allocate(reserve) : 0;

	if (!store_reserve_wanted(reserve))
		return RESERVE_NONE;
	if (error == 0) {
		reserve->held = reserve->bytes;
		return RESERVE_HELD;
	}
	err_set(why, "%s: no space to keep %lld bytes for aborts: %s", reserve->path,
	    (long long)reserve->bytes, strerror(error));
	if (error == ENOSPC || error == EDQUOT)
		return RESERVE_SHORT;
	if (!reserve->said)
		log_warn("store", "%s", why->text);
	reserve->said = true;
	return reserve->held > 0 ? RESERVE_HELD : RESERVE_NONE;
}

/* Piece by piece, and half of each goes to the log at once: whoever writes into all that gets free
 * would have to be there first each time. */
static void
hand_over(const struct store_reserve *reserve, int log, int64_t end)
{
	for (int64_t left = reserve->held - PIECE; left >= 0; left -= PIECE)
		if (ftruncate(reserve->fd, left) == 0 &&
		    fallocate(log, FALLOC_FL_KEEP_SIZE, end, PIECE / 2) == 0)
			end += PIECE / 2;
}

void
store_reserve_give(struct store_reserve *reserve)
{
	/* SQLite has no lock on this file that closing it could take away. */
	int log = open(reserve->log, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (log >= 0 && reserve->fd >= 0 && fstat(log, &st) == 0)
		hand_over(reserve, log, st.st_size);
	give_to_disk(reserve);
	if (log >= 0)
		close(log);
}

int64_t
store_reserve_held(const struct store_reserve *reserve)
{
	return reserve->held;
}
