/* The engine from start to end: healthy, aborted, commanded, crashed; journal first, effect second,
 * answer last. */
#include "engine_world.h"
#include "virtual_loop.h"

static void
a_healthy_release_goes_to_its_end(void **state) /* I7, I13 */
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct world *w = world_new(seed, "");
		const char *id = world_start(w, "web:2");
		world_until_phase(w, id, PHASE_SUCCEEDED);
		world_home(w, "web:2");
		assert_int_equal(world_events(w, id, "phase"), 2);
		world_check_journal(w, id);
		world_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_healthy_release_goes_to_its_end),
	};
	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
