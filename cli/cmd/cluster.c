/* cluster status: is what is known of each cluster fresh, and who may write there? */
#include "base/jsonx.h"
#include "cmd/cmd.h"
#include "show/table.h"

static void
add_lease(struct table *table, const json_t *lease)
{
	const char *holder = jsonx_text_or(lease, "holder", "");
	const char *text = jsonx_text_or(lease, "text", "");
	long long renewed = jsonx_int(lease, "renewed_s", -1);

	if (!json_is_object(lease))
		table_add(table, DIM, "writes without a lease");
	else if (jsonx_bool(lease, "held", false))
		table_addf(table, GREEN, "holds lease %s", jsonx_text_or(lease, "name", "?"));
	else if (!jsonx_bool(lease, "wanted", false))
		table_add(table, DIM, "nothing to do there");
	else if (renewed >= 0 && *holder != '\0')
		table_addf(table, YELLOW, "writes nothing: %s; renewed %lld s ago", text, renewed);
	else
		table_addf(table, YELLOW, "writes nothing: %s", text);
}

static void
add_cluster(struct table *table, const json_t *cluster)
{
	bool fresh = jsonx_bool(cluster, "fresh", false);

	table_add(table, BOLD, jsonx_text_or(cluster, "name", "?"));
	table_add(table, PLAIN, jsonx_text_or(cluster, "server", ""));
	table_add(table, fresh ? GREEN : YELLOW,
	    fresh ? "fresh" : jsonx_text_or(cluster, "text", "not fresh"));
	add_lease(table, jsonx_at(cluster, "lease"));
}

static void
print(const struct cli *cli, const json_t *clusters)
{
	struct table *table = table_new(&cli->paint, 4);
	const json_t *cluster;
	struct str text;
	size_t i;

	str_init(&text, 0);
	json_array_foreach(clusters, i, cluster) add_cluster(table, cluster);
	if (json_array_size(clusters) == 0)
		str_add(&text, "no clusters are in airisd's settings\n");
	table_print(table, 0, &text);
	table_free(table);
	out_str(&text);
	str_done(&text);
}

static int
run_status(struct cli *cli)
{
	struct answer answer;
	int code = cmd_get(cli, "/v1/clusters", &answer);

	if (code != CODE_OK)
		return code;
	if (!cmd_print_answer(cli, &answer))
		print(cli, jsonx_at(answer.json, "clusters"));
	answer_done(&answer);
	return CODE_OK;
}

const struct command cmd_cluster_status = {.group = "cluster",
    .name = "status",
    .operands = "",
    .summary = "show whether airisd sees each cluster, and may write there",
    .text = "Of several airisd that know a cluster only the one that holds its Lease writes there. "
	    "Where this one does not hold it, it says who does, and since when that one has not "
	    "renewed it. An airisd with nothing to do in a cluster wants no lease.",
    .run = run_status};
