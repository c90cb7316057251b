/* The audit's rows as airisd sends and airisctl exports them, and whether they hold together. The
 * hashes are computed here, from what the rows say. */
#ifndef CLI_CMD_CHAIN_H
#define CLI_CMD_CHAIN_H

#include <jansson.h>
#include "base/seal.h"

struct walk { /* zero it, set want, then walk_begin */
	struct chain *chain;
	int64_t seq; /* the last row that holds */
	unsigned char hash[CHAIN_HASH];
	char identity[40];
	struct seal want; /* a head kept elsewhere; seq 0: none */
	bool wanted;	  /* it was come by, and is the same */
};

must_check int walk_begin(struct walk *walk, const char *identity, struct err *why);
/* Rows, oldest first. -1: the first that is wrong, and what is wrong with it. */
must_check int walk_rows(struct walk *walk, const json_t *rows, struct err *why);
/* No more rows: is the head that was kept elsewhere among them? */
must_check int walk_end(const struct walk *walk, struct err *why);
void walk_done(struct walk *walk);
/* "HASH@SEQ" */
must_check int walk_want(const char *text, struct seal *want, struct err *e);

#endif
