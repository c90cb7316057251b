/* Takes the command line apart. Flags may stand anywhere; `--` ends them. Always true: what is in
 * struct args after a success is allowed by the tables. */
#include "args.h"

#include <string.h>
#include "base/str.h"

bool
args_given(const struct args *args, enum flag_id flag)
{
	return args->values[flag] != NULL;
}

static int
unknown_flag(const char *name, size_t length, struct err *e)
{
	const char *names[FLAG_COUNT + 1] = {0}, *near;
	char text[64];

	str_print(text, sizeof(text), "%.*s", (int)(length > 60 ? 60 : length), name);
	for (int i = 0; i < FLAG_COUNT; i++)
		names[i] = flags[i].name;
	near = suggest(text, names);
	return err_set(e, "there is no flag --%s%s%s%s", text,
	    near == NULL ? "" : "; did you mean --", near == NULL ? "" : near,
	    near == NULL ? "" : "?");
}

static int
find_long(const char *name, size_t length, struct err *e)
{
	for (int i = 0; i < FLAG_COUNT; i++) {
		if (strlen(flags[i].name) == length && strncmp(flags[i].name, name, length) == 0)
			return i;
	}
	return unknown_flag(name, length, e);
}

static int
find_letter(char letter, struct err *e)
{
	for (int i = 0; i < FLAG_COUNT; i++) {
		if (flags[i].letter == letter)
			return i;
	}
	return err_set(e, "there is no flag -%c", letter >= ' ' && letter <= '~' ? letter : '?');
}

