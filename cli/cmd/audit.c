/* audit list and export. */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/jsonx.h"
#include "cmd/audit.h"
#include "cmd/chain.h"
#include "cmd/cmd.h"
#include "show/table.h"
#include "show/when.h"

enum { DEFAULT_LIMIT = 50 };

/* --- list ------------------------------------------------------------------------------------- */

static char *
list_path(const struct args *args, int64_t before, int64_t limit)
{
	static const enum flag_id filters[] = {FLAG_APP, FLAG_ROLLOUT, FLAG_WHO};
	struct str path;

	str_init(&path, 0);
	str_addf(&path, "/v1/audit?before=%" PRId64 "&limit=%" PRId64, before,
	    limit < AUDIT_PAGE ? limit : AUDIT_PAGE);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (!args_given(args, filters[i]))
			continue;
		char *value = path_format("%", args->values[filters[i]]);
		str_addf(&path, "&%s=%s", flags[filters[i]].name, value);
		free(value);
	}
	return str_take(&path);
}

/* False: enough. */
static bool
take_rows(json_t *all, const json_t *page, int64_t limit, int64_t since_ms)
{
	const json_t *row;
	int64_t at_ms;
	size_t i;

	json_array_foreach(json_object_get(page, "items"), i, row)
	{
		if ((int64_t)json_array_size(all) == limit)
			return false;
		if (since_ms != 0 && when_at(row, "at", &at_ms) && at_ms < since_ms)
			return false;
		json_array_append(all, (json_t *)row);
	}
	return json_is_integer(json_object_get(page, "next"));
}

static int
collect(struct cli *cli, int64_t limit, int64_t since_ms, json_t *all)
{
	int64_t before = INT64_MAX;
	bool more = true;

	while (more) {
		char *path = list_path(cli->args, before, limit - (int64_t)json_array_size(all));
		struct answer answer;
		int code = cmd_get(cli, path, &answer);

		free(path);
		if (code != CODE_OK)
			return code;
		more = take_rows(all, answer.json, limit, since_ms);
		before = jsonx_int(answer.json, "next", 0);
		answer_done(&answer);
		more = more && (int64_t)json_array_size(all) < limit;
	}
	return CODE_OK;
}

/* "shop/cart r-…" */
static void
object_text(const json_t *row, char *to, size_t size)
{
	const char *namespace = jsonx_text_or(row, "namespace", ""),
		   *app = jsonx_text_or(row, "app", ""),
		   *rollout = jsonx_text_or(row, "rollout", "");

	str_print(to, size, "%s%s%s%s%s", namespace, *namespace == '\0' ? "" : "/", app,
	    *app == '\0' || *rollout == '\0' ? "" : " ", rollout);
}

static void
print(const struct cli *cli, const json_t *rows)
{
	static const char *const heads[] = {
	    "SEQ", "AT", "WHO", "WHAT", "ON", "OUTCOME", "WHY", "DETAIL", "FROM"};
	struct table *table = table_new(&cli->paint, 9);
	char at[WHEN_SIZE], object[512];
	const json_t *row;
	int64_t at_ms;
	size_t i;

	for (i = 0; i < 9; i++)
		table_add(table, DIM, heads[i]);
	table_right(table, 0);
	json_array_foreach(rows, i, row)
	{
		at[0] = '\0';
		if (when_at(row, "at", &at_ms))
			when_clock(at_ms, client_now_ms(cli->client), at);
		object_text(row, object, sizeof(object));
		table_addf(table, DIM, "%lld", (long long)jsonx_int(row, "seq", 0));
		table_add(table, DIM, at);
		table_add(table, BOLD, jsonx_text_or(row, "who", ""));
		table_add(table, PLAIN, jsonx_text_or(row, "what", ""));
		table_add(table, PLAIN, object);
		table_add(table, PLAIN, jsonx_text_or(row, "outcome", ""));
		table_add(table, PLAIN, jsonx_text_or(row, "why", ""));
		table_add(table, PLAIN, jsonx_text_or(row, "detail", ""));
		table_add(table, DIM, jsonx_text_or(row, "from", ""));
	}
	out_table(&cli->paint, table);
	table_free(table);
}

