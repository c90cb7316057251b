/* converge: the next safe act that brings what is observed towards a target, or "settled", or what
 * it is blocked on. The same function drives every stage, promotion, abort and undo; the five laws
 * of the design stand here and nowhere else: 1 capacity before traffic      2 make before break 3
 * traffic before teardown 4 an abort reduces risk first  5 touch only what is ours Pure: it looks
 * at the view and nothing else. */
#ifndef MODEL_CONVERGE_H
#define MODEL_CONVERGE_H

#include "model/observed.h"
#include "model/rollout.h"

struct view {
	const struct rollout *rollout;
	const struct observed *seen;
	struct target target;
	int64_t now_ms;
	int64_t
	    settle_ms;	 /* after so long a written weight, or a known endpoint, counts as taken */
	int64_t back_ms; /* what is assumed by time counts from no earlier than this */
	const struct mesh_asking *mesh; /* NULL: it cannot be asked */
	bool urgent;			/* going home in an abort */
	bool held;  /* a foreign edit holds it: only traffic away from what cannot serve, and to the
		       side that gets it the size that it gave up */
	bool adopt; /* the stable workload is not the one of the start: leave its image alone */
};

enum step_kind { STEP_ACT, STEP_BLOCKED, STEP_SETTLED };

struct step {
	enum step_kind kind;
	struct act act;		/* STEP_ACT */
	struct waiting waiting; /* STEP_BLOCKED: object, what, next, until_ms */
	bool collapsed;		/* STEP_ACT: all traffic leaves a side that it was just given: no
				   way forward */
	bool hopeless;	/* STEP_BLOCKED: what it waits for does not come any more: no way forward */
	bool on_pods;	/* blocked on readiness: the stage's deadline runs */
	bool on_mesh;	/* blocked on what the mesh has not confirmed: no deadline */
	bool asks_mesh; /* it is to be asked, though no change of ours is open */
};

void converge(const struct view *view, struct step *step);
/* Asked again when it is sent, a moment after it was chosen: the side that is to get more traffic
 * can still carry it (law 1). */
bool act_is_safe(const struct view *view, const struct act *act);

/* What an abort may do though it cannot be written down: after a crash nobody knows of it, and it
 * may still come. A weight that does not rise, and the old image for a side that has no requests:
 * with these the traffic gets home. All else waits for the journal. */
bool act_goes_unwritten(const struct observed *seen, const struct act *act);

/* Questions that converge asks, also asked by others. */
int full_size(const struct view *view);		    /* what a whole side is, in endpoints, >= 1 */
int size_for(const struct view *view, int percent); /* endpoints that carry percent, rounded up */
int percent_of(const struct view *view, int ready); /* what ready endpoints carry, at most 100 */
/* Ready canary pods; of a colour, which had others before, those that run the release's image; of a
 * workload that rolls those of its pods that do. */
int canary_ready_of(const struct rollout *rollout, const struct observed *seen);
/* Ready stable pods that run the release's image, or the one of the start. They may be the same
 * image (a restart): then each pod has the one that is asked for. */
int stable_ready_of(const struct rollout *rollout, const struct workload_seen *stable, bool new);
/* The Job of that name; NULL: it is not there. */
const struct backup_seen *backup_seen_of(const struct observed *seen, const char *job);
/* The one named condition for the data plane: has it taken the last change of the subject?
 * *until_ms: when it counts as taken at the latest, as things are; 0: when it is confirmed. */
bool mesh_took(const struct view *view, enum mesh_subject subject, int64_t *until_ms);

#endif
