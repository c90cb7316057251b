/* select: see select.h. A selector is a list of terms that must all hold. */
#include "select.h"

#include "jx.h"
#include "util.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum op { IS, IS_NOT, IN, NOT_IN, THERE, NOT_THERE };

struct term {
	char *key;
	enum op op;
	bool field;
	json_t *values; /* array of strings */
};

struct selector {
	struct term *terms;
	size_t n;
};

static char *
piece(const char *from, const char *to)
{
	char *s;

	while (from < to && isspace((unsigned char)*from))
		from++;
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	s = xalloc((size_t)(to - from) + 1);
	memcpy(s, from, (size_t)(to - from));
	return s;
}

static void
add_value(struct term *t, const char *from, const char *to)
{
	char *v = piece(from, to);

	json_array_append_new(t->values, json_string(v));
	free(v);
}

static void
read_set(struct term *t, const char *from, const char *to)
{
	while (from < to) {
		const char *comma = memchr(from, ',', (size_t)(to - from));
		const char *end = comma != NULL ? comma : to;

		add_value(t, from, end);
		from = end + 1;
	}
}

/* "key in (a,b)" and "key notin (a,b)". */
static bool
read_in(struct term *t, const char *s, const char *end)
{
	const char *open = memchr(s, '(', (size_t)(end - s));
	const char *key_end = s;
	char *word;

	if (open == NULL || end[-1] != ')')
		return false;
	while (key_end < open && !isspace((unsigned char)*key_end))
		key_end++;
	word = piece(key_end, open);
	t->op = strcmp(word, "notin") == 0 ? NOT_IN : IN;
	free(word);
	t->key = piece(s, key_end);
	read_set(t, open + 1, end - 1);
	return true;
}

static bool
read_term(struct term *t, const char *s, const char *end)
{
	const char *eq = memchr(s, '=', (size_t)(end - s));

	while (s < end && isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	if (s == end)
		return false;
	t->values = json_array();
	if (memchr(s, '(', (size_t)(end - s)) != NULL)
		return read_in(t, s, end);
	if (eq != NULL) {
		t->op = eq > s && eq[-1] == '!' ? IS_NOT : IS;
		t->key = piece(s, t->op == IS_NOT ? eq - 1 : eq);
		add_value(t, eq[1] == '=' ? eq + 2 : eq + 1, end);
		return true;
	}
	t->op = *s == '!' ? NOT_THERE : THERE;
	t->key = piece(*s == '!' ? s + 1 : s, end);
	return true;
}

static const char *
term_end(const char *s)
{
	int depth = 0;

	for (; *s != '\0'; s++) {
		if (*s == '(')
			depth++;
		else if (*s == ')')
			depth--;
		else if (*s == ',' && depth <= 0)
			break;
	}
	return s;
}

static bool
add_terms(struct selector *sel, const char *s, bool field)
{
	while (s != NULL && *s != '\0') {
		const char *end = term_end(s);
		struct term t = {.field = field};
		bool ok = read_term(&t, s, end);

		sel->terms = xgrow(sel->terms, (sel->n + 1) * sizeof(t));
		sel->terms[sel->n++] = t;
		if (!ok)
			return false;
		s = *end == ',' ? end + 1 : end;
	}
	return true;
}

struct selector *
selector_new(const char *labels, const char *fields, const char **error)
{
	struct selector *s = xalloc(sizeof(*s));

	if (!add_terms(s, labels, false)) {
		*error = "unable to parse requirement in labelSelector";
	} else if (!add_terms(s, fields, true)) {
		*error = "invalid field selector";
	} else {
		return s;
	}
	selector_free(s);
	return NULL;
}

static bool
listed(const struct term *t, const char *value)
{
	json_t *v;
	size_t i;

	json_array_foreach(
	    t->values, i, v) if (strcmp(json_string_value(v), value) == 0) return true;
	return false;
}

static bool
holds(const struct term *t, const char *value)
{
	switch (t->op) {
	case IS:
	case IN:
		return value != NULL && listed(t, value);
	case IS_NOT:
	case NOT_IN:
		return value == NULL || !listed(t, value);
	case THERE:
		return value != NULL;
	case NOT_THERE:
		return value == NULL;
	}
	return false;
}

bool
selector_match(const struct selector *s, const json_t *object)
{
	json_t *labels;

	if (s == NULL || s->n == 0)
		return true;
	labels = jx_at(object, "metadata.labels");
	for (size_t i = 0; i < s->n; i++) {
		const struct term *t = &s->terms[i];
		const char *v = t->field ? jx_str(object, t->key)
					 : json_string_value(json_object_get(labels, t->key));

		if (!holds(t, t->field && v == NULL ? "" : v))
			return false;
	}
	return true;
}

void
selector_free(struct selector *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->terms[i].key);
		json_decref(s->terms[i].values);
	}
	free(s->terms);
	free(s);
}

bool
labels_match(const json_t *wanted, const json_t *labels)
{
	const char *key;
	json_t *v;

	if (json_object_size(wanted) == 0)
		return false;
	json_object_foreach((json_t *)wanted, key,
	    v) if (!json_equal(v, json_object_get(labels, key))) return false;
	return true;
}
