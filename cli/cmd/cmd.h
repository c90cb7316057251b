/* What the commands have in common: ask, print, find a rollout, wait. Functions that return an exit
 * code have already said on standard error what is wrong when it is not 0. */
#ifndef CLI_CMD_CMD_H
#define CLI_CMD_CMD_H

#include "cli.h"

/* 0: *answer is a success, end it with answer_done. */
must_check int cmd_call(struct cli *cli, const struct request *request, struct answer *answer);
must_check int cmd_get(struct cli *cli, const char *path, struct answer *answer);
/* Says what an answer refuses. file: the name of the file that was sent, for FILE:LINE; NULL: none.
 * Returns the exit code. */
int cmd_refuse(const struct cli *cli, const struct answer *answer, const char *file);
/* The exit code of a call that was not answered. */
int cmd_unanswered(enum call call, const struct err *e);

/* All pages of a list, at most limit items (0: all): path has no "?" or ends after a parameter;
 * cursor is the parameter that takes `next`. *all: {"items":[…],"next":…}, owned by the caller. */
must_check int cmd_pages(
    struct cli *cli, const char *path, const char *cursor, int64_t limit, json_t **all);

/* With -o json or yaml prints it and returns true. */
bool cmd_print(const struct cli *cli, const json_t *value);
bool cmd_print_answer(const struct cli *cli, const struct answer *answer); /* JSON as it came */

/* The id of the rollout that a word means: itself, or the newest of the app of this name. *id is
 * owned by the caller. */
must_check int cmd_find(struct cli *cli, const char *word, char **id);

/* After a command that was taken: tells it, or with --wait follows the rollout. rollout: as the
 * server answered. what: one line for people, done by the caller. */
int cmd_after(struct cli *cli, const struct answer *answer, const char *what, const char *next);
/* Follows a rollout in the way that fits the output, and says how it went. */
int cmd_follow(struct cli *cli, const char *id, struct goal goal, int64_t timeout_ms);

#endif
