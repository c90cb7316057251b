/* Two colours: which PodDisruptionBudgets there are. */
#ifndef MODEL_BUDGETS_H
#define MODEL_BUDGETS_H

#include <stdbool.h>

struct budgets_seen {
	bool stable, canary;	       /* one of somebody else's chooses that side's pods */
	bool stable_ours, canary_ours; /* one that we made for that side is there */
};

#endif
