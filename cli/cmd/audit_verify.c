/* audit verify: of airisd, page by page, or of an exported file. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/jsonx.h"
#include "cmd/audit.h"
#include "cmd/chain.h"
#include "cmd/cmd.h"

#define LINE_BYTES ((size_t)256 << 10)
#define KEY_BYTES ((size_t)4096)
enum { FILE_ROWS = 500 };

/* --- the head that was kept elsewhere --------------------------------------------------------- */

static int
read_line(const char *line, const char *file, struct seal *want, struct err *e)
{
	struct seal_key *key = NULL;
	size_t length;
	char *text;
	int result;

	if (file != NULL) {
		if (file_read(file, KEY_BYTES, &text, &length, e) < 0)
			return -1;
		key = seal_key_read(text, length, false, file, e);
		free(text);
		if (key == NULL)
			return -1;
	}
	result = seal_read(line, key, want, e);
	seal_key_free(key);
	return result;
}

static int
ask_want(const struct args *args, struct seal *want, struct err *e)
{
	const char *head = args->values[FLAG_HEAD], *key = args->values[FLAG_PUBLIC_KEY];

	if (args->count > 0 && head != NULL)
		return err_set(e, "LINE and --head are both given; each is a head kept elsewhere");
	if (args->count > 0)
		return read_line(args->words[0], key, want, e);
	if (key != NULL)
		return err_set(e, "--public-key checks the signature of a LINE: give that, too");
	return head == NULL ? 0 : walk_want(head, want, e);
}

/* --- of airisd -------------------------------------------------------------------------------- */

struct verify {
	struct walk walk;
	struct err why;
	bool broken;
};

/* When none was kept elsewhere, what airisd says is its last row must at least be there. */
static void
want_head(struct seal *want, const json_t *page)
{
	const char *hash = jsonx_text_or(page, "head.hash", "");

	if (want->seq == 0 && chain_unhex(hash, want->hash))
		want->seq = jsonx_int(page, "head.seq", 0);
}

static bool
verify_page(void *ctx, const json_t *page, bool first)
{
	struct verify *v = ctx;

	if (first)
		want_head(&v->walk.want, page);
	v->broken = (first && walk_begin(&v->walk, jsonx_text(page, "chain"), &v->why) < 0) ||
		    walk_rows(&v->walk, json_object_get(page, "items"), &v->why) < 0;
	return !v->broken;
}

/* --- of a file -------------------------------------------------------------------------------- */

/* 1: a value; 0: the end. */
static int
next_line(FILE *file, char *buffer, json_t **value, struct err *why)
{
	struct err e;
	size_t length;

	if (fgets(buffer, (int)LINE_BYTES, file) == NULL)
		return ferror(file) ? err_set(why, "%s", strerror(errno)) : 0;
	length = strlen(buffer);
	if (length == 0 || buffer[length - 1] != '\n')
		return err_set(why, "its last line is not whole, or longer than a row can be");
	*value = jsonx_parse(buffer, length, LINE_BYTES, &e);
	return *value == NULL ? err_set(why, "a line is no JSON: %s", e.text) : 1;
}

static int
verify_first(struct walk *walk, FILE *file, char *buffer, struct err *why)
{
	json_t *first = NULL;
	int more = next_line(file, buffer, &first, why), result;

	if (more < 0)
		return -1;
	if (more == 0 || !str_equal(jsonx_text(first, "airis_audit"), "1"))
		result = err_set(
		    why, "its first line does not say that it is what `audit export` writes");
	else
		result = walk_begin(walk, jsonx_text(first, "chain"), why);
	json_decref(first);
	return result;
}

static int
verify_lines(struct walk *walk, FILE *file, char *buffer, struct err *why)
{
	json_t *rows = json_array(), *row;
	int more = 1, result = 0;

	while (result == 0 && more > 0) {
		while (json_array_size(rows) < FILE_ROWS &&
		       (more = next_line(file, buffer, &row, why)) > 0)
			json_array_append_new(rows, row);
		result = more < 0 ? -1 : walk_rows(walk, rows, why);
		json_array_clear(rows);
	}
	json_decref(rows);
	return result;
}

static int
verify_file(struct verify *v, const char *path)
{
	bool standard = str_equal(path, "-");
	FILE *file = standard ? stdin : fopen(path, "re");
	char *buffer;

	if (file == NULL) {
		complain("%s: %s", path, strerror(errno));
		return CODE_USAGE;
	}
	buffer = mem_alloc(LINE_BYTES);
	v->broken = verify_first(&v->walk, file, buffer, &v->why) < 0 ||
		    verify_lines(&v->walk, file, buffer, &v->why) < 0;
	free(buffer);
	if (!standard)
		fclose(file);
	return v->broken ? CODE_FAILED : CODE_OK;
}

/* --- both ------------------------------------------------------------------------------------- */

static void
say_good(struct cli *cli, const struct walk *walk)
{
	char hash[CHAIN_HEX];
	struct str text;
	json_t *json;

	chain_hex(walk->hash, hash);
	json = json_pack("{s:b, s:I, s:s, s:s}", "ok", 1, "seq", (json_int_t)walk->seq, "hash",
	    hash, "chain", walk->identity);
	if (!cmd_print(cli, json)) {
		str_init(&text, 0);
		str_addf(&text, "ok: %" PRId64 " rows, head %s@%" PRId64 "\n", walk->seq, hash,
		    walk->seq);
		out_str(&text);
		str_done(&text);
	}
	json_decref(json);
}

static int
run_verify(struct cli *cli)
{
	const char *file = cli->args->values[FLAG_FILE];
	struct verify v = {.broken = false};
	struct err e;
	int code;

	if (ask_want(cli->args, &v.walk.want, &e) < 0) {
		complain("%s", e.text);
		return CODE_USAGE;
	}
	code = file != NULL ? verify_file(&v, file) : audit_walk(cli, verify_page, &v);
	if (code == CODE_OK && walk_end(&v.walk, &v.why) < 0) {
		v.broken = true;
		code = CODE_FAILED;
	}
	if (v.broken)
		complain("the audit does not hold: %s", v.why.text);
	else if (code == CODE_OK)
		say_good(cli, &v.walk);
	walk_done(&v.walk);
	return code;
}

const struct command cmd_audit_verify = {.group = "audit",
    .name = "verify",
    .operands = "[LINE]",
    .flags = FLAG(FILE) | FLAG(HEAD) | FLAG(PUBLIC_KEY),
    .summary = "compute the hash of every row again and name the first that is wrong",
    .text =
	"The hashes are computed here, so a row that airisd tells wrongly is found like one that "
	"was changed in its database. Exit code 1: a row was changed, is missing or out of order. "
	"Rows that are missing at the end, and an audit that was written anew as a whole, can only "
	"be told by a head that was kept elsewhere: --head, or LINE, which is what airisd writes "
	"to syslog (audit.signKeyFile), with --public-key for its signature.",
    .run = run_verify};
