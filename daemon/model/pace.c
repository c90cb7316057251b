/* A workload's pace: held, or its own. */
#include "model/pace.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

bool
pace_is_known(const struct pace *pace)
{
	return pace->ordinals || pace->nodes || pace->surge[0] != '\0' ||
	       pace->unavailable[0] != '\0';
}

bool
pace_is_held(const struct pace *pace)
{
	if (pace->ordinals || pace->nodes)
		return pace->by_hand || pace->partition > 0;
	return pace->min_ready_s == PACE_HELD_S && strchr(pace->surge, '%') == NULL &&
	       strchr(pace->unavailable, '%') == NULL;
}

static int
amount(const char *text)
{
	long number = strtol(text, NULL, 10);

	return number < 0 ? 0 : number > INT_MAX / 2 ? INT_MAX / 2 : (int)number;
}

static int
above_partition(const struct pace *pace, int size)
{
	return size > pace->partition ? size - pace->partition : 0;
}

int
pace_new(const struct pace *pace, int size)
{
	if (pace->ordinals)
		return above_partition(pace, size);
	return pace_is_held(pace) ? amount(pace->surge) + amount(pace->unavailable) : 0;
}

int
pace_gone(const struct pace *pace, int size)
{
	if (pace->ordinals)
		return above_partition(pace, size);
	return pace_is_held(pace) ? amount(pace->unavailable) : 0;
}

/* Absent is what the API server takes it for. */
static int
seconds(int given, int otherwise)
{
	return given < 0 ? otherwise : given;
}

bool
pace_same(const struct pace *a, const struct pace *b)
{
	if (a->ordinals || b->ordinals || a->nodes || b->nodes)
		return a->ordinals == b->ordinals && a->partition == b->partition &&
		       a->nodes == b->nodes && a->by_hand == b->by_hand;
	return strcmp(a->surge, b->surge) == 0 && strcmp(a->unavailable, b->unavailable) == 0 &&
	       seconds(a->min_ready_s, 0) == seconds(b->min_ready_s, 0) &&
	       seconds(a->deadline_s, 600) == seconds(b->deadline_s, 600);
}

int
pace_share(const struct share_spec *spec, int size)
{
	int64_t pods = spec->percent ? ((int64_t)spec->number * size + 99) / 100 : spec->number;

	return pods > INT_MAX ? INT_MAX : (int)pods;
}

struct pace
pace_hold(int number, int surge)
{
	struct pace pace = {.min_ready_s = PACE_HELD_S, .deadline_s = INT_MAX};
	int above = number < surge ? number : surge;

	str_print(pace.surge, sizeof(pace.surge), "%d", above);
	str_print(pace.unavailable, sizeof(pace.unavailable), "%d", number - above);
	return pace;
}

struct pace
pace_hold_ordinals(int number, int size)
{
	return (struct pace){.min_ready_s = -1,
	    .deadline_s = -1,
	    .ordinals = true,
	    .partition = number < size ? size - number : 0};
}

struct pace
pace_hold_nodes(void)
{
	return (struct pace){.min_ready_s = -1, .deadline_s = -1, .nodes = true, .by_hand = true};
}

void
pace_text(const struct pace *pace, char *to, size_t size)
{
	if (pace->nodes) {
		str_copy(to, size, pace->by_hand ? "OnDelete" : "RollingUpdate");
		return;
	}
	if (pace->ordinals) {
		str_print(to, size, "partition %d", pace->partition);
		return;
	}
	str_print(to, size, "maxSurge %s, maxUnavailable %s, minReadySeconds %d", pace->surge,
	    pace->unavailable, seconds(pace->min_ready_s, 0));
}
