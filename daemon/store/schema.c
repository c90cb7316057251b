/* What the database file must be. Always true: nothing is written to it before it was found to be
 * ours, whole, and not newer than this program; afterwards the version in the file and its shape
 * change together or not at all. */
#include "store/schema.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/str.h"
#include "store/backup.h"
#include "store/connection.h"
#include "store/crash.h"

#define HEADER 100 /* bytes; the fields are big-endian */
#define AT_VERSION 60
#define AT_APPLICATION 68

static int
refuse_foreign(const char *path, struct err *e)
{
	return err_set(e,
	    "%s is not a database of airisd, or its first bytes are damaged; it was left as it is. "
	    "Give another path, restore a backup, or move the file away to start with an empty "
	    "database",
	    path);
}

static int64_t
file_size(const char *path, const char *suffix)
{
	char *name = str_format("%s%s", path, suffix);
	struct stat st;
	int64_t size = stat(name, &st) == 0 ? st.st_size : -1;

	free(name);
	return size;
}

static int
refuse_newer(const char *path, int64_t version, int newest, struct err *e)
{
	char *copy = str_format("%s.before-%04d", path, newest + 1);
	bool there = file_size(copy, "") > 0;

	err_set(e,
	    "the database %s has version %lld, written by a newer airisd; this one knows versions "
	    "up to %d. It was left as it is. It needs an airisd whose --version says \"database "
	    "version %lld\" or a higher one; to go on with this one, put %s%s in its place",
	    path, (long long)version, newest, (long long)version,
	    there ? "the copy from before it was changed, " : "a backup that this one has made",
	    there ? copy : "");
	free(copy);
	return -1;
}

/* A log that stayed beside another database would be played into it; and a socket that is left open
 * would start airisd in the middle of this, with an empty database. */
void
store_schema_advice(const char *path, char *to, size_t size)
{
	const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
	int folder = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
	struct str text;

	str_init(&text, 0);
	str_addf(&text, "systemctl stop airisd.socket airisd; cd %.*s; mv %s %s.damaged; ", folder,
	    slash == NULL ? "." : path, name, name);
	str_addf(&text, "[ ! -e %s-wal ] || mv %s-wal %s-wal.damaged; ", name, name, name);
	str_addf(&text, "cp BACKUP %s; chown --reference=%s.damaged %s; ", name, name, name);
	str_add(&text, "systemctl -q is-enabled airisd.socket && systemctl start airisd.socket; "
		       "systemctl start airisd");
	str_copy(to, size, str_text(&text));
	str_done(&text);
}

static int
refuse_damaged(const char *path, const char *found, struct err *e)
{
	char advice[STORE_ADVICE];

	store_schema_advice(path, advice, sizeof(advice));
	return err_set(e,
	    "the database %s is damaged (%s); it was left as it is, nothing acts on it, and "
	    "traffic stays as it is. To see what is damaged: airisd --verify-db %s. To restore a "
	    "backup: %s",
	    path, found, path, advice);
}

static uint32_t
big_endian(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A disk that fails and a file that may not be read are no damage. */
static int
refuse_unread(sqlite3 *db, const char *path, const struct err *why, struct err *e)
{
	int group = sqlite3_errcode(db) & 0xff;

	if (group == SQLITE_CORRUPT || group == SQLITE_NOTADB)
		return refuse_damaged(path, why->text, e);
	if (group == SQLITE_PERM || group == SQLITE_READONLY || group == SQLITE_CANTOPEN)
		return err_set(e,
		    "cannot use the database %s: %s; it and its folder must be writable by the "
		    "user that runs this, which is the user of airisd or root",
		    path, why->text);
	return err_set(e, "cannot read the database %s: %s", path, why->text);
}

static int
look_at_header(const char *path, int newest, struct err *e)
{
	unsigned char header[HEADER] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : pread(fd, header, sizeof(header), 0);
	int error = errno;

	if (fd >= 0)
		close(fd);
	if (count < 0)
		return err_set(e, "cannot read the database %s: %s", path, strerror(error));
	if (count < HEADER || memcmp(header, "SQLite format 3", 16) != 0 ||
	    big_endian(header + AT_APPLICATION) != STORE_APPLICATION_ID)
		return refuse_foreign(path, e);
	if (big_endian(header + AT_VERSION) > (uint32_t)newest)
		return refuse_newer(path, big_endian(header + AT_VERSION), newest, e);
	return 0;
}

int
store_schema_look(const char *path, int newest, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, "%s is not a file; give the path of a database file", path);
	if (file_size(path, "") <= 0) {
		/* SQLite would delete this log when it creates the database. */
		if (file_size(path, "-wal") > 0)
			return err_set(e,
			    "the database %s is missing or empty, but its log %s-wal is there: put "
			    "the "
			    "database back beside it, or move the log away to start empty",
			    path, path);
		return 0;
	}
	/* A crash while the database was created: SQLite first has to undo what was begun. */
	if (file_size(path, "-journal") > 0)
		return 0;
	return look_at_header(path, newest, e);
}

