/* See chain.h. */
#include "cmd/chain.h"

#include <inttypes.h>
#include <string.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "show/when.h"

int
walk_begin(struct walk *walk, const char *identity, struct err *why)
{
	if (identity == NULL || !str_copy(walk->identity, sizeof(walk->identity), identity))
		return err_set(why, "it does not say which database the chain is of");
	if (walk->want.seq > 0 && walk->want.chain[0] != '\0' &&
	    !str_equal(walk->want.chain, identity))
		return err_set(why,
		    "it is the audit of another database: the head kept elsewhere is of the chain "
		    "%s, and this is the chain %s",
		    walk->want.chain, identity);
	walk->chain = chain_new();
	chain_begin(walk->chain, identity, walk->hash);
	return 0;
}

void
walk_done(struct walk *walk)
{
	chain_free(walk->chain);
	walk->chain = NULL;
}

static const char *
text(const json_t *row, const char *name)
{
	return json_string_value(json_object_get(row, name));
}

/* False: something is not there, or is no such thing. */
static bool
read_row(const json_t *json, struct chain_row *row, unsigned char hash[CHAIN_HASH])
{
	const json_t *at = json_object_get(json, "at");
	const char **texts[CHAIN_TEXTS];

	*row = (struct chain_row){.seq = jsonx_int(json, "seq", 0)};
	if (row->seq < 1 || !chain_unhex(text(json, "hash"), hash) ||
	    (!json_is_null(at) && !when_parse(json_string_value(at), &row->at_ms)))
		return false;
	chain_texts(row, texts);
	for (int i = 0; i < CHAIN_TEXTS; i++)
		if ((*texts[i] = text(json, chain_fields[i])) == NULL)
			return false;
	return true;
}

/* Would the row at this place be right where another is now? */
static const json_t *
belongs_here(struct walk *walk, const json_t *rows, size_t from)
{
	unsigned char given[CHAIN_HASH], hash[CHAIN_HASH];
	struct chain_row row;

	for (size_t i = from; i < json_array_size(rows); i++) {
		if (!read_row(json_array_get(rows, i), &row, given))
			continue;
		row.seq = walk->seq + 1;
		chain_next(walk->chain, walk->hash, &row, hash);
		if (memcmp(hash, given, CHAIN_HASH) == 0)
			return json_array_get(rows, i);
	}
	return NULL;
}

static int
wrong_place(const struct walk *walk, int64_t seq, struct err *why)
{
	if (seq <= walk->seq)
		return err_set(why, "row %" PRId64 " is out of order: it comes after row %" PRId64,
		    seq, walk->seq);
	if (walk->seq == 0)
		return err_set(
		    why, "row 1 is missing: the first one there is has number %" PRId64, seq);
	return err_set(why, "row %" PRId64 " is missing: after row %" PRId64 " comes row %" PRId64,
	    walk->seq + 1, walk->seq, seq);
}

static int
wrong_hash(struct walk *walk, const json_t *rows, size_t at, struct err *why)
{
	int64_t seq = walk->seq + 1;
	const json_t *other = belongs_here(walk, rows, at + 1);

	if (other != NULL)
		return err_set(why,
		    "row %" PRId64 " is out of order: what now is row %lld stood there", seq,
		    (long long)jsonx_int(other, "seq", 0));
	return err_set(why,
	    "row %" PRId64
	    " was changed (or one before it was taken out and the numbers closed up): "
	    "its hash is not that of what it says",
	    seq);
}

static int
compare_wanted(struct walk *walk, struct err *why)
{
	char hash[CHAIN_HEX], want[CHAIN_HEX];

	if (walk->want.seq != walk->seq)
		return 0;
	walk->wanted = memcmp(walk->want.hash, walk->hash, CHAIN_HASH) == 0;
	if (walk->wanted)
		return 0;
	chain_hex(walk->hash, hash);
	chain_hex(walk->want.hash, want);
	return err_set(why,
	    "row %" PRId64 " has the hash %s, and the head kept elsewhere has %s: it or a row "
	    "before it was written anew, with all after it",
	    walk->seq, hash, want);
}

int
walk_rows(struct walk *walk, const json_t *rows, struct err *why)
{
	unsigned char given[CHAIN_HASH], hash[CHAIN_HASH];
	struct chain_row row;

	for (size_t i = 0; i < json_array_size(rows); i++) {
		if (!read_row(json_array_get(rows, i), &row, given))
			return err_set(
			    why, "after row %" PRId64 " comes something that is no row", walk->seq);
		if (row.seq != walk->seq + 1)
			return wrong_place(walk, row.seq, why);
		chain_next(walk->chain, walk->hash, &row, hash);
		if (memcmp(hash, given, CHAIN_HASH) != 0)
			return wrong_hash(walk, rows, i, why);
		memcpy(walk->hash, hash, CHAIN_HASH);
		walk->seq = row.seq;
		if (compare_wanted(walk, why) < 0)
			return -1;
	}
	return 0;
}

int
walk_end(const struct walk *walk, struct err *why)
{
	if (walk->want.seq == 0 || walk->wanted)
		return 0;
	return err_set(why,
	    "rows are missing at the end: the last one is row %" PRId64
	    ", and the head is row %" PRId64,
	    walk->seq, walk->want.seq);
}

int
walk_want(const char *given, struct seal *want, struct err *e)
{
	char hash[CHAIN_HEX];
	const char *at = strchr(given, '@');

	*want = (struct seal){.seq = 0};
	if (at == NULL || at - given != CHAIN_HEX - 1 ||
	    str_number(at + 1, 1, INT64_MAX, &want->seq) < 0)
		return err_set(e,
		    "\"%.100s\" is no head; it looks like HASH@SEQ, as verify and export print it",
		    given);
	str_copy(hash, sizeof(hash), given);
	if (!chain_unhex(hash, want->hash))
		return err_set(e, "\"%.64s\" is no hash: 64 digits 0-9a-f", given);
	return 0;
}
