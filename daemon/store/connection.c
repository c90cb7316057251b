/* SQLite connections. Always true: none is handed out without its busy timeout, defensive mode and
 * distrust of the schema's own functions. */
#include "store/connection.h"

#include <string.h>
#include "base/str.h"
#include "store/crash.h"

#define BUSY_MS 5000
#define LONGEST_VALUE (16 << 20) /* bytes; what is longer is refused with its batch */

static int
set_limits(sqlite3 *db, struct err *e)
{
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LONGEST_VALUE);
	if (sqlite3_busy_timeout(db, BUSY_MS) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
		return store_db_error(db, e);
	return store_db_run(db, "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;", e);
}

int
store_db_open(const char *path, const char *vfs, enum store_mode mode, sqlite3 **db, struct err *e)
{
	static const int flags[] = {
	    [STORE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	    [STORE_WRITE] = SQLITE_OPEN_READWRITE,
	    [STORE_READ] = SQLITE_OPEN_READONLY,
	};
	sqlite3 *opened = NULL;

	if (sqlite3_open_v2(path, &opened,
		flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs) != SQLITE_OK)
		store_db_error(opened, e);
	else if (set_limits(opened, e) == 0 &&
		 (mode != STORE_READ || store_db_run(opened, "PRAGMA query_only = ON", e) == 0)) {
		*db = opened;
		return 0;
	}
	store_db_close(opened);
	return -1;
}

void
store_db_close(sqlite3 *db)
{
	sqlite3_close_v2(db);
}

int
store_db_accept(sqlite3 *db, struct err *e)
{
	char mode[32];

	/* Changing to it takes a rollback journal. */
	if (store_db_run(db, "PRAGMA synchronous = EXTRA", e) != 0)
		return -1;
	if (store_db_text(db, "PRAGMA journal_mode = WAL", mode, sizeof(mode), e) != 0)
		return -1;
	if (strcmp(mode, "wal") != 0)
		return err_set(e,
		    "the file system does not allow a write-ahead log (journal mode is \"%s\"); "
		    "put the database on a local disk",
		    mode);
	if (sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL) != SQLITE_OK)
		return store_db_error(db, e);
	if (store_db_run(db,
		"PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000;"
		"PRAGMA journal_size_limit = 67108864;",
		e) != 0)
		return -1;
	store_crash_checkpoints(db);
	return 0;
}

int
store_db_run(sqlite3 *db, const char *sql, struct err *e)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_db_error(db, e);
}

int
store_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement, struct err *e)
{
	sqlite3_stmt *prepared = NULL;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, NULL) !=
	    SQLITE_OK) {
		store_db_error(db, e);
		return err_wrap(e, "preparing \"%s\"", sql);
	}
	*statement = prepared;
	return 0;
}

int
store_db_number(sqlite3 *db, const char *sql, int64_t *value, struct err *e)
{
	sqlite3_stmt *statement = NULL;
	int result;

	if (store_db_prepare(db, sql, &statement, e) != 0)
		return -1;
	result = sqlite3_step(statement) == SQLITE_ROW ? 0 : store_db_error(db, e);
	if (result == 0)
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return result;
}

int
store_db_text(sqlite3 *db, const char *sql, char *to, size_t size, struct err *e)
{
	sqlite3_stmt *statement = NULL;
	const char *text;
	int result;

	if (store_db_prepare(db, sql, &statement, e) != 0)
		return -1;
	result = sqlite3_step(statement) == SQLITE_ROW ? 0 : store_db_error(db, e);
	if (result == 0) {
		text = (const char *)sqlite3_column_text(statement, 0);
		str_copy(to, size, text == NULL ? "" : text);
	}
	sqlite3_finalize(statement);
	return result;
}

int
store_db_error(sqlite3 *db, struct err *e)
{
	int code = sqlite3_extended_errcode(db), group = code & 0xff;
	int system = sqlite3_system_errno(db);
	char buffer[128];

	if (system != 0 &&
	    (group == SQLITE_IOERR || group == SQLITE_FULL || group == SQLITE_CANTOPEN))
		return err_set(e, "%s (%s, SQLite code %d)", sqlite3_errmsg(db),
		    strerror_r(system, buffer, sizeof(buffer)), code);
	return err_set(e, "%s (SQLite code %d)", sqlite3_errmsg(db), code);
}
