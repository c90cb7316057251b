/* What is written from the tables: --help, the completions, the page of the manual. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/str.h"
#include "command.h"

void help_add(const char *group, struct str *to); /* "": of everything */
void help_add_command(const struct command *command, struct str *to);
/* "--wait[=GOAL]", with the letter before it. */
void help_add_flag(const struct flag *flag, struct str *to);
must_check int completion_add(const char *shell, struct str *to); /* -1: no such shell */
void man_add(struct str *to);

struct fact {
	const char *name, *text;
};
extern const struct fact help_environment[]; /* ends with name NULL */

#endif
