/* Everything that can happen next. */
#ifndef TESTS_MODEL_STEPS_H
#define TESTS_MODEL_STEPS_H

#include "lab.h"

enum nature { GOOD, FAULT, COMMAND };

/* A wait ends; in the reduced form. A limit that ends is no step unless airisd does something on
 * it: it is the only thing that is waited for then, so it may as well end later, when it counts. */
enum in_time { NO_WAIT, A_WAIT, A_LIMIT };

struct happening {
	const char *text;
	enum nature nature; /* GOOD: happens by itself when nothing goes wrong */
	enum budget budget; /* that it uses up; BUDGETS: none */
	int argument;
	/* The state is open; false: cannot happen now. It does not think. */
	bool (*happens)(struct lab *lab, struct state *s, int argument);
	enum in_time in_time;
};

int steps_count(void);
const struct happening *steps_kind(int step);
/* The state after that step, with all checks made; false: it cannot happen in this state. *rest:
 * what kind of end it is. A broken law is in lab->bad. */
bool steps_take(
    struct lab *lab, const struct state *from, int step, struct state *to, enum rest *rest);

#endif
