/* The simulated disk as SQLite sees it: one process, several connections, locks as in the real one.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "disk.h"
#include "disk_room.h"
#include "schedule.h"

struct handle {
	sqlite3_file base;
	struct disk_file *file;
	int level;		    /* of the lock on the file */
	unsigned shared, exclusive; /* regions of the index */
};

static struct handle *
handle_of(sqlite3_file *f)
{
	return (struct handle *)f;
}

static int
on_read(sqlite3_file *f, void *to, int count, sqlite3_int64 at)
{
	const struct disk_state *now = &handle_of(f)->file->now;
	int64_t got = now->size - at < count ? now->size - at : count;
	if (got < 0)
		got = 0;
	if (got > 0)
		memcpy(to, now->bytes + at, (size_t)got);
	if (got == count)
		return SQLITE_OK;
	memset((char *)to + got, 0, (size_t)(count - got));
	return SQLITE_IOERR_SHORT_READ;
}

static int
on_write(sqlite3_file *f, const void *from, int count, sqlite3_int64 at)
{
	if (disk_write(handle_of(f)->file, from, count, at))
		return SQLITE_OK;
	return disk_is_full() ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int
on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return disk_truncate(handle_of(f)->file, size) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int
on_sync(sqlite3_file *f, int flags)
{
	(void)flags;
	return disk_sync(handle_of(f)->file) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int
on_size(sqlite3_file *f, sqlite3_int64 *size)
{
	*size = handle_of(f)->file->now.size;
	return SQLITE_OK;
}

/* --- locks ----------------------------------------------------------------------------------- */

static bool
of_others(const void *holder, const struct handle *handle)
{
	return holder != NULL && holder != handle;
}

static int
on_lock(sqlite3_file *f, int level)
{
	struct handle *h = handle_of(f);
	struct disk_locks *locks = &h->file->locks;
	if (level <= h->level)
		return SQLITE_OK;
	if (of_others(locks->exclusive, h) ||
	    (level >= SQLITE_LOCK_RESERVED && of_others(locks->reserved, h)))
		return SQLITE_BUSY;
	if (h->level == SQLITE_LOCK_NONE)
		locks->shared++;
	if (level >= SQLITE_LOCK_RESERVED)
		locks->reserved = h;
	if (level == SQLITE_LOCK_EXCLUSIVE && locks->shared > 1) {
		h->level = SQLITE_LOCK_RESERVED;
		return SQLITE_BUSY;
	}
	if (level == SQLITE_LOCK_EXCLUSIVE)
		locks->exclusive = h;
	h->level = level;
	return SQLITE_OK;
}

static int
on_unlock(sqlite3_file *f, int level)
{
	struct handle *h = handle_of(f);
	struct disk_locks *locks = &h->file->locks;
	if (level >= h->level)
		return SQLITE_OK;
	if (locks->exclusive == h)
		locks->exclusive = NULL;
	if (locks->reserved == h)
		locks->reserved = NULL;
	if (level == SQLITE_LOCK_NONE)
		locks->shared--;
	h->level = level;
	return SQLITE_OK;
}

static int
on_reserved(sqlite3_file *f, int *held)
{
	*held = handle_of(f)->file->locks.reserved != NULL;
	return SQLITE_OK;
}

static int
on_control(sqlite3_file *f, int what, void *arg)
{
	(void)f, (void)what, (void)arg;
	return SQLITE_NOTFOUND;
}

static int
on_sector(sqlite3_file *f)
{
	(void)f;
	return 4096;
}

static int
on_device(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- the index of the log, shared memory ----------------------------------------------------- */

static int
on_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **to)
{
	struct disk_file *file = handle_of(f)->file;
	*to = NULL;
	if (region >= DISK_REGIONS)
		return SQLITE_NOMEM;
	if (file->regions[region] == NULL && extend)
		file->regions[region] = mem_alloc((size_t)size);
	*to = file->regions[region];
	return SQLITE_OK;
}

static int
lock_region(struct handle *h, int i, bool exclusive)
{
	struct disk_locks *locks = &h->file->locks;
	unsigned bit = 1u << i;
	int others = locks->region_shared[i] - ((h->shared & bit) != 0);
	if (of_others(locks->region_exclusive[i], h) || (exclusive && others > 0))
		return SQLITE_BUSY;
	if (exclusive) {
		locks->region_exclusive[i] = h;
		h->exclusive |= bit;
	} else if (!(h->shared & bit)) {
		locks->region_shared[i]++;
		h->shared |= bit;
	}
	return SQLITE_OK;
}

static void
unlock_region(struct handle *h, int i)
{
	struct disk_locks *locks = &h->file->locks;
	unsigned bit = 1u << i;
	if (h->exclusive & bit)
		locks->region_exclusive[i] = NULL;
	if (h->shared & bit)
		locks->region_shared[i]--;
	h->exclusive &= ~bit;
	h->shared &= ~bit;
}

static int
on_shm_lock(sqlite3_file *f, int from, int count, int flags)
{
	struct handle *h = handle_of(f);
	for (int i = from; i < from + count; i++) {
		if (flags & SQLITE_SHM_UNLOCK) {
			unlock_region(h, i);
			continue;
		}
		if (lock_region(h, i, (flags & SQLITE_SHM_EXCLUSIVE) != 0) == SQLITE_OK)
			continue;
		while (i-- > from)
			unlock_region(h, i);
		return SQLITE_BUSY;
	}
	return SQLITE_OK;
}

static void
on_shm_barrier(sqlite3_file *f)
{
	(void)f;
}

static int
on_shm_unmap(sqlite3_file *f, int remove)
{
	struct handle *h = handle_of(f);
	for (int i = 0; i < 8; i++)
		unlock_region(h, i);
	for (int i = 0; remove && i < DISK_REGIONS; i++) {
		free(h->file->regions[i]);
		h->file->regions[i] = NULL;
	}
	return SQLITE_OK;
}

static int
on_close(sqlite3_file *f)
{
	return on_unlock(f, SQLITE_LOCK_NONE);
}

/* --- files ----------------------------------------------------------------------------------- */

static const sqlite3_io_methods methods = {2, on_close, on_read, on_write, on_truncate, on_sync,
    on_size, on_lock, on_unlock, on_reserved, on_control, on_sector, on_device, on_shm_map,
    on_shm_lock, on_shm_barrier, on_shm_unmap, NULL, NULL};

static int
on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *got)
{
	struct handle *h = handle_of(f);
	(void)vfs;
	memset(h, 0, sizeof(*h));
	h->file = name == NULL ? NULL : disk_find(name, (flags & SQLITE_OPEN_CREATE) != 0);
	if (h->file == NULL)
		return SQLITE_CANTOPEN;
	h->base.pMethods = &methods;
	if (got != NULL)
		*got = flags;
	return SQLITE_OK;
}

static int
on_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct disk_file *file = disk_find(name, false);
	(void)vfs, (void)sync;
	if (file != NULL)
		file->there = false;
	return file != NULL ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
}

