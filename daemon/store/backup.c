/* Copies of the database. Always true: a file with the final name is a whole, checked database on
 * the disk, for it gets its name last; and two who copy to one name do not disturb each other. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/failpoint.h"
#include "base/str.h"
#include "store/connection.h"
#include "store/schema.h"

static char *
folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash == NULL   ? mem_strdup(".")
	       : slash == file ? mem_strdup("/")
			       : mem_strndup(file, (size_t)(slash - file));
}

int
store_backup_sync(const char *file, struct err *e)
{
	char *folder = folder_of(file);
	int fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	int result = fd < 0 ? -1 : fsync(fd);

	if (result != 0)
		err_set(e, "%s: %s", folder, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(folder);
	return result;
}

static bool
is_same_file(int fd, const char *path)
{
	struct stat mine, named;

	return fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_dev == named.st_dev &&
	       mine.st_ino == named.st_ino;
}

/* An empty file that only we write to, whatever was left there by one who died. -1: not so. */
static int
take_unfinished(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(e, "cannot write %s: %s", path, strerror(errno));
	/* The one who had it may have given it its final name just now. */
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !is_same_file(fd, path))
		err_set(e, "another copy to the same name is being made (%s)", path);
	else if (ftruncate(fd, 0) != 0 || fchmod(fd, 0600) != 0)
		err_set(e, "cannot write %s: %s", path, strerror(errno));
	else
		return fd;
	close(fd);
	return -1;
}

static int
copy_into(sqlite3 *db, const char *to, struct err *e)
{
	sqlite3_stmt *statement;
	int result = 0;

	if (store_db_prepare(db, "VACUUM INTO ?1", &statement, e) != 0)
		return -1;
	sqlite3_bind_text(statement, 1, to, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_DONE)
		result = store_db_error(db, e);
	sqlite3_finalize(statement);
	return result;
}

/* What was written is read back: a copy that cannot be restored is none. */
static int
check_copy(const char *path, struct err *e)
{
	char answer[256];
	sqlite3 *copy;
	int result;

	if (store_db_open(path, NULL, STORE_READ, &copy, e) != 0)
		return -1;
	result = store_db_text(copy, "PRAGMA integrity_check(1)", answer, sizeof(answer), e);
	if (result == 0 && strcmp(answer, "ok") != 0)
		result = err_set(e, "what was written is not what was read: %s", answer);
	store_db_close(copy);
	return result;
}

static int
put_in_place(int fd, const char *from, const char *to, struct err *e)
{
	if (fsync(fd) != 0)
		return err_set(e, "%s: %s", from, strerror(errno));
	if (rename(from, to) != 0)
		return err_set(e, "naming it %s: %s", to, strerror(errno));
	return store_backup_sync(to, e);
}

int
store_backup(sqlite3 *db, const char *to, struct err *e)
{
	char *unfinished = str_format("%s.tmp", to);
	int fd = take_unfinished(unfinished, e), result = -1;

	failpoint("backup:before");
	if (fd >= 0) {
		if (copy_into(db, unfinished, e) == 0 && check_copy(unfinished, e) == 0) {
			failpoint("backup:copied");
			result = put_in_place(fd, unfinished, to, e);
			failpoint("backup:named");
		}
		if (result != 0 && is_same_file(fd, unfinished))
			unlink(unfinished);
		close(fd);
	}
	free(unfinished);
	return result;
}

/* --- where a copy may go ---------------------------------------------------------------------- */

/* The same for all names of one file, also of one that is not there. */
static char *
true_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = folder_of(path), *real = realpath(folder, NULL), *name;

	name = str_format("%s/%s", real == NULL ? folder : real, slash == NULL ? path : slash + 1);
	free(real);
	free(folder);
	return name;
}

static bool
is_part_of(const char *database, const char *to)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock", ".reserve"};
	char *mine = true_name(database), *other = true_name(to);
	size_t length = strlen(mine);
	bool part = false;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		part = part || (strncmp(other, mine, length) == 0 &&
				   strcmp(other + length, suffixes[i]) == 0);
	free(mine);
	free(other);
	return part;
}

static bool
has_log(const char *path)
{
	char *log = str_format("%s-wal", path);
	bool there = access(log, F_OK) == 0;

	free(log);
	return there;
}

int
store_backup_allowed(const char *database, const char *to, struct err *e)
{
	struct stat live, there;

	if (stat(to, &there) != 0)
		there.st_ino = 0;
	if (is_part_of(database, to) ||
	    (there.st_ino != 0 && stat(database, &live) == 0 && live.st_dev == there.st_dev &&
		live.st_ino == there.st_ino))
		return err_set(e,
		    "%s is the database itself or belongs to it; give a backup "
		    "another name",
		    to);
	if (has_log(to))
		return err_set(e,
		    "%s has a log beside it (%s-wal): it is a database in use and no backup; give "
		    "another name",
		    to, to);
	return there.st_ino == 0 || there.st_size == 0 ? 0 : store_schema_look(to, INT_MAX, e);
}
