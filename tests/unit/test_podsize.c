/* What the scheduler counts for a pod: quantities, and their sums. */
#include "cluster_objects.h"

#include <math.h>
#include "cluster/podsize.h"

static double
quantity(const char *json)
{
	json_t *list = J(json);
	double value = podsize_quantity(json_array_get(list, 0));

	json_decref(list);
	return value;
}

static void
quantities_are_those_of_kubernetes(void **state)
{
	static const struct {
		const char *json;
		double value;
	} cases[] = {{"['500m']", 0.5}, {"['1.5Gi']", 1610612736}, {"['2']", 2}, {"[3]", 3},
	    {"['1e3']", 1000}, {"['1E']", 1e18}, {"['128k']", 128000}, {"['0']", 0}, {"['']", -1},
	    {"['-1']", -1}, {"['0x10']", -1}, {"['inf']", -1}, {"['nan']", -1}, {"['5Zi']", -1},
	    {"[null]", -1}, {"[-1]", -1}, {"['1 Gi']", -1}, {"['1e999']", -1}, {"['100m']", 0.1},
	    {"['1.5']", 1.5}, {"['128974848']", 128974848}, {"['129e6']", 129e6},
	    {"['129M']", 129e6}, {"['123Mi']", 128974848}, {"['2T']", 2e12}, {"['2P']", 2e15},
	    {"['3Ei']", 3 * 0x1p60}, {"['.5']", 0.5}, {"['.']", -1}, {"['m']", -1},
	    {"['1.2.3']", -1}, {"['1e']", -1}, {"['1mm']", -1}, {"['1 ']", -1}, {"[true]", -1},
	    {"[{}]", -1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (fabs(quantity(cases[i].json) - cases[i].value) > fabs(cases[i].value) * 1e-9)
			fail_msg("%s: %g", cases[i].json, quantity(cases[i].json));
	assert_true(podsize_quantity(NULL) < 0);
}

static double
size(const char *spec, enum podsize_what what)
{
	json_t *json = J(spec);
	double value = podsize_of(json, what);

	json_decref(json);
	return value;
}

#define CPU(text) "{'resources': {'requests': {'cpu': '" text "'}}}"
#define SIDECAR(text) "{'restartPolicy': 'Always', 'resources': {'requests': {'cpu': '" text "'}}}"

static void
a_pod_is_the_sum_of_its_containers(void **state)
{
	static const struct {
		const char *spec;
		double cpu;
	} cases[] = {
	    {"{'containers': [{}]}", 0},
	    {"{'containers': [" CPU("1") ", " CPU("500m") ", {}]}", 1.5},
	    {"{'containers': [{'resources': {'limits': {'cpu': 2}}}]}", 2}, /* is a request too */
	    {"{'containers': [{'resources': {'limits': {'cpu': 2}, 'requests': {'cpu': 1}}}]}", 1},
	    /* Those before them run one by one, but sidecars stay. */
	    {"{'containers': [" CPU("1") "], 'initContainers': [" CPU("3") ", " CPU("2") "]}", 3},
	    {"{'containers': [" CPU("1") "], 'initContainers': [" SIDECAR("2") "]}", 3},
	    {"{'containers': [" CPU("1") "], 'initContainers': [" SIDECAR("1") ", " CPU("3") "]}",
		4},
	    {"{'containers': [" CPU("1") "], 'initContainers': [" CPU("3") ", " SIDECAR("1") "]}",
		3},
	    {"{'containers': [" CPU("1") "], 'overhead': {'cpu': '250m'}}", 1.25},
	    /* Of the whole pod: what the containers say does not count. */
	    {"{'containers': [" CPU("1") "], 'resources': {'requests': {'cpu': '4'}}}", 4},
	    /* One that cannot be read, wherever it is, is not nothing. */
	    {"{'containers': [" CPU("1") ", " CPU("lots") "]}", -1},
	    {"{'containers': [" CPU("1") "], 'initContainers': [" CPU("-1") ", " CPU("2") "]}", -1},
	    {"{'containers': [" CPU("1") "], 'overhead': {'cpu': 'x'}}", -1},
	    {"{'containers': [" CPU("1") "], 'resources': {'requests': {'cpu': ''}}}", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (fabs(size(cases[i].spec, ROOM_CPU) - cases[i].cpu) > 1e-9)
			fail_msg("%s: %g", cases[i].spec, size(cases[i].spec, ROOM_CPU));
	assert_true(podsize_of(NULL, ROOM_CPU) == 0);
}

static void
limits_are_no_requests(void **state)
{
	static const char *const spec = "{'containers': [{'resources': {'requests': {'memory': "
					"'1Gi'}, 'limits': {'cpu': 2}}}], "
					"'overhead': {'cpu': 1, 'memory': '64Mi'}}";

	(void)state;
	assert_true(size(spec, ROOM_MEMORY) == 0x1p30 + 64 * 0x1p20);
	assert_true(size(spec, ROOM_MEMORY_LIMIT) == 0);
	assert_true(size(spec, ROOM_CPU_LIMIT) == 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quantities_are_those_of_kubernetes),
	    cmocka_unit_test(a_pod_is_the_sum_of_its_containers),
	    cmocka_unit_test(limits_are_no_requests),
	};
	return cmocka_run_group_tests_name("podsize", tests, NULL, NULL);
}
