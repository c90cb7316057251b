/* airisd in the small world: the real decide and fold, called as the engine calls them. */
#ifndef TESTS_MODEL_LAB_H
#define TESTS_MODEL_LAB_H

#include "model/command.h"
#include "model/decide.h"
#include "state.h"

enum rest { MOVING, EXPLICIT_WAIT, SUCCEEDED, AT_HOME, HAS_FAILED };

struct lab {
	const struct config *config;
	struct rollout *r;	/* the rollout of the state that is open */
	struct waiting waiting; /* of the last look */
	char bad[400];		/* which law was broken and how; "" none */
	bool retried;		/* the step is a person's retry */
	struct str *tell;	/* what airisd does is written here; NULL: nobody listens */
};

/* Compiled by the real fold from an app and a first look; *first is where exploring begins. */
void lab_begin(struct lab *lab, const struct config *config, struct state *first);
void lab_end(struct lab *lab);

/* A step: open, what happens, think (unless airisd is down), close. */
void lab_open(struct lab *lab, const struct state *s);
void lab_close(struct lab *lab, struct state *s);
void lab_think(struct lab *lab, struct state *s);
void lab_fold(struct lab *lab, enum event_kind kind, json_t *data); /* takes data */
/* false: not allowed now, or already so. */
bool lab_command(struct lab *lab, struct state *s, enum command command, bool full);
void lab_supersede(struct lab *lab, struct state *s);
void lab_taken(struct lab *lab, enum mesh_subject subject);
void lab_measure(struct lab *lab, bool passes);

/* The act that is journalled is sent, unless it is not safe any more. */
void lab_send(struct lab *lab, struct state *s);
/* The API server answers the act on its way. effect: it carries it out, if it still can; outcome:
 * what airisd is told, ACT_DONE: whatever came of it. */
void lab_answer(struct lab *lab, struct state *s, bool effect, enum act_outcome outcome);
void lab_overtaken_lands(struct lab *lab, struct state *s);
/* The act on its way will not be answered, and may still be carried out later. */
void lab_drifts(struct lab *lab, struct state *s);
void lab_adrift_lands(struct lab *lab, struct state *s);
void lab_overtaken_answer(struct lab *lab, enum act_outcome outcome);
/* kill -9; the act on its way has been carried out, or not. */
void lab_crash(struct lab *lab, struct state *s, bool effect);
void lab_restart(struct lab *lab, struct state *s);

enum rest lab_rest(const struct lab *lab, const struct state *s);
void lab_bad(struct lab *lab, const char *format, ...) printf_like(2, 3);
void lab_say(struct lab *lab, const char *format, ...) printf_like(2, 3);

#endif
