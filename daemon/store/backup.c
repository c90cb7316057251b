/* The copy before a migration. Always true: a file with the final name is a whole database on the
 * disk, for it gets its name last. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/failpoint.h"
#include "base/str.h"
#include "store/connection.h"

static int
sync_path(const char *path, int flags, struct err *e)
{
	int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
	int result = fd < 0 ? -1 : fsync(fd);

	if (result != 0)
		err_set(e, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return result;
}

static int
sync_folder(const char *file, struct err *e)
{
	const char *slash = strrchr(file, '/');
	char *folder = slash == NULL   ? mem_strdup(".")
		       : slash == file ? mem_strdup("/")
				       : mem_strndup(file, (size_t)(slash - file));
	int result = sync_path(folder, O_DIRECTORY, e);

	free(folder);
	return result;
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

static int
put_in_place(const char *from, const char *to, struct err *e)
{
	if (sync_path(from, 0, e) != 0)
		return -1;
	if (rename(from, to) != 0)
		return err_set(e, "naming it %s: %s", to, strerror(errno));
	return sync_folder(to, e);
}

int
store_backup(sqlite3 *db, const char *to, struct err *e)
{
	char *unfinished = str_format("%s.new", to);
	int result = -1;

	failpoint("backup:before");
	if (unlink(unfinished) != 0 && errno != ENOENT)
		err_set(e, "removing %s: %s", unfinished, strerror(errno));
	else if (copy_into(db, unfinished, e) == 0) {
		failpoint("backup:copied");
		result = put_in_place(unfinished, to, e);
		failpoint("backup:named");
	}
	if (result != 0) {
		unlink(unfinished);
		err_wrap(e, "the copy %s that is made before a migration", to);
	}
	free(unfinished);
	return result;
}
