/* A command is one const struct in one file under cmd/ and one line of the table in commands.c.
 * The table drives parsing, --help, the completions and the man page. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct cli;

enum flag_id {
	FLAG_SERVER,
	FLAG_TOKEN_FILE,
	FLAG_CA_FILE,
	FLAG_CERTIFICATE_FILE,
	FLAG_KEY_FILE,
	FLAG_OUTPUT,
	FLAG_NO_COLOR,
	FLAG_TIMEOUT,
	FLAG_HELP,
	FLAG_VERSION,
	FLAG_FILE,
	FLAG_IMAGE,
	FLAG_WHY,
	FLAG_COMMIT,
	FLAG_KEY,
	FLAG_WAIT,
	FLAG_TO,
	FLAG_FULL,
	FLAG_REASON,
	FLAG_APP,
	FLAG_PHASE,
	FLAG_CLUSTER,
	FLAG_LIVE,
	FLAG_LIMIT,
	FLAG_ROLE,
	FLAG_NAMESPACES,
	FLAG_APPS,
	FLAG_NOTE,
	FLAG_EXPIRES,
	FLAG_OUT,
	FLAG_ROLLOUT,
	FLAG_WHO,
	FLAG_SINCE,
	FLAG_HEAD,
	FLAG_PUBLIC_KEY,
	FLAG_COUNT
};
#define FLAG(name) (UINT64_C(1) << FLAG_##name)

struct flag {
	const char *name;    /* without the dashes */
	char letter;	     /* 0: none */
	const char *value;   /* what it takes, for people: "IMAGE"; NULL: a switch */
	bool optional;	     /* the value may be left out (--wait) */
	const char *choices; /* "table json yaml"; NULL: free text */
	int (*check)(const char *value, struct err *e); /* may be NULL */
	bool global;					/* every command takes it */
	const char *help;				/* one line, no full stop */
};
extern const struct flag flags[FLAG_COUNT];

struct command {
	const char *group;    /* "rollout"; "" for commands of one word */
	const char *name;     /* "start"; NULL: not a command but the end of the table */
	const char *operands; /* "ROLLOUT|APP"; "[NAME]" may be left out; "" */
	uint64_t flags;	      /* taken besides the global ones */
	uint64_t needs;	      /* of those, the ones that must be given */
	const char *summary;  /* one line, starts with a verb, no full stop */
	const char *text;     /* paragraphs for --help and the man page; may be NULL */
	const char *goal;     /* what --wait waits for when it has no value; NULL: succeeded */
	bool offline;	      /* needs no server */
	bool hidden;
	int (*run)(struct cli *cli); /* returns an exit code */
};
extern const struct command *const commands[]; /* ends with NULL */

struct group {
	const char *name, *summary;
};
extern const struct group groups[]; /* ends with name NULL; "" is the first */

const struct command *command_find(const char *group, const char *name); /* NULL: none */
const struct group *group_find(const char *name);
/* "airisctl rollout abort ROLLOUT|APP [--reason TEXT] …"; owned by the caller. */
char *command_usage(const struct command *command);

#endif
