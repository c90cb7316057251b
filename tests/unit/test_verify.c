/* engine_verify: a journal that says two different things is told of, each in one sentence; also
 * how a rollout is read back from events that are damaged. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/engine_room.h"
#include "engine/verify.h"

#define SPEC                                                                                       \
	"{\"kind\": \"App\", \"name\": \"web\", \"namespace\": \"shop\","                          \
	" \"workload\": {\"name\": \"web\"}, \"traffic\": {\"istio\": {\"virtualService\":"        \
	" \"web\"}}, \"strategy\": {\"canary\": {\"weights\": [50]}}}"
#define CREATED                                                                                    \
	"{\"app\": " SPEC ", \"release\": {\"app\": \"web\", \"number\": 2, \"image\": "           \
	"\"web:2\"}}"

/* A journal of one app and one rollout with one event. */
struct lab {
	struct journal_row app, rollout, event;
	char *summary;
	struct str found;
	int64_t rollouts;
	int fails; /* reading events */
};

static int
apps(void *ctx, journal_each *each, void *each_ctx, struct err *e)
{
	struct lab *lab = ctx;
	(void)e;
	each(each_ctx, &lab->app);
	return 0;
}

static int
rollouts(void *ctx, const struct journal_filter *filter, journal_each *each, void *each_ctx,
    struct err *e)
{
	struct lab *lab = ctx;
	(void)filter;
	(void)e;
	each(each_ctx, &lab->rollout);
	return 0;
}

static int
events(void *ctx, const char *rollout, int64_t after_seq, int limit, journal_each *each,
    void *each_ctx, struct err *e)
{
	struct lab *lab = ctx;
	(void)rollout;
	(void)limit;
	if (lab->fails)
		return err_set(e, "the disk is ill");
	if (lab->event.name != NULL && after_seq < lab->event.seq)
		each(each_ctx, &lab->event);
	return 0;
}

static struct journal_port
port_of(struct lab *lab)
{
	return (struct journal_port){
	    .ctx = lab, .apps = apps, .rollouts = rollouts, .events = events};
}

static void
begin(struct lab *lab)
{
	struct rollout *r;
	struct err e;
	*lab = (struct lab){.app = {.key = "web", .text = SPEC},
	    .rollout =
		{.key = "r-1", .app = "web", .cluster = "default", .name = "queued", .number = 2},
	    .event = {.seq = 1, .at_ms = 1000, .name = "created", .actor = "", .text = CREATED}};
	struct journal_port port = port_of(lab);
	assert_int_equal(recover_rollout(&port, "r-1", &r, &e), 0);
	lab->summary = summary_text(r);
	lab->rollout.text = lab->summary;
	rollout_free(r);
	str_init(&lab->found, 0);
}

static void
finding(void *ctx, const char *text)
{
	struct lab *lab = ctx;
	str_addf(&lab->found, "%s\n", text);
}

/* Looks, and ends the lab. why NULL: nothing is found; otherwise one thing, and that. */
static void
expect(struct lab *lab, const char *why)
{
	struct journal_port port = port_of(lab);
	int count = engine_verify(&port, finding, lab, &lab->rollouts);
	assert_int_equal(lab->rollouts, 1);
	if (count != (why != NULL) || (why && strstr(str_text(&lab->found), why) == NULL))
		fail_msg("%d found: %s; expected: %s", count, str_text(&lab->found), why);
	str_done(&lab->found);
	free(lab->summary);
}

static void
what_agrees_is_sound(void **state)
{
	(void)state;
	struct lab lab;
	begin(&lab);
	expect(&lab, NULL);
}

static void
a_row_that_is_not_as_its_events_is_told(void **state)
{
	(void)state;
	struct lab lab;
	begin(&lab);
	lab.rollout.name = "succeeded";
	expect(&lab, "rollout r-1: its row says phase succeeded, its events say queued");
	begin(&lab);
	lab.rollout.app = "shop";
	expect(&lab, "its row says app shop, its events say web");
	begin(&lab);
	lab.rollout.cluster = NULL;
	expect(&lab, "its row says cluster none, its events say default");
	begin(&lab);
	lab.rollout.number = 3;
	expect(&lab, "its row says release 3, its events say 2");
	begin(&lab);
	lab.rollout.final = true;
	expect(&lab, "its row says that it has ended, its events say queued");
}

static void
so_is_a_line_of_the_list(void **state)
{
	(void)state;
	struct lab lab;
	begin(&lab);
	lab.rollout.text = "{\"weight\": 50, \"of a later version\": 1}";
	expect(&lab, "its row says weight 50, its events say 0");
	begin(&lab);
	lab.rollout.text = "{";
	expect(&lab, "its row in the list is damaged");
	begin(&lab);
	lab.rollout.text = "[]";
	expect(&lab, "its row in the list is damaged: no object");
}

static void
what_cannot_be_read_back_is_told(void **state) /* I14 */
{
	(void)state;
	struct lab lab;
	begin(&lab);
	lab.event.text = "{";
	expect(&lab, "rollout r-1: event 1 is damaged");
	begin(&lab);
	lab.event.name = "dreamt";
	expect(&lab, "event 1 is of kind \"dreamt\", which this version does not know");
	begin(&lab);
	lab.event.name = "stage";
	expect(&lab, "begins with \"created\", once");
	begin(&lab);
	lab.event.text = "{\"app\": {}, \"release\": {}}";
	expect(&lab, "the app in the journal is not valid");
	begin(&lab);
	lab.event.name = NULL;
	expect(&lab, "rollout r-1: no rollout r-1");
	begin(&lab);
	lab.fails = true;
	expect(&lab, "the disk is ill");
	begin(&lab);
	lab.app.text = "{}";
	expect(&lab, "app web in the database is not valid");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_agrees_is_sound),
	    cmocka_unit_test(a_row_that_is_not_as_its_events_is_told),
	    cmocka_unit_test(so_is_a_line_of_the_list),
	    cmocka_unit_test(what_cannot_be_read_back_is_told),
	};
	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
