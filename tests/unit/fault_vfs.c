/* The disk that fails. Always true of the crash model: a file's durable bytes are those of its last
 * sync; what came after it waits in a list, in order; a sync of one file says nothing of another.
 */
#include "fault_vfs.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/str.h"

#define KEPT_FILES 16

struct fault fault = {.writes_left = -1, .syncs_left = -1, .reads_left = -1};

struct waiting_write {
	struct waiting_write *next;
	sqlite3_int64 at;
	char *bytes; /* NULL: the file is cut off here, or deleted when at is -1 */
	int count;
};

struct kept_file {
	char *path; /* NULL: free */
	bool exists;
	char *bytes;
	sqlite3_int64 size;
	struct waiting_write *first, *last;
};

struct fault_file {
	sqlite3_file base;
	bool log;
	struct kept_file *kept; /* NULL: it is not remembered */
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* over the rest */
static struct kept_file kept_files[KEPT_FILES];
static bool remembers;
static atomic_bool dead;

/* --- what is durable -------------------------------------------------------------------------- */

static void
resize(struct kept_file *kept, sqlite3_int64 size)
{
	char *bytes = mem_alloc((size_t)size + 1);

	if (kept->size > 0)
		memcpy(bytes, kept->bytes, (size_t)(size < kept->size ? size : kept->size));
	free(kept->bytes);
	kept->bytes = bytes;
	kept->size = size;
}

static void
take_part(struct kept_file *kept, const struct waiting_write *write, int from, int count)
{
	sqlite3_int64 at = write->at + from;

	kept->exists = true;
	if (kept->size < at + count)
		resize(kept, at + count);
	memcpy(kept->bytes + at, write->bytes + from, (size_t)count);
}

static void
take_whole(struct kept_file *kept, const struct waiting_write *write)
{
	if (write->bytes != NULL)
		take_part(kept, write, 0, write->count);
	else {
		kept->exists = write->at >= 0;
		resize(kept, write->at > 0 ? write->at : 0);
	}
}

static struct waiting_write *
next_waiting(struct kept_file *kept)
{
	struct waiting_write *write = kept->first;

	if (write != NULL)
		kept->first = write->next;
	return write;
}

static void
free_write(struct waiting_write *write)
{
	free(write->bytes);
	free(write);
}

static void
make_durable(struct kept_file *kept)
{
	struct waiting_write *write;

	while ((write = next_waiting(kept)) != NULL) {
		take_whole(kept, write);
		free_write(write);
	}
	kept->exists = true;
}

/* Each half of a page is a sector that the disk writes whole; which halves it came to is chance. */
static void
take_by_chance(struct kept_file *kept, const struct waiting_write *write, unsigned *seed)
{
	int half = write->count / 2;

	switch (rand_r(seed) / 16 % 4) {
	case 0:
		return;
	case 1:
		if (write->bytes != NULL)
			take_part(kept, write, 0, half);
		return;
	case 2:
		if (write->bytes != NULL)
			take_part(kept, write, half, write->count - half);
		return;
	}
	take_whole(kept, write);
}

static void
wait_for_sync(struct kept_file *kept, const void *bytes, int count, sqlite3_int64 at)
{
	struct waiting_write *write;

	if (kept == NULL)
		return;
	write = mem_alloc(sizeof(*write));
	write->at = at;
	write->count = count;
	if (bytes != NULL) {
		write->bytes = mem_alloc((size_t)count + 1);
		memcpy(write->bytes, bytes, (size_t)count);
	}
	pthread_mutex_lock(&mutex);
	if (kept->first == NULL)
		kept->first = write;
	else
		kept->last->next = write;
	kept->last = write;
	pthread_mutex_unlock(&mutex);
}

static void
read_whole(struct kept_file *kept)
{
	struct stat st;
	int fd = open(kept->path, O_RDONLY | O_CLOEXEC);

	kept->exists = fd >= 0 && fstat(fd, &st) == 0;
	if (kept->exists) {
		resize(kept, st.st_size);
		assert(pread(fd, kept->bytes, (size_t)st.st_size, 0) == st.st_size);
		close(fd);
	}
}

/* With the mutex. */
static struct kept_file *
find_kept(const char *path, bool make)
{
	struct kept_file *empty = NULL;

	for (int i = 0; i < KEPT_FILES; i++) {
		if (kept_files[i].path == NULL)
			empty = empty == NULL ? &kept_files[i] : empty;
		else if (strcmp(kept_files[i].path, path) == 0)
			return &kept_files[i];
	}
	if (!make)
		return NULL;
	assert(empty != NULL);
	empty->path = mem_strdup(path);
	read_whole(empty);
	return empty;
}

void
fault_remember(void)
{
	remembers = true;
}

void
fault_cut(void)
{
	dead = true;
}

static void
write_back(const struct kept_file *kept)
{
	int fd = kept->exists ? open(kept->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;

	if (!kept->exists) {
		unlink(kept->path);
		return;
	}
	assert(fd >= 0);
	assert(pwrite(fd, kept->bytes, (size_t)kept->size, 0) == kept->size);
	close(fd);
}

static void
settle(struct kept_file *kept, enum fault_rest rest, unsigned *seed)
{
	struct waiting_write *write;

	while ((write = next_waiting(kept)) != NULL) {
		if (rest == FAULT_TORN)
			take_by_chance(kept, write, seed);
		free_write(write);
	}
}

void
fault_restore(enum fault_rest rest, unsigned seed)
{
	for (int i = 0; i < KEPT_FILES; i++) {
		struct kept_file *kept = &kept_files[i];
		char *index;

		if (kept->path == NULL)
			continue;
		settle(kept, rest, &seed);
		write_back(kept);
		index = str_format("%s-shm", kept->path); /* memory, and gone with the machine */
		unlink(index);
		free(index);
		free(kept->path);
		free(kept->bytes);
		*kept = (struct kept_file){0};
	}
	remembers = false;
	dead = false;
}

/* --- what fails ------------------------------------------------------------------------------- */

void
fault_none(void)
{
	fault.writes_left = fault.syncs_left = fault.reads_left = -1;
	fault.lasting = fault.half = fault.cuts = fault.hang = fault.lies = false;
}

static bool
fails_now(atomic_int *left)
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
	if (fault.cuts)
		fault_cut();
	return true;
}

#define FILE_OF(file) ((struct fault_file *)(file))
#define REAL(file) (FILE_OF(file)->real)
#define PASS(file, method, ...) REAL(file)->pMethods->method(REAL(file), ##__VA_ARGS__)

static int
fault_close(sqlite3_file *f)
{
	return PASS(f, xClose);
}

static int
fault_read(sqlite3_file *f, void *to, int count, sqlite3_int64 at)
{
	return fails_now(&fault.reads_left) ? fault.code : PASS(f, xRead, to, count, at);
}

static int
put(sqlite3_file *f, const void *from, int count, sqlite3_int64 at)
{
	int code = PASS(f, xWrite, from, count, at);

	if (code == SQLITE_OK)
		wait_for_sync(FILE_OF(f)->kept, from, count, at);
	return code;
}

static int
fault_write(sqlite3_file *f, const void *from, int count, sqlite3_int64 at)
{
	if (dead)
		return SQLITE_IOERR_WRITE;
	if (!fails_now(&fault.writes_left))
		return put(f, from, count, at);
	if (fault.half && count > 1)
		put(f, from, count / 2, at);
	return fault.code;
}

static int
fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int code = dead ? SQLITE_IOERR_TRUNCATE : PASS(f, xTruncate, size);