static int
on_access(sqlite3_vfs *vfs, const char *name, int flags, int *is)
{
	const struct disk_file *file = disk_find(name, false);
	(void)vfs, (void)flags;
	*is = file != NULL && file->now.size > 0;
	return SQLITE_OK;
}

static int
on_full_path(sqlite3_vfs *vfs, const char *name, int size, char *to)
{
	(void)vfs;
	size_t length = strlen(name) + 1;
	if (length > (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(to, name, length);
	return SQLITE_OK;
}

static int
on_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us; /* nobody else is running: waiting would not help */
}

/* randomblob() in little time. No two may be alike: SQLite does not write a page that stays as it
 * was. */
static void
quick_blob(sqlite3_context *context, int count, sqlite3_value **values)
{
	static uint64_t state;
	size_t words = (size_t)sqlite3_value_int(values[0]) / sizeof(uint64_t) + 1;
	uint64_t *blob = mem_array(words, sizeof(*blob));
	(void)count;
	for (size_t i = 0; i < words; i++)
		blob[i] = schedule_mix(&state);
	sqlite3_result_blob(context, blob, sqlite3_value_int(values[0]), free);
}

static int
on_connection(sqlite3 *db, char **error, const struct sqlite3_api_routines *api)
{
	(void)error, (void)api;
	return sqlite3_create_function_v2(db, "randomblob", 1, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL,
	    quick_blob, NULL, NULL, NULL);
}

/* One thread, and many short lives of connections: no locks and no bookkeeping of memory. */
void
disk_register(void)
{
	static sqlite3_vfs vfs;
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_auto_extension((void (*)(void))on_connection);
	vfs = *sqlite3_vfs_find(NULL);
	vfs.pNext = NULL;
	vfs.iVersion = 2;
	vfs.zName = DISK_VFS;
	vfs.szOsFile = (int)sizeof(struct handle);
	vfs.mxPathname = 90;
	vfs.xOpen = on_open;
	vfs.xDelete = on_delete;
	vfs.xAccess = on_access;
	vfs.xFullPathname = on_full_path;
	vfs.xSleep = on_sleep;
	sqlite3_vfs_register(&vfs, 0);
}