static int
run_list(struct cli *cli)
{
	int64_t limit = DEFAULT_LIMIT, since_ms = 0;
	json_t *list = json_pack("{s:[]}", "items");
	int code;

	if (args_given(cli->args, FLAG_LIMIT) &&
	    str_number(cli->args->values[FLAG_LIMIT], 1, INT32_MAX, &limit) < 0)
		limit = DEFAULT_LIMIT;
	if (args_given(cli->args, FLAG_SINCE) &&
	    str_duration(cli->args->values[FLAG_SINCE], &since_ms) == 0)
		since_ms = client_now_ms(cli->client) - since_ms;
	code = collect(cli, limit, since_ms, json_object_get(list, "items"));
	if (code == CODE_OK && !cmd_print(cli, list)) {
		if (json_array_size(json_object_get(list, "items")) == 0)
			out_text("no such rows\n");
		else
			print(cli, json_object_get(list, "items"));
	}
	json_decref(list);
	return code;
}

/* --- pages, oldest first ---------------------------------------------------------------------- */

static void
say_progress(int64_t seq, int64_t all, bool over)
{
	struct str text;

	if (isatty(STDERR_FILENO) != 1 || all <= AUDIT_PAGE)
		return;
	str_init(&text, 0);
	if (over)
		str_add(&text, "\r                              \r");
	else
		str_addf(&text, "\r%" PRId64 " of %" PRId64 " rows", seq, all);
	out_to(STDERR_FILENO, &text);
	str_done(&text);
}

/* Until the head that there was at the beginning: what comes meanwhile is not waited for. */
int
audit_walk(struct cli *cli, bool (*each)(void *ctx, const json_t *page, bool first), void *ctx)
{
	int64_t seq = 0, head = 0;
	bool first = true;

	do {
		char *path =
		    str_format("/v1/audit?after=%" PRId64 "&limit=%d", seq, (int)AUDIT_PAGE);
		struct answer answer;
		int code = cmd_get(cli, path, &answer);

		free(path);
		if (code != CODE_OK)
			return code;
		if (first)
			head = jsonx_int(answer.json, "head.seq", 0);
		bool go_on = each(ctx, answer.json, first);
		seq = jsonx_int(answer.json, "next", 0);
		first = false;
		answer_done(&answer);
		say_progress(seq, head, seq == 0 || !go_on);
		if (!go_on)
			return CODE_FAILED;
	} while (seq > 0 && seq < head);
	return CODE_OK;
}

/* --- export ----------------------------------------------------------------------------------- */

static void
out_json(const json_t *value)
{
	char *line = json_dumps(value, JSON_COMPACT);
	struct str text;

	str_init(&text, 0);
	str_addf(&text, "%s\n", line);
	free(line);
	out_str(&text);
	str_done(&text);
}

static bool
export_page(void *ctx, const json_t *page, bool first)
{
	struct walk *walk = ctx;
	const json_t *items = json_object_get(page, "items"), *row;
	struct err why;
	size_t i;

	if (first) {
		json_t *head = json_pack(
		    "{s:s, s:s}", "airis_audit", "1", "chain", jsonx_text_or(page, "chain", ""));
		out_json(head);
		json_decref(head);
		if (walk_begin(walk, jsonx_text(page, "chain"), &why) < 0) {
			complain("%s", why.text);
			return false;
		}
	}
	json_array_foreach(items, i, row) out_json(row);
	if (walk_rows(walk, items, &why) == 0)
		return true;
	complain("the audit does not hold: %s; what was exported ends there", why.text);
	return false;
}

static int
run_export(struct cli *cli)
{
	struct walk walk = {.seq = 0};
	char hash[CHAIN_HEX];
	int code = audit_walk(cli, export_page, &walk);

	chain_hex(walk.hash, hash);
	if (code == CODE_OK)
		complain("%" PRId64 " rows; keep this head elsewhere: %s@%" PRId64, walk.seq, hash,
		    walk.seq);
	walk_done(&walk);
	return code;
}

const struct command cmd_audit_list = {.group = "audit",
    .name = "list",
    .operands = "",
    .flags = FLAG(APP) | FLAG(ROLLOUT) | FLAG(WHO) | FLAG(SINCE) | FLAG(LIMIT),
    .summary = "list who did what, the newest first",
    .run = run_list};

const struct command cmd_audit_export = {.group = "audit",
    .name = "export",
    .operands = "",
    .summary = "write the whole audit to standard output, a line of JSON for each row",
    .text = "Each row has its hash, so that `airisctl audit verify --file` can check it without "
	    "airisd. On standard error it says the head, the last row's hash and number: whoever "
	    "keeps that elsewhere can tell later that nothing up to it was changed.",
    .run = run_export};