	if (code == SQLITE_OK)
		wait_for_sync(FILE_OF(f)->kept, NULL, 0, size);
	return code;
}

static void
note_sync(struct fault_file *file)
{
	fault.log_syncs += file->log;
	pthread_mutex_lock(&mutex);
	if (file->kept != NULL && !fault.lies)
		make_durable(file->kept);
	pthread_mutex_unlock(&mutex);
}

static int
fault_sync(sqlite3_file *f, int flags)
{
	int code;

	fault.hanging += fault.hang;
	while (fault.hang)
		usleep(100);
	fault.hanging = 0;
	if (dead)
		return SQLITE_IOERR_FSYNC;
	if (fails_now(&fault.syncs_left))
		return fault.code;
	code = fault.lazy ? SQLITE_OK : PASS(f, xSync, flags);
	if (code == SQLITE_OK)
		note_sync(FILE_OF(f));
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

static int
fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *got)
{
	struct fault_file *file = FILE_OF(f);
	int code;

	(void)vfs;
	memset(file, 0, sizeof(*file));
	if (dead && (flags & SQLITE_OPEN_CREATE))
		return SQLITE_CANTOPEN;
	file->log = (flags & SQLITE_OPEN_WAL) != 0;
	file->real = (sqlite3_file *)(file + 1);
	pthread_mutex_lock(&mutex);
	if (remembers && name != NULL)
		file->kept = find_kept(name, true);
	pthread_mutex_unlock(&mutex);
	code = real_vfs->xOpen(real_vfs, name, file->real, flags, got);
	if (code == SQLITE_OK)
		file->base.pMethods = &fault_methods;
	return code;
}

static int
fault_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	struct kept_file *kept;
	int code;

	(void)vfs;
	if (dead)
		return SQLITE_IOERR_DELETE;
	code = real_vfs->xDelete(real_vfs, name, fault.lazy ? 0 : sync_folder);
	pthread_mutex_lock(&mutex);
	kept = find_kept(name, false);
	pthread_mutex_unlock(&mutex);
	if (code == SQLITE_OK && kept != NULL) {
		wait_for_sync(kept, NULL, 0, -1);
		if (sync_folder && !fault.lies) {
			make_durable(kept);
			kept->exists = false;
		}
	}
	return code;
}

void
fault_register(void)
{
	static sqlite3_vfs vfs;

	if (real_vfs != NULL)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.pNext = NULL;
	vfs.zName = FAULT_VFS;
	vfs.szOsFile = (int)sizeof(struct fault_file) + real_vfs->szOsFile;
	vfs.xOpen = fault_open;
	vfs.xDelete = fault_delete;
	assert(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
	fault_none();
}
