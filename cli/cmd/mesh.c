/* mesh status: how airisd knows what the mesh has taken, and what to set where it cannot ask. */
#include <time.h>
#include "base/clock.h"
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "show/table.h"
#include "show/when.h"

#define LOOKING_MS 3000
#define AGAIN_MS 200

static void
pause_a_moment(void)
{
	const struct timespec moment = {.tv_nsec = AGAIN_MS * 1000000L};

	nanosleep(&moment, NULL);
}

static bool
is_looking(const json_t *mesh)
{
	const json_t *cluster;
	size_t i;

	json_array_foreach(jsonx_at(mesh, "clusters"), i, cluster)
	{
		if (jsonx_bool(cluster, "looking", false))
			return true;
	}
	return false;
}

/* Asking makes airisd look; a moment later it has seen. */
static int
ask(struct cli *cli, struct answer *answer)
{
	int64_t end_ms = clock_mono_ms() + LOOKING_MS;
	int code = cmd_get(cli, "/v1/mesh", answer);

	while (code == CODE_OK && is_looking(answer->json) && clock_mono_ms() < end_ms) {
		answer_done(answer);
		pause_a_moment();
		code = cmd_get(cli, "/v1/mesh", answer);
	}
	return code;
}

static void
add_istiod(struct table *table, const json_t *istiod)
{
	const char *error = jsonx_text_or(istiod, "error", "");
	long long waiting = jsonx_int(istiod, "waiting", 0),
		  push = jsonx_int(istiod, "lastPush", -1);
	bool asked = jsonx_int(istiod, "answered_ms", 0) > 0;

	table_add(table, PLAIN, jsonx_text_or(istiod, "url", "?"));
	table_addf(table, PLAIN, "%lld proxies", (long long)jsonx_int(istiod, "proxies", 0));
	table_addf(table, DIM, push < 0 ? "no push seen" : "last push %lld", push);
	if (*error != '\0')
		table_add(table, RED, error);
	else if (!asked)
		table_add(table, DIM, "not asked yet");
	else if (waiting > 0)
		table_addf(table, YELLOW, "%lld unconfirmed: %s", waiting,
		    jsonx_text_or(istiod, "unconfirmed", ""));
	else
		table_add(table, GREEN, "all have acknowledged what they were sent");
}

static const char *
how_text(const json_t *cluster)
{
	const char *how = jsonx_text_or(cluster, "how", "");

	if (str_equal(how, "istiod"))
		return "istiod is asked";
	return str_equal(how, "traffic") ? "traffic is looked at" : "waits by time";
}

static void
add_traffic(const struct cli *cli, const json_t *traffic, struct str *to)
{
	const char *verdict = jsonx_text_or(traffic, "verdict", "");
	int64_t looked_ms = jsonx_int(traffic, "looked_ms", 0);
	char span[WHEN_SIZE];

	if (!json_is_object(traffic))
		return;
	paint_addf(&cli->paint, to, PLAIN, "  source %s, ", jsonx_text_or(traffic, "source", "?"));
	if (looked_ms == 0) {
		paint_add(&cli->paint, to, DIM, "not looked at yet");
		str_add(to, "\n");
		return;
	}
	when_span(client_now_ms(cli->client) - looked_ms, span);
	paint_addf(&cli->paint, to, PLAIN, "last look %s ago, ", span);
	paint_addf(&cli->paint, to, str_equal(verdict, "taken") ? GREEN : YELLOW, "%s (%s)",
	    jsonx_text_or(traffic, "seen", ""), verdict);
	str_add(to, "\n");
}

static void
add_cluster(const struct cli *cli, const json_t *cluster, struct str *to)
{
	const char *advice = jsonx_text_or(cluster, "advice", "");
	const char *error = jsonx_text_or(cluster, "error", "");
	const char *assumed = jsonx_text_or(cluster, "assumed", "");
	const json_t *istiods = jsonx_at(cluster, "istiods"), *istiod;
	struct table *table = table_new(&cli->paint, 4);
	size_t i;

	paint_add(&cli->paint, to, BOLD, jsonx_text_or(cluster, "name", "?"));
	paint_addf(&cli->paint, to, PLAIN, "  %s", how_text(cluster));
	str_add(to, "\n");
	add_traffic(cli, jsonx_at(cluster, "traffic"), to);
	json_array_foreach(istiods, i, istiod) add_istiod(table, istiod);
	table_print(table, 2, to);
	table_free(table);
	if (*assumed != '\0') {
		str_add(to, "  ");
		paint_addf(&cli->paint, to, YELLOW,
		    "the last weight is only assumed for those that did not confirm it: %s",
		    assumed);
		str_add(to, "\n");
	}
	if (*error != '\0') {
		str_add(to, "  ");
		paint_add(&cli->paint, to, RED, error);
		str_add(to, "\n");
	}
	if (*advice != '\0') {
		str_add(to, "  ");
		paint_wrap(&cli->paint, to, 2, 2, advice);
	}
}

static int
run_status(struct cli *cli)
{
	const json_t *clusters, *cluster;
	struct answer answer;
	struct str text;
	size_t i;
	int code = ask(cli, &answer);

	if (code != CODE_OK)
		return code;
	if (!cmd_print_answer(cli, &answer)) {
		str_init(&text, 0);
		clusters = jsonx_at(answer.json, "clusters");
		json_array_foreach(clusters, i, cluster) add_cluster(cli, cluster, &text);
		if (json_array_size(clusters) == 0)
			str_add(&text, "no clusters are in airisd's settings\n");
		out_str(&text);
		str_done(&text);
	}
	answer_done(&answer);
	return CODE_OK;
}

const struct command cmd_mesh_status = {.group = "mesh",
    .name = "status",
    .operands = "",
    .summary = "show how airisd knows what the mesh has taken",
    .text = "For each cluster: every istiod that is asked, how many proxies it has, the last push "
	    "that was seen, and the proxies that have not acknowledged what they were sent. Where "
	    "istiod cannot be asked: the data source whose requests are looked at instead, and "
	    "what they "
	    "showed last; or what to set. Without either a change counts as taken after "
	    "mesh.settle.",
    .run = run_status};
