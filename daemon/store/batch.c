/* Batches and lists of them. Always true: a batch is in one list at most and points to nothing of
 * whoever appended it but done_ctx. */
#include "store/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

enum { TEXTS = 6, AUDIT_BYTES = 512 /* of a row, about */ };

static void
texts_of(struct journal_write *write, const char **texts[TEXTS])
{
	texts[0] = &write->key;
	texts[1] = &write->app;
	texts[2] = &write->cluster;
	texts[3] = &write->name;
	texts[4] = &write->text;
	texts[5] = &write->actor;
}

static void
own_texts(struct store_batch *batch, struct journal_write *write)
{
	const char **texts[TEXTS];

	texts_of(write, texts);
	for (int i = 0; i < TEXTS; i++) {
		if (*texts[i] == NULL)
			continue;
		*texts[i] = mem_strdup(*texts[i]);
		batch->bytes += (int64_t)strlen(*texts[i]);
	}
	if (write->kind == JOURNAL_AUDIT) {
		write->audit = chain_copy(write->audit);
		batch->bytes += AUDIT_BYTES;
	}
}

struct store_batch *
store_batch_new(const struct journal_write *writes, int count)
{
	struct store_batch *batch = mem_alloc(sizeof(*batch));

	assert(count > 0);
	batch->count = count;
	batch->writes = mem_array((size_t)count, sizeof(*writes));
	memcpy(batch->writes, writes, (size_t)count * sizeof(*writes));
	for (int i = 0; i < count; i++) {
		own_texts(batch, &batch->writes[i]);
		if (writes[i].kind == JOURNAL_EVENT)
			batch->newest_seq = writes[i].number;
		batch->urgent = batch->urgent || writes[i].urgent;
	}
	return batch;
}

void
store_batch_free(struct store_batch *batch)
{
	const char **texts[TEXTS];

	for (int i = 0; i < batch->count; i++) {
		texts_of(&batch->writes[i], texts);
		for (int j = 0; j < TEXTS; j++)
			free((char *)*texts[j]);
		if (batch->writes[i].kind == JOURNAL_AUDIT)
			free((void *)batch->writes[i].audit);
	}
	free(batch->writes);
	free(batch->why);
	free(batch);
}

void
store_batch_fail(struct store_batch *batch, const char *why)
{
	batch->ok = false;
	if (batch->why == NULL)
		batch->why = mem_strdup(why);
}

void
store_batch_forgive(struct store_batch *batch)
{
	free(batch->why);
	batch->why = NULL;
	batch->ok = false;
}

void
store_list_put(struct store_list *list, struct store_batch *batch)
{
	batch->next = NULL;
	if (list->first == NULL)
		list->first = batch;
	else
		list->last->next = batch;
	list->last = batch;
}

struct store_batch *
store_list_take(struct store_list *list)
{
	struct store_batch *batch = list->first;

	if (batch != NULL)
		list->first = batch->next;
	return batch;
}

void
store_list_move(struct store_list *from, struct store_list *to)
{
	if (from->first == NULL)
		return;
	if (to->first == NULL)
		to->first = from->first;
	else
		to->last->next = from->first;
	to->last = from->last;
	from->first = NULL;
}
