/* The table of strategies. */
#include <string.h>
#include "model/strategy.h"

static const struct strategy *const strategies[STRATEGIES] = {
    &strategy_canary, &strategy_blue_green, &strategy_rolling};

const struct strategy *
strategy_find(const char *name)
{
	for (int i = 0; i < STRATEGIES; i++)
		if (strcmp(strategies[i]->name, name) == 0)
			return strategies[i];
	return NULL;
}

const struct strategy *
strategy_at(int place)
{
	return strategies[place];
}

int
strategy_place(const struct strategy *strategy)
{
	int place = 0;
	while (strategies[place] != strategy)
		place++;
	return place;
}

const char *
strategy_names(void)
{
	return "canary, blueGreen, rolling";
}
