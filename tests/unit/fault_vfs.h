/* A VFS that fails on demand: it passes everything on to the system's, but the write or sync that
 * the test names. For test programs only; one header, one program. */
#ifndef TESTS_UNIT_FAULT_VFS_H
#define TESTS_UNIT_FAULT_VFS_H

#include <assert.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define FAULT_VFS "airis-fault"

/* The writer's thread reads what the test sets. */
static struct {
	atomic_int writes_left; /* this many more writes work; -1: all */
	atomic_int syncs_left;
	atomic_int code;     /* what the failing one returns */
	atomic_bool lasting; /* all after it fail too */
	atomic_int hits;
	atomic_bool hang;     /* a sync does not come back while this is set */
	atomic_int hanging;   /* a sync is being kept */
	atomic_int log_syncs; /* of the -wal file, that worked */
	atomic_bool lazy;     /* syncs are not passed on: for tests of what does not look at them */
} fault;

struct fault_file {
	sqlite3_file base;
	bool log;
	sqlite3_file *real;
};

__attribute__((unused)) static void
fault_none(void)
{
	fault.writes_left = -1;
	fault.syncs_left = -1;
	fault.lasting = false;
	fault.hang = false;
}

static bool
fault_now(atomic_int *left)
{
	if (*left < 0)
		return false;
	if (*left > 0) {
		(*left)--;
		return false;
	}
	fault.hits++;
	if (!fault.lasting)
		*left = -1;
	return true;
}

#define REAL(file) ((struct fault_file *)(file))->real
#define PASS(file, method, ...) REAL(file)->pMethods->method(REAL(file), ##__VA_ARGS__)

static int
fault_close(sqlite3_file *f)
{
	return PASS(f, xClose);
}

static int
fault_read(sqlite3_file *f, void *to, int count, sqlite3_int64 at)
{
	return PASS(f, xRead, to, count, at);
}

static int
fault_write(sqlite3_file *f, const void *from, int count, sqlite3_int64 at)
{
	return fault_now(&fault.writes_left) ? fault.code : PASS(f, xWrite, from, count, at);
}

static int
fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return PASS(f, xTruncate, size);
}

static int
fault_sync(sqlite3_file *f, int flags)
{
	int code;

	fault.hanging += fault.hang;
	while (fault.hang)
		usleep(100);
	fault.hanging = 0;
	if (fault_now(&fault.syncs_left))
		code = fault.code;
	else
		code = fault.lazy ? SQLITE_OK : PASS(f, xSync, flags);

	if (code == SQLITE_OK && ((struct fault_file *)f)->log)
		fault.log_syncs++;
	return code;
}

static int
fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return PASS(f, xFileSize, size);
}

static int
fault_lock(sqlite3_file *f, int kind)
{
	return PASS(f, xLock, kind);
}

static int
fault_unlock(sqlite3_file *f, int kind)
{
	return PASS(f, xUnlock, kind);
}

static int
fault_reserved(sqlite3_file *f, int *held)
{
	return PASS(f, xCheckReservedLock, held);
}

static int
fault_control(sqlite3_file *f, int what, void *arg)
{
	return PASS(f, xFileControl, what, arg);
}

static int
fault_sector(sqlite3_file *f)
{
	return PASS(f, xSectorSize);
}

static int
fault_device(sqlite3_file *f)
{
	return PASS(f, xDeviceCharacteristics);
}

static int
fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **to)
{
	return PASS(f, xShmMap, page, size, extend, to);
}

static int
fault_shm_lock(sqlite3_file *f, int at, int count, int flags)
{
	return PASS(f, xShmLock, at, count, flags);
}

static void
fault_shm_barrier(sqlite3_file *f)
{
	PASS(f, xShmBarrier);
}

static int
fault_shm_unmap(sqlite3_file *f, int remove)
{
	return PASS(f, xShmUnmap, remove);
}

static const sqlite3_io_methods fault_methods = {2, fault_close, fault_read, fault_write,
    fault_truncate, fault_sync, fault_size, fault_lock, fault_unlock, fault_reserved, fault_control,
    fault_sector, fault_device, fault_shm_map, fault_shm_lock, fault_shm_barrier, fault_shm_unmap,
    NULL, NULL};

static sqlite3_vfs *fault_real;

static int
fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *got)
{
	struct fault_file *file = (struct fault_file *)f;
	int code;

	(void)vfs;
	memset(file, 0, sizeof(*file));
	file->log = (flags & SQLITE_OPEN_WAL) != 0;
	file->real = (sqlite3_file *)(file + 1);
	code = fault_real->xOpen(fault_real, name, file->real, flags, got);
	if (code == SQLITE_OK)
		file->base.pMethods = &fault_methods;
	return code;
}

/* Call once, before the first store. */
__attribute__((unused)) static void
fault_register(void)
{
	static sqlite3_vfs vfs;

	fault_real = sqlite3_vfs_find(NULL);
	vfs = *fault_real;
	vfs.pNext = NULL;
	vfs.zName = FAULT_VFS;
	vfs.szOsFile = (int)sizeof(struct fault_file) + fault_real->szOsFile;
	vfs.xOpen = fault_open;
	sqlite3_vfs_register(&vfs, 0);
	fault_none();
}

#endif
