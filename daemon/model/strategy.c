/* The table of strategies. */
#include <string.h>
#include "model/strategy.h"

static const struct strategy *const strategies[] = {
    &strategy_canary, &strategy_blue_green, &strategy_rolling};

const struct strategy *
strategy_find(const char *name)
{
	for (unsigned i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
		if (strcmp(strategies[i]->name, name) == 0)
			return strategies[i];
	return NULL;
}

const char *
strategy_names(void)
{
	return "canary, blueGreen, rolling";
}
