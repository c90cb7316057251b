/* Inside of the App: what its table fills in and its checks finish. Not for others. */
#ifndef MODEL_APP_DRAFT_H
#define MODEL_APP_DRAFT_H

#include "base/keys.h"
#include "model/app.h"

enum { DRAFT_UNSET = -1 };

/* An app while it is read: with what the finishing still needs. */
struct stage_draft {
	struct stage_spec spec;
	const json_t *gates; /* names, as written; NULL: all */
};

struct draft {
	struct app app; /* first, so that offsets in the app are offsets in the draft */
	struct stage_draft stages[APP_STAGES];
	int stage_count;
	bool short_form;			 /* weights, not stages */
	const json_t *judge_gates, *watch_gates; /* blue-green's, names as written */
	int64_t hold_ms;
	int kind;
};

/* JSON Schemas of what its table reads: pods or percent, names, names of gates. */
#define SHARE_SCHEMA(least)                                                                        \
	"{\"anyOf\": [{\"type\": \"integer\", \"minimum\": " least ", \"maximum\": 10000}, "       \
	"{\"type\": \"string\", \"pattern\": \"^0*([" least "-9]|[1-9][0-9]|100)%$\"}]}"
#define NAMES_SCHEMA                                                                               \
	"{\"type\": \"array\", \"minItems\": 1, \"maxItems\": 16, \"uniqueItems\": true, "         \
	"\"items\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 63, "                  \
	"\"pattern\": \"^[^\\\\x00-\\\\x1f\\\\x7f]*$\"}}"

#define GATES_SCHEMA                                                                               \
	"{\"type\": \"array\", \"items\": {\"type\": \"string\", \"pattern\": "                    \
	"\"" KEYS_LABEL_PATTERN "\"}}"

extern const struct key app_keys[]; /* for a struct draft */
/* The sizes of a canary's stages, when all its weights are known; app_canary.c. */
void app_finish_sizes(const json_t *spec, struct draft *draft, struct keys_at *at);

#endif
