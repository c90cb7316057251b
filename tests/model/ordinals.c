/* The small world's StatefulSet; tests/simulation/ordinals.c has a larger one. */
#include "ordinals.h"

#include <string.h>
#include "base/str.h"
#include "world.h"

int
ordinals_seat(enum image image)
{
	return image == IMAGE_NEW ? SEAT_NEW : SEAT_OLD;
}

bool
ordinals_is_ready(const struct cluster *c, int i)
{
	return (c->seats[i] & SEAT_READY) != 0;
}

bool
ordinals_is_of(const struct cluster *c, int i, enum image image)
{
	return (c->seats[i] & ordinals_seat(image)) != 0;
}

static int
partition(const struct cluster *c)
{
	return c->held > 0 ? c->stable_size - c->held : 0;
}

/* The sums by image, from which all else is seen. */
static void
add_up(struct cluster *c)
{
	c->old_pods = c->old_ready = c->new_pods = c->new_ready = 0;
	for (int i = 0; i < c->stable_size; i++) {
		c->old_pods += ordinals_is_of(c, i, IMAGE_OLD);
		c->new_pods += ordinals_is_of(c, i, IMAGE_NEW);
		c->old_ready += ordinals_is_of(c, i, IMAGE_OLD) && ordinals_is_ready(c, i);
		c->new_ready += ordinals_is_of(c, i, IMAGE_NEW) && ordinals_is_ready(c, i);
	}
}

void
ordinals_begin(struct cluster *c, int size)
{
	for (int i = 0; i < size; i++)
		c->seats[i] = SEAT_OLD | SEAT_READY;
	add_up(c);
}

/* The known endpoints go first: the worst that can happen. */
void
ordinals_set(struct state *s, int i, int seat)
{
	struct cluster *c = &s->c;
	uint8_t *ends = ordinals_is_of(c, i, IMAGE_NEW) ? &s->m.new_ends : &s->m.old_ends;
	if (ordinals_is_ready(c, i) && (seat & SEAT_READY) == 0)
		*ends -= *ends > 0;
	c->seats[i] = (uint8_t)seat;
	add_up(c);
	if (seat == 0 || (seat & SEAT_READY) != 0)
		world_touch(s, ON_POD);
}

bool
ordinals_step(struct state *s)
{
	struct cluster *c = &s->c;
	for (int i = 0; i < c->stable_size; i++) {
		if (c->seats[i] == 0) {
			ordinals_set(s, i,
			    i < partition(c) ? SEAT_OLD : ordinals_seat((enum image)c->image));
			return true;
		}
		if (!ordinals_is_ready(c, i))
			return false;
	}
	for (int i = c->stable_size - 1; i >= partition(c); i--)
		if (!ordinals_is_of(c, i, (enum image)c->image)) {
			ordinals_set(s, i, 0);
			return true;
		}
	return false;
}

bool
ordinals_turns(struct state *s, enum image image, bool last, bool ready)
{
	struct cluster *c = &s->c;
	int found = -1;
	for (int i = 0; i < c->stable_size; i++)
		if (ordinals_is_of(c, i, image) && ordinals_is_ready(c, i) != ready &&
		    (found < 0 || last))
			found = i;
	if (found < 0)
		return false;
	ordinals_set(s, found, ordinals_seat(image) | (ready ? SEAT_READY : 0));
	return true;
}

int
ordinals_stuck(const struct cluster *c)
{
	for (int i = c->stable_size - 1; i >= partition(c) && c->ordinals; i--)
		if (c->seats[i] != 0 && !ordinals_is_ready(c, i) &&
		    !ordinals_is_of(c, i, (enum image)c->image))
			return i;
	return -1;
}

enum act_outcome
ordinals_delete(struct state *s, const struct act *act)
{
	int i = act->text[strlen("web-")] - '0';
	if (s->c.seats[i] == 0)
		return ACT_ALREADY;
	if (ordinals_is_ready(&s->c, i))
		return ACT_CONFLICT;
	ordinals_set(s, i, 0);
	return ACT_DONE;
}

static int
broken_last(const struct cluster *c)
{
	int broken = 0;
	for (int i = c->stable_size - 1; i >= 0; i--) {
		if (ordinals_is_of(c, i, IMAGE_NEW))
			continue;
		if (ordinals_is_ready(c, i))
			break;
		broken++;
	}
	return broken;
}

void
ordinals_see(const struct cluster *c, struct workload_seen *seen)
{
	int stuck = ordinals_stuck(c);
	seen->pace = (struct pace){.ordinals = true, .partition = partition(c)};
	seen->broken_last = broken_last(c);
	if (stuck >= 0)
		str_print(seen->stuck, sizeof(seen->stuck), "web-%d", stuck);
}

int
ordinals_taken(const struct cluster *c, int number, int *missing)
{
	int taken = 0;
	*missing = 0;
	for (int i = 0; i < c->stable_size; i++) {
		bool goes = i >= c->stable_size - number && ordinals_is_of(c, i, IMAGE_OLD);
		taken += goes && ordinals_is_ready(c, i);
		*missing += !ordinals_is_ready(c, i);
	}
	return taken;
}