static bool
is_choice(const char *choices, const char *value)
{
	size_t length = strlen(value);

	for (const char *at = choices; at != NULL; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (strncmp(at, value, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
			return length > 0;
	}
	return false;
}

static int
set_flag(struct args *args, int id, const char *value, struct err *e)
{
	const struct flag *flag = &flags[id];
	struct err why;

	if (args->values[id] != NULL && !str_equal(args->values[id], value))
		return err_set(e, "--%s is given twice with different values", flag->name);
	args->values[id] = value;
	if (*value == '\0' && (flag->value == NULL || flag->optional))
		return 0;
	if (flag->check != NULL && flag->check(value, &why) < 0)
		return err_set(e, "--%s: %s", flag->name, why.text);
	if (flag->check == NULL && flag->choices != NULL && !is_choice(flag->choices, value))
		return err_set(
		    e, "--%s: \"%s\" is not one of: %s", flag->name, value, flag->choices);
	if (*value == '\0')
		return err_set(e, "--%s: is empty; it takes a %s", flag->name, flag->value);
	return 0;
}

/* Takes argv[*at], which starts with a dash, and its value if that is the next word. */
static int
take_flag(struct args *args, int argc, char **argv, int *at, struct err *e)
{
	const char *word = argv[*at], *value = NULL;
	bool is_long = word[1] == '-';
	size_t length = is_long ? strcspn(word + 2, "=") : 1;
	int id = is_long ? find_long(word + 2, length, e) : find_letter(word[1], e);

	if (id < 0)
		return -1;
	if (is_long && word[2 + length] == '=')
		value = word + 2 + length + 1;
	else if (!is_long && word[2] != '\0')
		value = word + 2 + (word[2] == '=');
	if (flags[id].value == NULL && value != NULL)
		return err_set(e, "--%s takes no value", flags[id].name);
	if (flags[id].value != NULL && value == NULL && !flags[id].optional) {
		if (*at + 1 >= argc)
			return err_set(
			    e, "--%s: its %s is missing", flags[id].name, flags[id].value);
		value = argv[++*at];
	}
	return set_flag(args, id, value == NULL ? "" : value, e);
}

static int
unknown_command(const char *group, const char *word, struct err *e)
{
	const char *names[64] = {0}, *near;
	const char *space = *group == '\0' ? "" : " ";
	size_t count = 0;

	for (int i = 0; commands[i] != NULL && count < 48; i++) {
		if (str_equal(commands[i]->group, group) && !commands[i]->hidden)
			names[count++] = commands[i]->name;
	}
	for (int i = 0; *group == '\0' && groups[i].name != NULL; i++)
		names[count++] = groups[i].name;
	near = suggest(word, names);
	if (near != NULL)
		return err_set(e, "there is no command \"%s%s%.60s\"; did you mean \"%s%s%s\"?",
		    group, space, word, group, space, near);
	return err_set(e, "there is no command \"%s%s%.60s\"; `airisctl %s%s--help` lists them",
	    group, space, word, group, space);
}

static int
take_word(struct args *args, const char *word, struct err *e)
{
	if (args->command != NULL) {
		if (args->count == ARGS_WORDS)
			return err_set(e, "more than %d words", ARGS_WORDS);
		args->words[args->count++] = word;
		return 0;
	}
	if (args->group == NULL && *word != '\0' && group_find(word) != NULL) {
		args->group = word;
		return 0;
	}
	args->command = command_find(args->group == NULL ? "" : args->group, word);
	if (args->command == NULL)
		return unknown_command(args->group == NULL ? "" : args->group, word, e);
	return 0;
}

/* The i-th operand of "ROLLOUT|APP [TO]"; false: there is none. *must: it may not be left out. */
static bool
operand(const char *operands, int i, char *name, size_t size, bool *must)
{
	size_t length;

	for (; i > 0 && *operands != '\0'; i--) {
		operands += strcspn(operands, " ");
		operands += strspn(operands, " ");
	}
	length = strcspn(operands, " ");
	*must = *operands != '[';
	str_print(name, size, "%.*s", (int)length, operands);
	return length > 0;
}

static int
check_words(const struct args *args, struct err *e)
{
	char name[64];
	bool must;

	for (int i = 0; i < args->count; i++) {
		if (*args->words[i] == '\0')
			return err_set(e, "word %d is empty", i + 1);
		if (!operand(args->command->operands, i, name, sizeof(name), &must))
			return err_set(e, "\"%.100s\" is one word too many", args->words[i]);
	}
	if (!operand(args->command->operands, args->count, name, sizeof(name), &must) || !must)
		return 0;
	if (str_equal(name, "ROLLOUT|APP"))
		return err_set(e,
		    "%s is missing: say which rollout, by its id or by its app's name (then it is "
		    "the app's newest)",
		    name);
	return err_set(e, "%s is missing", name);
}

static int
check_flags(const struct args *args, struct err *e)
{
	for (int i = 0; i < FLAG_COUNT; i++) {
		bool takes = (args->command->flags >> i & 1) != 0 || flags[i].global;

		if (args->values[i] != NULL && !takes)
			return err_set(e, "this command takes no --%s", flags[i].name);
		if (args->values[i] == NULL && (args->command->needs >> i & 1) != 0)
			return err_set(e, "--%s %s is missing: %s", flags[i].name, flags[i].value,
			    flags[i].help);
	}
	return 0;
}

static int
check_command(const struct args *args, struct err *e)
{
	if (args->command == NULL && args->group == NULL)
		return err_set(e, "no command is given; `airisctl --help` lists them");
	if (args->command == NULL)
		return err_set(e, "\"%s\" alone is no command; `airisctl %s --help` lists them",
		    args->group, args->group);
	if (check_words(args, e) < 0)
		return -1;
	return check_flags(args, e);
}

int
args_parse(int argc, char **argv, struct args *args, struct err *e)
{
	bool more_flags = true;

	*args = (struct args){0};
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (more_flags && str_equal(word, "--"))
			more_flags = false;
		else if (more_flags && word[0] == '-' && word[1] != '\0') {
			if (take_flag(args, argc, argv, &i, e) < 0)
				return -1;
		} else if (take_word(args, word, e) < 0)
			return -1;
	}
	if (args_given(args, FLAG_HELP) || args_given(args, FLAG_VERSION))
		return 0;
	return check_command(args, e);
}