int
store_schema_identify(sqlite3 *db, const char *path, int newest, int64_t *version, struct err *e)
{
	int64_t application, found;
	struct err why;

	if (store_db_number(db, "PRAGMA application_id", &application, &why) != 0 ||
	    store_db_number(db, "PRAGMA user_version", &found, &why) != 0)
		return refuse_unread(db, path, &why, e);
	if (application != STORE_APPLICATION_ID)
		return refuse_foreign(path, e);
	if (found < 0 || found > newest)
		return refuse_newer(path, found, newest, e);
	*version = found;
	return 0;
}

/* Every byte of it, past SQLite; errno, or 0. */
static int
read_through(const char *path)
{
	char bytes[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;
	ssize_t count;

	if (fd < 0)
		return errno;
	do
		count = read(fd, bytes, sizeof(bytes));
	while (count > 0);
	error = count < 0 ? errno : 0;
	close(fd);
	return error;
}

/* integrity_check finds something where a page cannot be read, too: the disk is at fault if it says
 * so, or something else when it is asked again. */
static int
refuse_finding(sqlite3 *db, const char *path, const char *found, struct err *e)
{
	int error = read_through(path);
	char again[256];

	if (error != 0)
		return err_set(e, "cannot read the database %s: %s", path, strerror(error));
	if (store_db_text(db, "PRAGMA integrity_check(1)", again, sizeof(again), NULL) != 0 ||
	    strcmp(again, found) != 0)
		return err_set(e,
		    "cannot read the database %s: the disk gave other bytes when it was read "
		    "again (%s)",
		    path, found);
	return refuse_damaged(path, found, e);
}

static int
check_whole(sqlite3 *db, const char *path, struct err *e)
{
	char answer[256];
	struct err why;

	if (store_db_text(db, "PRAGMA integrity_check(1)", answer, sizeof(answer), &why) != 0)
		return refuse_unread(db, path, &why, e);
	return strcmp(answer, "ok") == 0 ? 0 : refuse_finding(db, path, answer, e);
}

/* The mark is written in rollback mode, so that it is in the file itself from the first moment on,
 * where store_schema_look finds it. A journal whose deletion is forgotten by a power cut would undo
 * what comes later: EXTRA syncs the folder. */
static int
mark_as_ours(sqlite3 *db, struct err *e)
{
	char sql[80];

	str_print(sql, sizeof(sql), "PRAGMA synchronous = EXTRA; PRAGMA application_id = %d",
	    STORE_APPLICATION_ID);
	return store_db_run(db, sql, e);
}

static int
run_migration(sqlite3 *db, const struct store_migration *migration, struct err *e)
{
	char bump[64];

	str_print(bump, sizeof(bump), "PRAGMA user_version = %d", migration->number);
	if (store_db_run(db, "BEGIN IMMEDIATE", e) != 0)
		return -1;
	if (store_db_run(db, migration->sql, e) == 0) {
		/* A COMMIT of its own would have parted the shape from the version. */
		assert(!sqlite3_get_autocommit(db));
		if (store_db_run(db, bump, e) == 0 && store_db_run(db, "COMMIT", e) == 0)
			return 0;
	}
	if (!sqlite3_get_autocommit(db) && store_db_run(db, "ROLLBACK", NULL) != 0)
		return err_wrap(e, "not rolled back");
	return err_wrap(
	    e, "migration %04d_%s failed and was undone", migration->number, migration->name);
}

static int
migrate(sqlite3 *db, const char *path, const struct store_migration *migrations, int count,
    int64_t version, struct err *e)
{
	int result = 0;

	if (version > 0 && version < count) {
		char *copy = str_format("%s.before-%04d", path, (int)version + 1);

		if (store_backup(db, copy, e) != 0)
			result = err_wrap(e, "the copy %s that is made before a migration", copy);
		free(copy);
	}
	failpoint("migrate:before");
	store_crash_statements(db, true);
	for (int i = (int)version; result == 0 && i < count; i++) {
		assert(migrations[i].number == i + 1);
		result = run_migration(db, &migrations[i], e);
	}
	store_crash_statements(db, false);
	failpoint("migrate:after");
	return result;
}

static int
bring_to_ours(sqlite3 *db, const char *path, const struct store_migration *migrations, int count,
    struct err *e)
{
	int64_t pages, version = 0;
	struct err why;

	if (store_db_number(db, "PRAGMA page_count", &pages, &why) != 0)
		return refuse_unread(db, path, &why, e);
	if (pages > 0 && (store_schema_identify(db, path, count, &version, e) != 0 ||
			     check_whole(db, path, e) != 0))
		return -1;
	if ((pages == 0 && mark_as_ours(db, e) != 0) || store_db_accept(db, e) != 0 ||
	    migrate(db, path, migrations, count, version, e) != 0)
		return err_wrap(e, "the database %s", path);
	return 0;
}

int
store_schema_open(const char *path, const char *vfs, const struct store_migration *migrations,
    int count, sqlite3 **db, struct err *e)
{
	sqlite3 *opened;

	if (store_schema_look(path, count, e) != 0)
		return -1;
	if (store_db_open(
		path, vfs, file_size(path, "") > 0 ? STORE_WRITE : STORE_CREATE, &opened, e) != 0)
		return err_wrap(e, "cannot open the database %s", path);
	if (bring_to_ours(opened, path, migrations, count, e) != 0) {
		store_db_close(opened);
		return -1;
	}
	*db = opened;
	return 0;
}
