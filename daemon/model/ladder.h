/* Ladder: the ordered stages that a strategy compiles an app and a release into. A stage says what
 * the world should look like and what must be true before going on; how to get there is converge's.
 */
#ifndef MODEL_LADDER_H
#define MODEL_LADDER_H

#include <jansson.h>
#include "model/app.h"

#define LADDER_STAGES (APP_STAGES + 6)

struct target {
	int weight; /* the canary's percent of the traffic */
	int canary; /* the canary's size in percent of the stable side's; 0: it is gone */
	int stable; /* the stable side shrinks to so many percent of its size; 0: it is whole */
	bool stable_new; /* the stable workload runs the release's image */
	bool home;	 /* routing and HPA as they were, nothing left over */
	/* One workload that rolls: so many of its pods run the release; 0: it does not roll here.
	 */
	int batch;
	bool percent; /* of its size, else pods */
	bool backup;  /* the App's Job has succeeded */
	bool retired; /* two colours: the stable side rests, and what was its follows the other */
};

struct stage {
	char name[48];
	struct target target;
	int64_t hold_ms;
	bool approve;
	uint32_t gates; /* bit i: gate i must pass to leave */
	uint32_t watch; /* bit i: gate i is measured and may abort, but is not waited for */
	bool serves;	/* a stage of the user's own list (the others are the strategy's) */
};

struct ladder {
	struct stage stages[LADDER_STAGES];
	int count;
	int full; /* the stage that `promote --full` goes to */
};

/* What kind of stage it is, whatever its number: "canary" for each "canary 25%". There are few,
 * so that stages can be counted by it. */
enum { STAGE_OTHER = 15, STAGE_WORDS };
int stage_word(const struct stage *stage); /* STAGE_OTHER: from a journal that is not ours */
const char *stage_word_name(int word);

/* One more stage at its end; for who compiles it. */
struct stage *ladder_append(struct ladder *ladder, const char *name, struct target target);
/* Nobody is asked, and nothing is held: gates are measured and may abort, no stage waits for them.
 */
void ladder_hasten(struct ladder *ladder);
json_t *ladder_json(const struct ladder *ladder); /* new reference */
must_check int ladder_parse(const json_t *json, struct ladder *ladder, struct err *e);
struct target target_home(void); /* where an abort goes */

#endif
