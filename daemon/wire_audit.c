/* See wire_audit.h. */
#include "wire_audit.h"

#include <string.h>
#include "base/str.h"
#include "engine/note.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static int
head(void *ctx, struct seal *seal, struct err *e)
{
	struct journal_head found;
	if (engine_audit_head(ctx, &found, e) < 0)
		return -1;
	*seal = (struct seal){.seq = found.seq};
	memcpy(seal->hash, found.hash, CHAIN_HASH);
	str_copy(seal->chain, sizeof(seal->chain), found.chain);
	return 0;
}

struct witness *
wire_witness(
    struct loop *loop, struct engine *engine, const struct settings *settings, struct err *e)
{
	bool signs = settings->sign_key_file[0] != '\0';
	struct witness_settings witness = {.key_file = signs ? settings->sign_key_file : NULL,
	    .every_ms = signs ? settings->sign_every_ms : DAY_MS,
	    .syslog = settings->syslog};
	struct witness *made = witness_new(loop, &witness, head, engine, e);
	if (made == NULL)
		err_wrap(e, "audit.signKeyFile");
	return made;
}
