/* revisions: see revisions.h. */
#include "revisions.h"

#include "gc.h"
#include "jx.h"
#include "util.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

static int64_t
number_of(const struct obj *revision)
{
	return jx_int(revision->json, "revision", 0);
}

static int64_t
newest(const struct obj *owner)
{
	int64_t most = 0;

	for (size_t i = 0; i < owner->nkids; i++)
		if (owner->kids[i]->kind->id == K_REVISION && number_of(owner->kids[i]) > most)
			most = number_of(owner->kids[i]);
	return most;
}

static struct obj *
make(struct obj *owner, const char *label, const char *hash)
{
	char *name = xfmt("%s-%s", owner->name, hash);
	json_t *meta = world_metadata(owner->ns, name), *labels, *template, *json;

	free(name);
	template = json_copy(jx_at(owner->json, "spec.template"));
	labels = jx_at(template, "metadata.labels");
	labels = json_is_object(labels) ? json_copy(labels) : json_object();
	jx_set_str(labels, label, hash);
	json_object_set_new(meta, "labels", labels);
	json_object_set_new(meta, "ownerReferences", world_owned_by(owner));
	jx_set_str(template, "$patch", "replace");
	json = json_pack("{s:s, s:s, s:o, s:{s:{s:o}}, s:I}", "kind", "ControllerRevision",
	    "apiVersion", "apps/v1", "metadata", meta, "data", "spec", "template", template,
	    "revision", (json_int_t)newest(owner) + 1);
	return store_put(&kinds[K_REVISION], NULL, json);
}

struct obj *
revision_now(struct obj *owner, const char *label)
{
	char *text = json_dumps(jx_at(owner->json, "spec.template"), JSON_COMPACT | JSON_SORT_KEYS);
	char hash[11], *name;
	struct obj *have;
	json_t *next;

	hash_suffix(text, strlen(text), hash);
	free(text);
	name = xfmt("%s-%s", owner->name, hash);
	have = revision_named(owner, name);
	free(name);
	if (have == NULL)
		return make(owner, label, hash);
	if (number_of(have) < newest(owner)) {
		next = json_copy(have->json);
		jx_set_int(next, "revision", newest(owner) + 1);
		store_put(have->kind, have, next);
	}
	return have;
}

struct obj *
revision_named(const struct obj *owner, const char *name)
{
	for (size_t i = 0; name != NULL && i < owner->nkids; i++)
		if (owner->kids[i]->kind->id == K_REVISION &&
		    strcmp(owner->kids[i]->name, name) == 0)
			return owner->kids[i];
	return NULL;
}

const char *
revision_hash(const struct obj *revision, const char *label)
{
	json_t *labels = jx_at(revision->json, "metadata.labels");
	const char *hash = json_string_value(json_object_get(labels, label));

	return hash != NULL ? hash : "";
}

json_t *
revision_template(const struct obj *revision)
{
	return jx_at(revision->json, "data.spec.template");
}

const char *
revision_of_pod(const struct obj *pod)
{
	json_t *labels = jx_at(pod->json, "metadata.labels");
	const char *name = json_string_value(json_object_get(labels, REVISION_LABEL));

	return name != NULL ? name : "";
}

static int
by_number(const void *a, const void *b)
{
	int64_t x = number_of(*(struct obj *const *)a), y = number_of(*(struct obj *const *)b);

	return x < y ? -1 : x > y;
}

void
revisions_trim(struct obj *owner, bool (*used)(const struct obj *, const struct obj *))
{
	int64_t keep = jx_int(owner->json, "spec.revisionHistoryLimit", 10);
	struct obj **old = xalloc((owner->nkids + 1) * sizeof(*old));
	size_t n = 0;

	for (size_t i = 0; i < owner->nkids; i++)
		if (owner->kids[i]->kind->id == K_REVISION && !used(owner, owner->kids[i]))
			old[n++] = owner->kids[i];
	qsort(old, n, sizeof(*old), by_number);
	for (size_t i = 0; i < n && (int64_t)(n - i) > keep; i++)
		gc_delete(old[i], BACKGROUND, -1);
	free(old);
}
