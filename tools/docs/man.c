/* Tables of keys as mdoc: a section of tagged items for each object or list at the top, and one
 * for the keys that stand alone. */
#include "docs.h"

#include <stdlib.h>
#include <string.h>

struct page {
	bool (*live)(const char *path);
	bool open; /* a list has begun */
	struct str *to;
};

/* One line of text: nothing in it is taken for a macro. */
static void
add_text(struct str *to, const char *text)
{
	if (*text == '.' || *text == '\'')
		str_add(to, "\\&");
	for (; *text != '\0'; text++)
		str_add_bytes(to, *text == '\\' ? "\\e" : text, *text == '\\' ? 2 : 1);
}

static void
add_sentence(struct str *to, const char *text)
{
	add_text(to, text);
	str_add(to, ".\n");
}

static void
add_facts(const struct page *page, const struct key *key, const char *path)
{
	bool plain = key->type != &keys_object && key->type != &keys_list;
	struct str facts;

	str_init(&facts, 0);
	str_add(&facts, "(");
	keys_allowed(key, &facts);
	if (key->required)
		str_add(&facts, "; required");
	else if (plain && key->otherwise != NULL)
		str_addf(&facts, "; default: %s", key->otherwise);
	if (page->live != NULL && page->live(path))
		str_add(&facts, "; SIGHUP takes a change over");
	str_add(&facts, ")\n");
	add_text(page->to, str_text(&facts));
	str_done(&facts);
}

static void
list(struct page *page, bool open)
{
	if (open && !page->open)
		str_add(page->to, ".Bl -tag -width Ds\n");
	if (!open && page->open)
		str_add(page->to, ".El\n");
	page->open = open;
}

static void
add_item(struct page *page, const struct key *key, const char *path)
{
	list(page, true);
	str_addf(page->to, ".It Ic %s\n", path);
	add_sentence(page->to, key->help);
	add_facts(page, key, path);
}

static void
add_table(struct page *page, const struct key *table, const char *prefix)
{
	for (const struct key *key = table; key->name != NULL; key++) {
		char *path = str_format("%s%s", prefix, key->name);

		add_item(page, key, path);
		if (key->inside != NULL) {
			bool items = key->type == &keys_list;
			char *below = str_format("%s%s.", path, items ? "[]" : "");

			add_table(page, key->inside, below);
			free(below);
		}
		free(path);
	}
}

static void
add_section(struct page *page, const struct key *key)
{
	const char *items = key->type == &keys_list ? "[]" : "";
	char *below = str_format("%s%s.", key->name, items);

	list(page, false);
	str_addf(page->to, ".Ss %s\n", key->name);
	add_sentence(page->to, key->help);
	add_facts(page, key, key->name);
	add_table(page, key->inside, below);
	free(below);
}

void
docs_man(const struct key *table, bool (*live)(const char *path), struct str *to)
{
	struct page page = {.live = live, .to = to};

	for (const struct key *key = table; key->name != NULL; key++)
		if (key->inside == NULL)
			add_item(&page, key, key->name);
	for (const struct key *key = table; key->name != NULL; key++)
		if (key->inside != NULL)
			add_section(&page, key);
	list(&page, false);
}
