/* Several kubeconfig files as one. Always true: a name is in the map once, as the first file that
 * has it says; everything is checked to have the right shape down to the inner objects. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/kubeconfig_place.h"

enum { FILE_MAX = 1024 * 1024 };

struct kubeconfig_set {
	struct kubeconfig_source *sources;
	json_t *documents;	 /* array: keeps the values alive */
	struct map *sections[3]; /* name -> struct kubeconfig_place */
	char *current;
};

static const struct {
	const char *list, *inner;
} sections[3] = {
    [KUBECONFIG_CLUSTERS] = {"clusters", "cluster"},
    [KUBECONFIG_USERS] = {"users", "user"},
    [KUBECONFIG_CONTEXTS] = {"contexts", "context"},
};

struct kubeconfig_set *
kubeconfig_set_new(void)
{
	struct kubeconfig_set *set = mem_alloc(sizeof *set);

	set->documents = json_array();
	for (int i = 0; i < 3; i++)
		set->sections[i] = map_new();
	return set;
}

void
kubeconfig_set_free(struct kubeconfig_set *set)
{
	struct kubeconfig_source *source;

	if (!set)
		return;
	while ((source = set->sources)) {
		set->sources = source->next;
		yaml_lines_free(source->lines);
		free(source->file);
		free(source->folder);
		free(source);
	}
	for (int i = 0; i < 3; i++)
		map_free(set->sections[i], free);
	json_decref(set->documents);
	free(set->current);
	free(set);
}

static char *
folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *here, *folder;

	if (slash == file)
		return mem_strdup("");
	if (*file == '/')
		return mem_strndup(file, (size_t)(slash - file));
	here = getcwd(NULL, 0);
	folder = slash ? str_format("%s/%.*s", here ? here : "", (int)(slash - file), file)
		       : mem_strdup(here ? here : "");
	free(here);
	return folder;
}

static int
add_entry(struct kubeconfig_set *set, enum kubeconfig_section section,
    const struct kubeconfig_place *entry, struct err *e)
{
	struct kubeconfig_place inner = *entry;
	char *name = NULL;
	int found;

	if (kubeconfig_text(entry, "name", &name, e) < 0)
		return -1;
	found = kubeconfig_inner(entry, sections[section].inner, &inner, e);
	if (found == 0 || (found > 0 && !name)) {
		err_set(e, "has no %s; an entry is {name: ..., %s: {...}}",
		    name ? sections[section].inner : "name", sections[section].inner);
		found = kubeconfig_locate(entry, "", e);
	}
	if (found > 0 && !map_get(set->sections[section], name)) {
		struct kubeconfig_place *kept = mem_alloc(sizeof *kept);

		*kept = inner;
		map_set(set->sections[section], name, kept);
	}
	free(name);
	return found < 0 ? -1 : 0;
}

static int
add_section(struct kubeconfig_set *set, enum kubeconfig_section section,
    const struct kubeconfig_place *root, struct err *e)
{
	const char *key = sections[section].list;
	json_t *list = json_object_get(root->value, key), *value;
	size_t i;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list)) {
		err_set(e, "is not a list of {name: ..., %s: {...}}", sections[section].inner);
		return kubeconfig_locate(root, key, e);
	}
	json_array_foreach(list, i, value)
	{
		struct kubeconfig_place entry = {.source = root->source, .value = value};

		str_print(entry.path, sizeof entry.path, "%s[%zu]", key, i);
		if (!json_is_object(value)) {
			err_set(
			    e, "is not a mapping {name: ..., %s: {...}}", sections[section].inner);
			return kubeconfig_locate(&entry, "", e);
		}
		if (add_entry(set, section, &entry, e) < 0)
			return -1;
	}
	return 0;
}

int
kubeconfig_set_add(
    struct kubeconfig_set *set, const char *text, size_t length, const char *file, struct err *e)
{
	struct kubeconfig_source *source;
	struct kubeconfig_place root;
	struct yaml_lines *lines;
	json_t *value;

	if (yaml_parse(text, length, &value, &lines, e) < 0)
		return err_wrap(e, "%s", file);
	source = mem_alloc(sizeof *source);
	*source = (struct kubeconfig_source){.file = mem_strdup(file),
	    .folder = folder_of(file),
	    .lines = lines,
	    .next = set->sources};
	set->sources = source;
	json_array_append_new(set->documents, value);
	if (json_is_null(value)) /* an empty file says nothing, and that is allowed */
		return 0;
	if (!json_is_object(value))
		return err_set(e,
		    "%s: is not a kubeconfig (a mapping with clusters, users, "
		    "contexts)",
		    file);
	root = (struct kubeconfig_place){.source = source, .value = value};
	if (!set->current && kubeconfig_text(&root, "current-context", &set->current, e) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (add_section(set, (enum kubeconfig_section)i, &root, e) < 0)
			return -1;
	return 0;
}

/* "a, b, c" or "none". */
static void
list_names(const struct map *map, struct str *to)
{
	size_t cursor = 0;
	const char *name;

	while (map_next(map, &cursor, &name, NULL)) {
		str_add(to, to->length ? ", " : "");
		str_add(to, name);
	}
	if (!to->length)
		str_add(to, "none");
}

int
kubeconfig_find(const struct kubeconfig_set *set, enum kubeconfig_section section, const char *name,
    struct kubeconfig_place *to, struct err *e)
{
	struct kubeconfig_place *found = map_get(set->sections[section], name);
	struct str there, files;

	if (found) {
		*to = *found;
		return 0;
	}
	str_init(&there, 400);
	str_init(&files, 300);
	list_names(set->sections[section], &there);
	for (struct kubeconfig_source *source = set->sources; source; source = source->next) {
		str_add(&files, files.length ? ", " : "");
		str_add(&files, source->file);
	}
	err_set(e, "%s: no %s is named \"%s\"; there are: %s", str_text(&files),
	    sections[section].inner, name, str_text(&there));
	str_done(&there);
	str_done(&files);
	return -1;
}

const char *
kubeconfig_current(const struct kubeconfig_set *set)
{
	return set->current ? set->current : "";
}

/* -1: e is set; 0: the end; 1: some bytes came. */
static int
read_some(int fd, struct str *to, const char *path, struct err *e)
{
	char bytes[4096];
	ssize_t count = read(fd, bytes, sizeof bytes);

	if (count < 0 && errno == EINTR)
		return 1;
	if (count < 0)
		return err_set(e, "%s: cannot be read: %s", path, strerror(errno));
	str_add_bytes(to, bytes, (size_t)count);
	mem_wipe(bytes, sizeof bytes);
	if (to->full)
		return err_set(e, "%s: is larger than 1 MiB", path);
	return count > 0;
}

char *
kubeconfig_read_file(const char *path, size_t *length, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), result;
	struct stat about;
	struct str text;

	if (fd < 0) {
		err_set(e, "%s: cannot be opened: %s", path, strerror(errno));
		return NULL;
	}
	str_init(&text, FILE_MAX);
	result = fstat(fd, &about);
	if (result < 0 || !S_ISREG(about.st_mode))
		result = err_set(e, "%s: is not a file", path);
	else
		while ((result = read_some(fd, &text, path, e)) > 0)
			;
	close(fd);
	if (length)
		*length = text.length;
	if (result == 0)
		return str_take(&text);
	if (text.data)
		mem_wipe(text.data, text.length);
	str_done(&text);
	return NULL;
}
