/* store: every object of the cluster, in memory, with one resourceVersion for all of them and
 * a bounded history of changes for each kind. What is in it is immutable: a change puts a new
 * tree in the place of the old one, so whoever holds a tree keeps what was true then.
 * Everything here is called under the big lock (plan.h). */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "kinds.h"

#include <jansson.h>
#include <stdint.h>

enum change { ADDED, MODIFIED, DELETED };
enum task { T_SYNC, T_STEP, T_GONE, T_GC, T_COUNT };

struct obj {
	const struct kind *kind;
	char *key; /* "namespace/name", or "name" in no namespace */
	const char *name;
	char *ns; /* "" in none */
	char uid[40];
	uint64_t rv;
	json_t *json;
	struct obj **kids; /* those that name this one as owner */
	size_t nkids, kidcap;
	char owner[40]; /* uid of the owner, or "" */
	void *ext;	/* what a controller keeps about it; freed with free() */
	uint64_t due[T_COUNT];
	int refs;
	bool dead;
};

struct record {
	uint64_t rv;
	enum change change;
	json_t *json;	/* as it is after the change (DELETED: the last state, with the new rv) */
	json_t *before; /* NULL for ADDED */
};

typedef void change_fn(struct obj *o, enum change change, json_t *before);

void store_init(size_t history);
void store_free(void);
/* fn is called after each change, in order of registration. */
void store_listen(change_fn *fn);

uint64_t store_rv(void);
struct obj *store_get(const struct kind *k, const char *ns, const char *name);
struct obj *store_by_uid(const char *uid);
struct obj *store_owner(const struct obj *o);
/* The sorted objects of a kind; a namespace's are the run [*from, *to). */
struct obj **store_all(const struct kind *k, size_t *count);
void store_range(const struct kind *k, const char *ns, size_t *from, size_t *to);
/* The first index whose key is greater than the text. */
size_t store_after(const struct kind *k, const char *key);

/* Creates (o NULL) or replaces an object. Takes over the reference to json; the tree's root
 * and metadata are copied, the rest shared. Returns the object. */
struct obj *store_put(const struct kind *k, struct obj *o, json_t *json);
/* Removes an object for good. */
void store_remove(struct obj *o);
struct obj *obj_ref(struct obj *o);
void obj_unref(struct obj *o);

/* The history of a kind: records with rv > after, oldest first. pos is a cursor of the caller,
 * gained from store_seek and moved on by store_next. store_next returns NULL at the end, and
 * sets *lost if the cursor fell out of the history. */
uint64_t store_seek(const struct kind *k, uint64_t after);
const struct record *store_next(const struct kind *k, uint64_t *pos, bool *lost);
/* Whether changes after this rv are no longer all known. */
bool store_expired(const struct kind *k, uint64_t rv);
/* Makes every rv up to now too old for new watches and for continue tokens. */
void store_expire_history(void);

#endif
