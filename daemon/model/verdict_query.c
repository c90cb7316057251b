/* Variables in PromQL. Always true: a value can only ever be text inside of a string of the query
 * (escaped for it, and for a regular expression where =~ or !~ stands before) or a number that was
 * made here; so no name of an object can change what a query asks. */
#include "model/verdict.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "base/keys.h"

enum { EXPANDED_MAX = 32768, VARIABLE_MAX = 32 };

static const struct variable {
	const char *name;
	size_t offset; /* of a const char * in query_vars; unused for numbers */
	bool number;
} variables[] = {
    {"app", offsetof(struct query_vars, app), false},
    {"namespace", offsetof(struct query_vars, namespace), false},
    {"stable", offsetof(struct query_vars, stable), false},
    {"canary", offsetof(struct query_vars, canary), false},
    {"window", 0, true},
    {"since_weight", 0, true},
};
enum { VARIABLES = sizeof(variables) / sizeof(variables[0]) };

/* Where in the query the walk is. */
struct walk {
	const struct query_vars *vars;
	struct str to;
	char quote;	/* the one that is open; 0: none */
	bool regex;	/* the open one follows =~ or !~ */
	char before[2]; /* the last two characters outside of strings, but for spaces */
};

static const struct variable *
find_variable(const char *name, struct err *e)
{
	const char *names[VARIABLES], *nearest;

	for (int i = 0; i < VARIABLES; i++) {
		names[i] = variables[i].name;
		if (strcmp(name, names[i]) == 0)
			return &variables[i];
	}
	nearest = keys_nearest(name, names, VARIABLES);
	err_set(e,
	    "there is no variable {{%s}}%s%s%s; there are app, namespace, stable, canary, window "
	    "and since_weight",
	    name, nearest == NULL ? "" : " (did you mean {{", nearest == NULL ? "" : nearest,
	    nearest == NULL ? "" : "}}?)");
	return NULL;
}

static int
add_char(struct walk *walk, const char *name, char c, struct err *e)
{
	bool special = strchr("\\.+*?()|[]{}^$", c) != NULL;

	if ((unsigned char)c < 0x20 || c == 0x7f || (walk->quote == '`' && c == '`'))
		return err_set(e, "{{%s}} has a character that no name has", name);
	if (walk->regex && special)
		str_add(&walk->to, walk->quote == '`' ? "\\" : "\\\\");
	if (walk->quote != '`' && (c == '\\' || c == walk->quote))
		str_add(&walk->to, "\\");
	str_add_bytes(&walk->to, &c, 1);
	return 0;
}

static int
add_name(struct walk *walk, const struct variable *variable, struct err *e)
{
	const char *value = *(const char *const *)((const char *)walk->vars + variable->offset);

	if (walk->quote == 0)
		return err_set(e, "{{%s}} is a name and must stand inside quotes: label=\"{{%s}}\"",
		    variable->name, variable->name);
	if (value == NULL || *value == '\0')
		return err_set(e, "{{%s}} is empty", variable->name);
	for (; *value != '\0'; value++) {
		if (add_char(walk, variable->name, *value, e) != 0)
			return -1;
	}
	return 0;
}

static int
add_number(struct walk *walk, const struct variable *variable, struct err *e)
{
	int64_t window = walk->vars->window_ms, since = walk->vars->since_weight_ms / 1000;

	if (strcmp(variable->name, "since_weight") == 0)
		/* A range of 0 seconds is no PromQL. */
		str_addf(&walk->to, "%lld", since < 1 ? 1 : (long long)since);
	else if (window <= 0)
		return err_set(e, "{{window}} is empty: nothing may be looked at yet");
	else if (window % 1000 == 0)
		str_addf(&walk->to, "%llds", (long long)window / 1000);
	else
		str_addf(&walk->to, "%lldms", (long long)window);
	return 0;
}

/* At "{{": puts the value in and moves behind "}}". */
static int
add_variable(struct walk *walk, const char **at, struct err *e)
{
	const char *from = *at + 2, *end;
	const struct variable *variable;
	char name[VARIABLE_MAX];
	size_t length;
	char cut[25];

	str_copy(cut, sizeof(cut), *at);
	from += strspn(from, " ");
	length = strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	end = from + length + strspn(from + length, " ");
	if (length == 0 || length >= sizeof(name) || !str_starts(end, "}}"))
		return err_set(
		    e, "\"{{\" begins a variable, such as {{canary}}; here stands \"%s\"", cut);
	str_print(name, sizeof(name), "%.*s", (int)length, from);
	variable = find_variable(name, e);
	if (variable == NULL)
		return -1;
	*at = end + 2;
	return variable->number ? add_number(walk, variable, e) : add_name(walk, variable, e);
}

/* Copies one character (with its backslash) or one comment, and keeps track of quotes. */
static void
add_plain(struct walk *walk, const char **at)
{
	char c = **at;
	size_t length = 1;

	if (walk->quote != 0) {
		if (c == '\\' && walk->quote != '`' && (*at)[1] != '\0')
			length = 2;
		else if (c == walk->quote)
			walk->quote = 0;
	} else if (c == '"' || c == '\'' || c == '`') {
		walk->quote = c;
		walk->regex =
		    walk->before[1] == '~' && (walk->before[0] == '=' || walk->before[0] == '!');
	} else if (c == '#') {
		length = strcspn(*at, "\n");
	} else if (strchr(" \t\r\n", c) == NULL) {
		walk->before[0] = walk->before[1];
		walk->before[1] = c;
	}
	str_add_bytes(&walk->to, *at, length);
	*at += length;
}

int
query_expand(const char *query, const struct query_vars *vars, char **expanded, struct err *e)
{
	struct walk walk = {.vars = vars};
	int result = 0;

	str_init(&walk.to, EXPANDED_MAX);
	while (*query != '\0' && result == 0) {
		if (query[0] == '{' && query[1] == '{')
			result = add_variable(&walk, &query, e);
		else
			add_plain(&walk, &query);
	}
	if (result == 0 && walk.quote != 0)
		result =
		    err_set(e, "the query ends inside of a string: a %c is missing", walk.quote);
	if (result == 0 && walk.to.full)
		result = err_set(e, "the query has over %d bytes with its variables", EXPANDED_MAX);
	if (result == 0)
		*expanded = str_take(&walk.to);
	str_done(&walk.to);
	return result;
}

int
query_check(const char *query, struct err *e)
{
	const struct query_vars sample = {.app = "app",
	    .namespace = "namespace",
	    .stable = "stable",
	    .canary = "canary",
	    .window_ms = 1000,
	    .since_weight_ms = 1000};
	char *expanded;

	if (query_expand(query, &sample, &expanded, e) != 0)
		return -1;
	free(expanded);
	return 0;
}
