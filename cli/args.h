/* The command line, taken apart by the tables of commands and flags and checked against them. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "command.h"

#define ARGS_WORDS 8

struct args {
	const struct command *command;	/* NULL: none named (only with help, or an error) */
	const char *group;		/* the group named, for help; NULL: none */
	const char *values[FLAG_COUNT]; /* NULL: not given; "" for switches; points into argv */
	const char *words[ARGS_WORDS];	/* the operands */
	int count;
};

/* -1: wrong usage; the text says what is missing or what was probably meant. What was understood
 * until then is in *args, so that the usage of the right command can be shown. */
must_check int args_parse(int argc, char **argv, struct args *args, struct err *e);
bool args_given(const struct args *args, enum flag_id flag);

/* Of the names (ends with NULL) the one nearest to word, if it is near; NULL: none is. */
const char *suggest(const char *word, const char *const *names);

/* What --wait asks for. */
enum goal_kind { GOAL_END, GOAL_SUCCEEDED, GOAL_PAUSED, GOAL_ABORTED, GOAL_STAGE };
struct goal {
	enum goal_kind kind; /* GOAL_END: watch, to whatever end */
	int stage;	     /* for GOAL_STAGE: this stage or a later one */
};
must_check int goal_parse(const char *text, struct goal *goal, struct err *e);

#endif
