/* The ways to show a rollout that is followed. Each is a struct view (net/follow.h) and its state.
 */
#ifndef CLI_SHOW_VIEWS_H
#define CLI_SHOW_VIEWS_H

#include "cli.h"
#include "net/follow.h"

/* A picture in place, on a terminal. */
struct live;
extern const struct view live_view;
struct live *live_open(struct cli *cli);
void live_close(struct live *live);

/* One line a change, with its time. fd: 1, or 2 when standard output is for JSON. */
struct lines;
extern const struct view lines_view;
struct lines *lines_open(struct cli *cli, int fd);
void lines_close(struct lines *lines);

/* Every message of the stream as JSON (a line) or YAML (a document). */
extern const struct view json_view; /* ctx: struct cli */

#endif
