/* The files of the simulated disk. Always true: safe holds what the last sync of a file left; the
 * bits of `dirty` say in which blocks the two states may differ. */
#include "disk.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "disk_room.h"

#define ENDLESS (1 << 30)

static struct disk_file files[DISK_FILES];
static enum disk_trouble trouble;
static int troubles, left = ENDLESS, lost;
static unsigned (*roll)(void *ctx, unsigned sides);
static void *roll_ctx;

struct disk_file *
disk_find(const char *name, bool create)
{
	struct disk_file *unused = NULL;
	for (int i = 0; i < DISK_FILES; i++) {
		if (files[i].there && strcmp(files[i].name, name) == 0)
			return &files[i];
		if (!files[i].there && unused == NULL)
			unused = &files[i];
	}
	if (!create)
		return NULL;
	assert(unused != NULL && strlen(name) < sizeof(unused->name));
	memcpy(unused->name, name, strlen(name) + 1);
	unused->there = true;
	unused->now.size = unused->safe.size = 0;
	memset(unused->dirty, 0, sizeof(unused->dirty));
	return unused;
}

static void
make_room(struct disk_state *state, int64_t size)
{
	if (size <= state->room)
		return;
	state->room = size * 2;
	state->bytes = mem_grow(state->bytes, (size_t)state->room, 1);
}

static void
resize(struct disk_state *state, int64_t size)
{
	make_room(state, size);
	if (size > state->size)
		memset(state->bytes + state->size, 0, (size_t)(size - state->size));
	state->size = size;
}

/* What lies behind the end and before it is zero, as in any file. */
static void
put(struct disk_state *state, const void *from, int64_t at, int64_t end)
{
	if (at > state->size)
		resize(state, at);
	make_room(state, end);
	if (end > at)
		memcpy(state->bytes + at, from, (size_t)(end - at));
	if (end > state->size)
		state->size = end;
}

static void
copy(struct disk_state *to, const struct disk_state *from)
{
	to->size = 0;
	put(to, from->bytes, 0, from->size);
}

/* False: it fails, and how. */
static bool
passes(bool sync)
{
	if (left < ENDLESS && left-- <= 0) {
		left = 0;
		return false;
	}
	bool fails =
	    sync ? trouble == DISK_SYNCS_FAIL : trouble == DISK_FULL || trouble == DISK_WRITES_FAIL;
	troubles += fails;
	return !fails;
}

bool
disk_is_full(void)
{
	return trouble == DISK_FULL && left > 0;
}

bool
disk_write(struct disk_file *file, const void *from, int64_t count, int64_t at)
{
	if (!passes(false))
		return false;
	put(&file->now, from, at, at + count);
	for (int64_t block = at / DISK_BLOCK; block <= (at + count - 1) / DISK_BLOCK; block++) {
		assert(block < DISK_BLOCKS);
		file->dirty[block / 64] |= UINT64_C(1) << (block % 64);
	}
	return true;
}

bool
disk_truncate(struct disk_file *file, int64_t size)
{
	if (!passes(false))
		return false;
	if (size < file->now.size)
		file->now.size = size;
	return true;
}

/* One block of `from` becomes that of `to`; bytes: how many of it. */
static void
copy_block(struct disk_state *to, const struct disk_state *from, int64_t block, int64_t bytes)
{
	int64_t at = block * DISK_BLOCK, end = at + bytes;
	if (end > from->size)
		end = from->size;
	if (end > at)
		put(to, from->bytes + at, at, end);
}

typedef void each_block(struct disk_file *file, int64_t block);

static void
each_dirty(struct disk_file *file, each_block *each)
{
	for (int i = 0; i < DISK_BLOCKS / 64; i++) {
		uint64_t bits = file->dirty[i];
		file->dirty[i] = 0;
		for (; bits != 0; bits &= bits - 1)
			each(file, (int64_t)i * 64 + __builtin_ctzll(bits));
	}
}

static void
make_safe(struct disk_file *file, int64_t block)
{
	copy_block(&file->safe, &file->now, block, DISK_BLOCK);
}

bool
disk_sync(struct disk_file *file)
{
	if (!passes(true))
		return false;
	each_dirty(file, make_safe);
	resize(&file->safe, file->now.size);
	return true;
}

/* It reached the disk, or a part of it, or nothing. */
static void
cut_block(struct disk_file *file, int64_t block)
{
	unsigned fate = roll(roll_ctx, 8);
	if (fate < 3)
		copy_block(&file->safe, &file->now, block, DISK_BLOCK);
	else if (fate == 3)
		copy_block(&file->safe, &file->now, block, 512 * (1 + roll(roll_ctx, 7)));
	lost += fate >= 3;
}

static void
cut_power(struct disk_file *file)
{
	each_dirty(file, cut_block);
	if (file->safe.size > file->now.size && roll(roll_ctx, 2) == 0)
		file->safe.size = file->now.size;
	copy(&file->now, &file->safe);
}

void
disk_crash(bool power)
{
	left = ENDLESS;
	trouble = DISK_WORKS;
	lost = 0;
	for (int i = 0; i < DISK_FILES; i++) {
		memset(&files[i].locks, 0, sizeof(files[i].locks));
		for (int j = 0; j < DISK_REGIONS; j++) {
			free(files[i].regions[j]);
			files[i].regions[j] = NULL;
		}
		if (files[i].there && power)
			cut_power(&files[i]);
	}
}

/* --- what a test does with it ---------------------------------------------------------------- */

void
disk_trouble(enum disk_trouble what)
{
	trouble = what;
}

int
disk_troubles(void)
{
	return troubles;
}

void
disk_stop_after(int operations)
{
	left = operations;
}

int
disk_lost(void)
{
	return lost;
}

static struct disk_state kept;

void
disk_keep(void)
{
	for (int i = 0; i < DISK_FILES; i++) {
		if (!files[i].there || files[i].now.size == 0)
			continue;
		assert(kept.size == 0); /* closed, the database is one file */
		assert(strcmp(files[i].name, DISK_DATABASE) == 0);
		copy(&kept, &files[i].now);
	}
}

static void
take_kept(struct disk_file *file)
{
	copy(&file->now, &kept);
	copy(&file->safe, &kept);
}

void
disk_reset(unsigned (*rolling)(void *ctx, unsigned sides), void *ctx)
{
	disk_crash(false);
	troubles = 0;
	roll = rolling;
	roll_ctx = ctx;
	for (int i = 0; i < DISK_FILES; i++)
		files[i].there = false;
	if (kept.size > 0)
		take_kept(disk_find(DISK_DATABASE, true));
}
