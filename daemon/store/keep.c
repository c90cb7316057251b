/* Always true: nothing is removed before the new copy has its name on the disk; and what is removed
 * is a plain file with a name of ours, older than the new copy, and a copy of the same database. */
#include "store/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/str.h"
#include "store/backup.h"
#include "store/connection.h"

#define LOCK ".airis-backup.lock"
#define UNVERIFIED "airis-unverified.db"
/* 0: a digit. As names are sorted, so are times. */
#define PATTERN "airis-00000000T000000Z.db"
#define IDENTITY 40

struct store_keep {
	char *folder, *database, *unverified;
	char *named; /* NULL: not yet */
	int lock;
};

/* --- the folder ------------------------------------------------------------------------------- */

/* One file of root's, and the next night's copy would fail. */
static int
refuse_root(const char *folder, struct err *e)
{
	struct stat st;

	if (geteuid() != 0 || stat(folder, &st) != 0 || st.st_uid == 0)
		return 0;
	return err_set(e,
	    "%s belongs to a user who could not remove what root leaves there; do it as that user, "
	    "with: sudo -u '#%u' airisd ...",
	    folder, (unsigned)st.st_uid);
}

static int
take_lock(struct store_keep *keep, struct err *e)
{
	char *path = str_format("%s/" LOCK, keep->folder);
	int result = 0;

	keep->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (keep->lock < 0)
		result = err_set(e,
		    "cannot keep backups in %s: %s; it must be a folder that the user that runs "
		    "this may write to",
		    keep->folder, strerror(errno));
	else if (flock(keep->lock, LOCK_EX | LOCK_NB) != 0)
		result = err_set(e,
		    errno == EWOULDBLOCK ? "another backup into %s is being made"
					 : "%s cannot be locked",
		    keep->folder);
	free(path);
	return result;
}

struct store_keep *
store_keep_open(const char *folder, const char *database, struct err *e)
{
	struct store_keep *keep = mem_alloc(sizeof(*keep));

	*keep = (struct store_keep){.folder = mem_strdup(folder),
	    .database = mem_strdup(database),
	    .unverified = str_format("%s/" UNVERIFIED, folder),
	    .lock = -1};
	if (refuse_root(folder, e) == 0 && take_lock(keep, e) == 0)
		return keep;
	store_keep_close(keep);
	return NULL;
}

void
store_keep_close(struct store_keep *keep)
{
	if (keep == NULL)
		return;
	if (keep->lock >= 0)
		close(keep->lock);
	free(keep->folder);
	free(keep->database);
	free(keep->unverified);
	free(keep->named);
	free(keep);
}

const char *
store_keep_unverified(const struct store_keep *keep)
{
	return keep->unverified;
}

/* --- which are ours --------------------------------------------------------------------------- */

static bool
has_our_name(const char *name)
{
	const char *pattern = PATTERN;

	for (; *pattern != '\0'; pattern++, name++) {
		if (*pattern == '0' ? *name < '0' || *name > '9' : *name != *pattern)
			return false;
	}
	return *name == '\0';
}

static int
read_identity(const char *path, char to[IDENTITY], struct err *e)
{
	sqlite3 *db;
	int result;

	if (store_db_open(path, NULL, STORE_READ, &db, e) != 0)
		return -1;
	result = store_db_text(db, "SELECT value FROM identity WHERE id = 1", to, IDENTITY, e);
	store_db_close(db);
	return result;
}

/* -1, and why: it is not a copy of this database, or not one that may go. */
static int
judge(const struct store_keep *keep, const char *path, const char *identity, struct err *e)
{
	char its[IDENTITY];
	struct stat st;

	if (lstat(path, &st) != 0)
		return err_set(e, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return err_set(e, "it is not a file with something in it");
	if (store_backup_allowed(keep->database, path, e) != 0 || read_identity(path, its, e) != 0)
		return -1;
	return strcmp(its, identity) == 0 ? 0 : err_set(e, "it is of another database");
}

/* --- naming the new one ----------------------------------------------------------------------- */

/* One of the same second and the same database says the same. */
static int
may_be_named(const struct store_keep *keep, const char *path, struct err *e)
{
	char identity[IDENTITY];
	struct err why;
	struct stat st;

	if (lstat(path, &st) != 0 && errno == ENOENT)
		return 0;
	if (read_identity(keep->unverified, identity, e) != 0)
		return -1;
	if (judge(keep, path, identity, &why) == 0)
		return 0;
	return err_set(e, "there is something else with the name %s: %s", path, why.text);
}

const char *
store_keep_name(struct store_keep *keep, int64_t wall_ms, struct err *e)
{
	time_t now = (time_t)(wall_ms / 1000);
	char stamp[sizeof(PATTERN)];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "airis-%Y%m%dT%H%M%SZ.db", &tm);
	char *path = str_format("%s/%s", keep->folder, stamp);
	if (may_be_named(keep, path, e) == 0) {
		if (rename(keep->unverified, path) != 0)
			err_set(e, "naming it %s: %s", path, strerror(errno));
		else if (store_backup_sync(path, e) == 0)
			return keep->named = path;
	}
	free(path);
	return NULL;
}

/* --- removing older ones ---------------------------------------------------------------------- */

static int
is_ours(const struct dirent *entry)
{
	return has_our_name(entry->d_name);
}

static int
later_first(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*b)->d_name, (*a)->d_name);
}

static void
say_of(void (*say)(const char *line), const char *path, const char *what, const char *why)
{
	char *line = str_format("%s: %s%s", path, what, why);

	say(line);
	free(line);
}

static int
remove_one(const char *path, void (*say)(const char *line), struct err *e)
{
	if (unlink(path) != 0)
		return err_set(e, "removing %s: %s", path, strerror(errno));
	say_of(say, path, "removed", "");
	return 0;
}

/* The later ones first; the new one is one of those that stay. */
static int
go_through(const struct store_keep *keep, struct dirent *const *entries, int entry_count,
    const char *identity, int count, void (*say)(const char *line), struct err *e)
{
	const char *mine = strrchr(keep->named, '/') + 1;
	struct err why;
	int stay = 1, result = 0;

	for (int i = 0; i < entry_count; i++) {
		char *path = str_format("%s/%s", keep->folder, entries[i]->d_name);
		int order = strcmp(entries[i]->d_name, mine);

		if (order > 0)
			say_of(say, path, "left as it is: ", "its name says a later time than now");
		else if (order < 0 && judge(keep, path, identity, &why) != 0)
			say_of(say, path, "left as it is: ", why.text);
		else if (order < 0 && ++stay > count)
			result = remove_one(path, say, e) != 0 ? -1 : result;
		free(path);
	}
	return result;
}

int
store_keep_prune(struct store_keep *keep, int count, void (*say)(const char *line), struct err *e)
{
	struct dirent **entries;
	char identity[IDENTITY];
	int result, found;

	if (read_identity(keep->named, identity, e) != 0)
		return -1;
	found = scandir(keep->folder, &entries, is_ours, later_first);
	if (found < 0)
		return err_set(e, "cannot read %s: %s", keep->folder, strerror(errno));
	result = go_through(keep, entries, found, identity, count, say, e);
	for (int i = 0; i < found; i++)
		free(entries[i]);
	free(entries);
	return result;
}
