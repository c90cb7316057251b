/* What all of airisctl shares: the exit codes, and the one struct that every command is given.
 * airisctl is thin: it talks REST and prints; it decides nothing. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "args.h"
#include "config.h"
#include "net/client.h"
#include "show/paint.h"

enum code {
	CODE_OK = 0,
	CODE_FAILED = 1,
	CODE_USAGE = 2,
	CODE_ABORTED = 3,
	CODE_PAUSED = 4,
	CODE_TIMED_OUT = 5,
	CODE_REFUSED = 6,
	CODE_UNREACHABLE = 7,
	CODE_INTERRUPTED = 130
};

struct exit_text {
	enum code code;
	const char *text;
};
extern const struct exit_text exit_texts[]; /* for --help and the man page; ends with text NULL */

struct cli {
	const struct args *args;
	const struct settings *settings;
	struct client *client; /* NULL for commands that are offline */
	struct paint paint;    /* of standard output */
};

/* Writes to standard output at once; a failure to do so ends the program, for there is nobody left
 * to tell. */
void out_text(const char *text);
void out_str(const struct str *text);
void out_to(int fd, const struct str *text); /* failures on standard error are ignored */
/* A table, its lines cut to the window. */
struct table;
void out_table(const struct paint *paint, const struct table *table);
/* "airisctl: …" on standard error, control characters made harmless. */
void complain(const char *format, ...) printf_like(1, 2);

/* The same without the name before it. */
void complain_line(const char *text);

#endif
