/* Files in the settings. Always true: where the folder of credentials is known, a stored name has
 * it in it and every credential that it names is there; elsewhere (a check, a copy of the database,
 * all that a person starts) the name is stored as it is written. */
#include "settings/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER SETTINGS_CREDENTIALS

static bool
add_credential(const char *name, size_t length, struct str *to, struct keys_at *at)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char *path = str_format("%s/%.*s", folder != NULL ? folder : FOLDER, (int)length, name);
	bool there = folder == NULL || access(path, F_OK) == 0;

	if (there)
		str_add(to, path);
	else
		keys_error(at,
		    "there is no credential \"%.*s\" in %s; load it with LoadCredential=%.*s:FILE "
		    "in the unit, and restart airisd",
		    (int)length, name, folder, (int)length, name);
	free(path);
	return there;
}

/* Adds one file, with the folder in it. */
static bool
add_file(const char *text, size_t length, struct str *to, struct keys_at *at)
{
	const size_t head = strlen(FOLDER) + 1;

	if (length > head && str_starts(text, FOLDER "/") && text[head] != '.' &&
	    strcspn(text + head, "/:") >= length - head)
		return add_credential(text + head, length - head, to, at);
	if (memmem(text, length, "${", 2) == NULL) {
		str_add_bytes(to, text, length);
		return true;
	}
	keys_error(at,
	    "expected: a file, or " FOLDER "/NAME, with NAME as LoadCredential=NAME:FILE "
	    "of the unit has it; nothing else is put in for ${…}");
	return false;
}

static void
parse(
    const struct key *key, const json_t *value, char *slot, const char *between, struct keys_at *at)
{
	size_t before = at->errors->count;
	bool good = true;
	struct str path;

	keys_text.parse(key, value, slot, at);
	if (at->errors->count > before)
		return;
	str_init(&path, 0);
	for (const char *text = slot; good && *text != '\0';) {
		size_t length = strcspn(text, between);

		good = add_file(text, length, &path, at);
		text += length;
		if (good && *text != '\0')
			str_add_bytes(&path, text++, 1);
	}
	if (good && !str_copy(slot, (size_t)key->max, str_text(&path)))
		keys_error(at, "is longer than %lld bytes with %s for " FOLDER,
		    (long long)key->max - 1, getenv("CREDENTIALS_DIRECTORY"));
	str_done(&path);
}

static void
parse_file(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	parse(key, value, slot, "", at);
}

static void
parse_files(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	parse(key, value, slot, ":", at);
}

const struct key_type settings_file = {.name = "file, or " FOLDER "/NAME", .parse = parse_file};
const struct key_type settings_files = {
    .name = "file, or " FOLDER "/NAME; several with colons", .parse = parse_files};
