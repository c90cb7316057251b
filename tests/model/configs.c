/* Each world has a budget of faults, which is printed: what is not in any budget was not looked at.
 */
#include "configs.h"

#include "base/str.h"

#define HOLD "onEdit: hold,"
#define REPAIR "onEdit: repair,"
#define ABORT "onEdit: abort,"

static const struct config configs[] = {
    /* what goes wrong with airisd and its writes */
    {"host", "", .full = 2, .asks = true, .budget = {[CRASHES] = 1, [ANSWERS] = 1}},
    {"host, by time", "", .full = 2, .budget = {[CRASHES] = 1}},
    {"subset", "", .full = 2, .subset = true, .asks = true,
	.budget = {[CRASHES] = 1, [ANSWERS] = 1}},
    {"subset, by time", "", .full = 2, .subset = true, .budget = {[ANSWERS] = 1}},
    {"host, HPA", "", .full = 2, .hpa = true, .asks = true, .budget = {[CRASHES] = 1}},
    {"host, outage", "", .full = 1, .asks = true, .budget = {[OUTAGES] = 1, [ANSWERS] = 1}},
    {"subset, outage", "", .full = 2, .subset = true, .asks = true, .budget = {[OUTAGES] = 1}},
    /* with pods */
    {"host, one pod", "", .full = 1, .asks = true, .budget = {[FLIPS] = 1, [ANSWERS] = 1}},
    {"host, three pods", "", .full = 3, .asks = true, .budget = {[FLIPS] = 1}},
    {"subset, two pods", "", .full = 2, .subset = true, .asks = true, .budget = {[FLIPS] = 1}},
    {"host, the canary never gets ready", "", .full = 2, .asks = true, .never_canary = true,
	.budget = {[CRASHES] = 1, [ANSWERS] = 1, [FLIPS] = 1}},
    {"host, the promotion never gets ready", "", .full = 2, .asks = true, .never_stable = true,
	.budget = {[CRASHES] = 1, [FLIPS] = 1}},
    {"host, the promotion cannot start", "", .full = 2, .never_stable = true, .fatal = true,
	.budget = {[ANSWERS] = 1, [FLIPS] = 1}},
    /* with people */
    {"host, edits are held", HOLD, .full = 2, .asks = true, .budget = {[EDITS] = 1}},
    {"host, edits are repaired", REPAIR, .full = 2, .asks = true, .budget = {[EDITS] = 1}},
    {"host, edits abort", ABORT, .full = 1, .asks = true, .budget = {[EDITS] = 1}},
    {"subset, edits are held", HOLD, .full = 1, .subset = true, .budget = {[EDITS] = 1}},
    {"host, commands", "", .full = 2, .asks = true, .commands = true, .budget = {[COMMANDS] = 2}},
    {"subset, a gate", "", .full = 2, .subset = true, .asks = true, .gate = true, .commands = true,
	.budget = {[COMMANDS] = 1}},
    /* two colours */
    {"colours", "", .full = 2, .colours = true, .budget = {[CRASHES] = 1, [ANSWERS] = 1}},
    {"colours, pods die", "", .full = 2, .colours = true, .budget = {[FLIPS] = 1}},
    {"colours, outage", "", .full = 2, .colours = true, .budget = {[OUTAGES] = 1}},
    {"colours, commands", "", .full = 2, .colours = true, .commands = true,
	.budget = {[COMMANDS] = 2}},
    {"colours, green never gets ready", "", .full = 2, .colours = true, .never_canary = true,
	.budget = {[CRASHES] = 1, [ANSWERS] = 1, [FLIPS] = 1}},
    {"colours by weights", "", .full = 2, .colours = true, .weighs = true, .asks = true,
	.budget = {[CRASHES] = 1, [ANSWERS] = 1}},
    {"colours by weights, by time", "", .full = 2, .colours = true, .weighs = true,
	.budget = {[ANSWERS] = 1}},
    {"colours by weights, pods die", "", .full = 2, .colours = true, .weighs = true, .asks = true,
	.budget = {[FLIPS] = 1}},
    {"colours by weights, outage", "", .full = 2, .colours = true, .weighs = true, .asks = true,
	.budget = {[OUTAGES] = 1}},
    {"colours by weights, edits are held", HOLD, .full = 2, .colours = true, .weighs = true,
	.asks = true, .budget = {[EDITS] = 1}},
    {"colours by weights, commands", "", .full = 2, .colours = true, .weighs = true, .asks = true,
	.commands = true, .budget = {[COMMANDS] = 2}},
    /* one that rolls */
    {"rolls", "", .full = 2, .rolls = true, .budget = {[CRASHES] = 1, [ANSWERS] = 1}},
    {"rolls, three pods", "", .full = 3, .rolls = true, .budget = {[CRASHES] = 1}},
    {"rolls, one pod", "", .full = 1, .rolls = true, .budget = {[ANSWERS] = 1, [FLIPS] = 1}},
    {"rolls, pods die", "", .full = 2, .rolls = true, .budget = {[FLIPS] = 1}},
    {"rolls, the release never gets ready", "", .full = 2, .rolls = true, .never_stable = true,
	.budget = {[CRASHES] = 1, [ANSWERS] = 1, [FLIPS] = 1}},
    {"rolls, outage", "", .full = 2, .rolls = true, .budget = {[OUTAGES] = 1, [ANSWERS] = 1}},
    {"rolls, edits are held", HOLD, .full = 2, .rolls = true, .budget = {[EDITS] = 1}},
    {"rolls, edits are repaired", REPAIR, .full = 2, .rolls = true, .budget = {[EDITS] = 1}},
    {"rolls, edits abort", ABORT, .full = 2, .rolls = true, .budget = {[EDITS] = 1}},
    {"rolls, commands", "", .full = 2, .rolls = true, .commands = true, .budget = {[COMMANDS] = 2}},
    {"by ordinals", "", .full = 2, .rolls = true, .ordinals = true,
	.budget = {[CRASHES] = 1, [ANSWERS] = 1}},
    {"by ordinals, pods die", "", .full = 3, .rolls = true, .ordinals = true,
	.budget = {[FLIPS] = 1}},
    {"by ordinals, the release never gets ready", "", .full = 2, .rolls = true, .ordinals = true,
	.never_stable = true, .budget = {[CRASHES] = 1, [ANSWERS] = 1, [FLIPS] = 1}},
    {"by ordinals, outage", "", .full = 2, .rolls = true, .ordinals = true,
	.budget = {[OUTAGES] = 1, [ANSWERS] = 1}},
    {"by nodes", "", .full = 3, .rolls = true, .nodes = true,
	.budget = {[CRASHES] = 1, [ANSWERS] = 1}},
    {"by nodes, pods die", "", .full = 3, .rolls = true, .nodes = true, .budget = {[FLIPS] = 1}},
    {"by nodes, the release never gets ready", "", .full = 2, .rolls = true, .nodes = true,
	.never_stable = true, .budget = {[CRASHES] = 1, [ANSWERS] = 1, [FLIPS] = 1}},
    {"by nodes, outage", "", .full = 2, .rolls = true, .nodes = true,
	.budget = {[OUTAGES] = 1, [ANSWERS] = 1}},
    {"by nodes, edits are repaired", REPAIR, .full = 2, .rolls = true, .nodes = true,
	.budget = {[EDITS] = 1}},
    {"a backup first", "", .full = 2, .rolls = true, .backup = true,
	.budget = {[CRASHES] = 1, [ANSWERS] = 1, [FLIPS] = 1}},
    {"a backup first, by nodes, commands", "", .full = 2, .rolls = true, .nodes = true,
	.backup = true, .commands = true, .budget = {[COMMANDS] = 2, [FLIPS] = 1}},
    {"a backup first, by ordinals, its Job is deleted", "", .full = 2, .rolls = true,
	.ordinals = true, .backup = true, .budget = {[FLIPS] = 1, [ANSWERS] = 1}},
    /* two things at once: the long form */
    {"host, three pods", "", .full = 3, .asks = true, .budget = {[CRASHES] = 1, [ANSWERS] = 1},
	.full_only = true},
    {"subset, three pods", "", .full = 3, .subset = true, .asks = true,
	.budget = {[FLIPS] = 1, [ANSWERS] = 1}, .full_only = true},
    {"host, two pods", "", .full = 2, .asks = true, .budget = {[FLIPS] = 2}, .full_only = true},
    {"host, HPA, by time", "", .full = 2, .hpa = true,
	.budget = {[FLIPS] = 1, [ANSWERS] = 1, [CRASHES] = 1}, .full_only = true},
    {"host, outage", "", .full = 2, .asks = true, .budget = {[FLIPS] = 1, [OUTAGES] = 1},
	.full_only = true},
    {"subset, edits are repaired", REPAIR, .full = 2, .subset = true, .asks = true,
	.budget = {[EDITS] = 1}, .full_only = true},
    {"host, edits and a crash", HOLD, .full = 2, .asks = true,
	.budget = {[EDITS] = 1, [CRASHES] = 1}, .full_only = true},
    {"host, edits and commands", REPAIR, .full = 2, .asks = true, .commands = true,
	.budget = {[EDITS] = 1, [COMMANDS] = 1}, .full_only = true},
    /* with a stable side that shrinks; here, as mutants name worlds by their numbers */
    {"host, shrinks", "", .full = 2, .shrinks = true, .asks = true,
	.budget = {[CRASHES] = 1, [ANSWERS] = 1}},
    {"host, shrinks, by time", "", .full = 2, .shrinks = true, .budget = {[ANSWERS] = 1}},
    {"host, shrinks, pods die", "", .full = 2, .shrinks = true, .asks = true,
	.budget = {[FLIPS] = 1}},
    {"subset, shrinks, outage", "", .full = 2, .subset = true, .shrinks = true, .asks = true,
	.budget = {[OUTAGES] = 1}},
    {"host, shrinks, edits are held", HOLD, .full = 2, .shrinks = true, .asks = true,
	.budget = {[EDITS] = 1}},
    {"host, shrinks, commands", "", .full = 2, .shrinks = true, .asks = true, .commands = true,
	.budget = {[COMMANDS] = 2}},
};

int
configs_count(void)
{
	return (int)(sizeof(configs) / sizeof(configs[0]));
}

const struct config *
configs_get(int number)
{
	return &configs[number];
}

void
configs_budget(const struct config *config, char *to, size_t size)
{
	static const char *const names[BUDGETS] = {
	    "crash", "failed write", "edit", "dying pod or Job", "outage", "command"};
	struct str text;
	str_init(&text, size - 1);
	for (int i = 0; i < BUDGETS; i++)
		if (config->budget[i] > 0)
			str_addf(&text, "%s%d %s", text.length > 0 ? ", " : "", config->budget[i],
			    names[i]);
	str_copy(to, size, text.length > 0 ? str_text(&text) : "no fault");
	str_done(&text);
}
