/* Inside of the simulated disk. */
#ifndef TESTS_SIMULATION_DISK_ROOM_H
#define TESTS_SIMULATION_DISK_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#define DISK_FILES 6
#define DISK_BLOCK 4096
#define DISK_BLOCKS 16384 /* 64 MiB a file */
#define DISK_REGIONS 8

struct disk_state {
	unsigned char *bytes;
	int64_t size, room;
};

struct disk_locks {
	int shared;	       /* readers of the file */
	const void *reserved;  /* who is about to write */
	const void *exclusive; /* who is alone */
	int region_shared[8];  /* of the log's index, see xShmLock */
	const void *region_exclusive[8];
};

struct disk_file {
	char name[96];
	bool there;
	struct disk_state now, safe;
	uint64_t dirty[DISK_BLOCKS / 64];
	struct disk_locks locks;
	void *regions[DISK_REGIONS];
};

struct disk_file *disk_find(const char *name, bool create); /* NULL: it is not there */
/* False: it failed. */
bool disk_write(struct disk_file *file, const void *from, int64_t count, int64_t at);
bool disk_truncate(struct disk_file *file, int64_t size);
bool disk_sync(struct disk_file *file);
bool disk_is_full(void);

#endif
