/* What the audit's commands share. */
#ifndef CLI_CMD_AUDIT_H
#define CLI_CMD_AUDIT_H

#include "cli.h"

enum { AUDIT_PAGE = 500 };

/* Every page of the audit, oldest first, as GET /v1/audit answers; each: false: enough, which is
 * CODE_FAILED. Returns the exit code. */
int audit_walk(struct cli *cli, bool (*each)(void *ctx, const json_t *page, bool first), void *ctx);

#endif
