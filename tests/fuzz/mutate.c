/* A JSON text as a flat list of places, and small changes of one or two of them. */
#include "mutate.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"

#define PLACES 2048
#define TEXT_MAX 4096

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

struct place {
	json_t *in;	 /* an object or an array */
	const char *key; /* of an object */
	size_t index;	 /* of an array */
};

struct tree {
	struct place places[PLACES];
	size_t count;
	unsigned state;
};

static size_t
roll(struct tree *tree, size_t sides)
{
	tree->state = tree->state * 1103515245u + 12345u;
	return sides == 0 ? 0 : (tree->state >> 8) % sides;
}

static void collect(struct tree *tree, json_t *value);

static void
collect_place(struct tree *tree, struct place place, json_t *value)
{
	if (tree->count < PLACES)
		tree->places[tree->count++] = place;
	collect(tree, value);
}

static void
collect(struct tree *tree, json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach(value, key, item)
		{
			collect_place(tree, (struct place){value, key, 0}, item);
		}
	} else {
		json_array_foreach(value, i, item)
		{
			collect_place(tree, (struct place){value, NULL, i}, item);
		}
	}
}

static json_t *
at(const struct place *place)
{
	return place->key != NULL ? json_object_get(place->in, place->key)
				  : json_array_get(place->in, place->index);
}

static void
put(const struct place *place, json_t *value)
{
	if (place->key != NULL)
		json_object_set_new(place->in, place->key, value);
	else
		json_array_set_new(place->in, place->index, value);
}

static const struct place *
any(struct tree *tree)
{
	return &tree->places[roll(tree, tree->count)];
}

/* --- changes ---------------------------------------------------------------------------------- */

static json_t *
odd_value(struct tree *tree)
{
	static const json_int_t numbers[] = {
	    0, 1, 2, -1, 3, 50, 99, 100, 101, 1000000, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
	static char longest[700];

	memset(longest, 'x', sizeof(longest) - 1);
	switch (roll(tree, 10)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(roll(tree, 2));
	case 2:
		return json_real(roll(tree, 2) ? 0.5 : 1e300);
	case 3:
		return json_string(longest + roll(tree, sizeof(longest)));
	case 4:
		return json_string(roll(tree, 2) ? "" : "\xe2\x82\xac\x01\"\n");
	case 5:
		return json_object();
	case 6:
		return json_array();
	default:
		return json_integer(numbers[roll(tree, sizeof(numbers) / sizeof(numbers[0]))]);
	}
}

static void
change_text(struct tree *tree, const struct place *place)
{
	char text[TEXT_MAX];
	size_t length = json_string_length(at(place));

	if (length >= sizeof(text) / 2)
		return;
	memcpy(text, json_string_value(at(place)), length);
	length = LLVMFuzzerMutate((uint8_t *)text, length, sizeof(text) - 1);
	text[length] = '\0';
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\0' || (unsigned char)text[i] > 0x7e)
			text[i] = (char)('a' + roll(tree, 26));
	put(place, json_stringn(text, length));
}

static void
change_scalar(struct tree *tree, const struct place *place)
{
	json_t *value = at(place);

	if (json_is_string(value) && roll(tree, 4) != 0)
		change_text(tree, place);
	else if (json_is_integer(value) && roll(tree, 4) != 0)
		put(place, json_integer((json_int_t)((uint64_t)json_integer_value(value) +
						     roll(tree, 9) - 4)));
	else
		put(place, odd_value(tree));
}

static void
change(struct tree *tree)
{
	const struct place *place = any(tree), *other = any(tree);
	json_t *copy = json_deep_copy(at(other)), *mine = json_deep_copy(at(place));
	json_t *here = json_incref(place->in), *there = json_incref(other->in);

	/* One may be inside of the other, and go with it: both are held until the end. */
	switch (roll(tree, 8)) {
	case 0:
		if (place->key != NULL)
			json_object_del(place->in, place->key);
		else
			json_array_remove(place->in, place->index);
		break;
	case 1: /* comes again, elsewhere */
		if (other->key == NULL)
			json_array_insert(
			    other->in, roll(tree, json_array_size(other->in) + 1), mine);
		else
			json_object_set(other->in, place->key ? place->key : "name", mine);
		break;
	case 2: /* trade places */
		put(other, json_incref(mine));
		put(place, json_incref(copy));
		break;
	case 3:
		put(place, json_incref(copy));
		break;
	case 4:
		put(place, odd_value(tree));
		break;
	default:
		change_scalar(tree, place);
	}
	json_decref(copy);
	json_decref(mine);
	json_decref(here);
	json_decref(there);
}

/* Places point into what they change: only one change for each look at the tree. */
static char *
changed(json_t *root, unsigned seed)
{
	struct tree *tree = mem_alloc(sizeof(*tree));
	char *text;

	tree->state = seed;
	for (size_t times = 1 + roll(tree, 4); times > 0; times--) {
		tree->count = 0;
		collect(tree, root);
		if (tree->count > 0)
			change(tree);
	}
	free(tree);
	text = jsonx_dump(root);
	return text;
}

size_t
mutate_json(uint8_t *data, size_t size, size_t max, unsigned seed, size_t head)
{
	json_t *root = NULL;
	char *text;
	size_t length;

	if (seed % 8 != 0 && size > head)
		root = jsonx_parse((const char *)data + head, size - head, size, NULL);
	if (!json_is_object(root) && !json_is_array(root)) {
		json_decref(root);
		return LLVMFuzzerMutate(data, size, max);
	}
	if (head > 0 && seed % 5 == 0)
		data[seed / 64 % head] = (uint8_t)(seed >> 16);
	text = changed(root, seed / 8);
	json_decref(root);
	length = strlen(text);
	if (head + length <= max) {
		memcpy(data + head, text, length);
		size = head + length;
	}
	free(text);
	return size;
}
