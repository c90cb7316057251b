/* ROLLOUT|APP: what looks like a rollout's id is one. */
#include <stdlib.h>
#include "base/id.h"
#include "base/jsonx.h"
#include "cmd/cmd.h"

int
cmd_find(struct cli *cli, const char *word, char **id)
{
	struct answer answer;
	const char *newest;
	char *path;
	int code;

	if (id_ok(word, "r-")) {
		*id = mem_strdup(word);
		return CODE_OK;
	}
	path = path_format("/v1/rollouts?app=%&limit=1", word);
	code = cmd_get(cli, path, &answer);
	free(path);
	if (code != CODE_OK)
		return code;
	newest = jsonx_text(answer.json, "items.0.id");
	if (newest == NULL) {
		complain(
		    "there is no rollout of an app named \"%s\", and no rollout's id looks like "
		    "that; see airisctl rollout list, or airisctl app list",
		    word);
		code = CODE_REFUSED;
	} else
		*id = mem_strdup(newest);
	answer_done(&answer);
	return code;
}
