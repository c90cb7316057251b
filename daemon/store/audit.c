/* The audit's rows. Always true: the head is only kept in memory by who writes, so that a row that
 * somebody takes away or adds while airisd runs breaks the chain; it is read once, at the start. */
#include "store/audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "store/connection.h"
#include "store/reader.h"

/* Before all rows. None has a number below 1; one that somebody has put there must not be hidden
 * from who looks at all. */
#define FROM_THE_FIRST INT64_MIN

struct store_audit {
	struct chain *chain;
	int64_t events; /* there were before the chain begins */
};

/* One that is none is as good as a wrong one. */
static void
read_hash(sqlite3_stmt *statement, int column, unsigned char hash[CHAIN_HASH])
{
	memset(hash, 0, CHAIN_HASH);
	if (sqlite3_column_bytes(statement, column) == CHAIN_HASH)
		memcpy(hash, sqlite3_column_blob(statement, column), CHAIN_HASH);
}

static int
read_head(sqlite3 *db, struct audit_head *head, struct err *e)
{
	sqlite3_stmt *statement;
	int code, result = 0;

	if (store_db_prepare(
		db, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", &statement, e) != 0)
		return -1;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		head->seq = sqlite3_column_int64(statement, 0);
		read_hash(statement, 1, head->hash);
	} else if (code != SQLITE_DONE)
		result = store_db_error(db, e);
	sqlite3_finalize(statement);
	return result;
}

struct store_audit *
store_audit_open(sqlite3 *db, struct audit_head *head, struct err *e)
{
	struct store_audit *audit = mem_alloc(sizeof(*audit));
	char identity[64];

	audit->chain = chain_new();
	*head = (struct audit_head){.seq = 0};
	if (store_db_text(db, "SELECT value FROM identity WHERE id = 1", identity, sizeof(identity),
		e) == 0 &&
	    store_db_number(db, "SELECT coalesce(max(seq), 0) FROM events", &audit->events, e) ==
		0) {
		chain_begin(audit->chain, identity, head->hash);
		if (read_head(db, head, e) == 0)
			return audit;
	}
	store_audit_close(audit);
	return NULL;
}

void
store_audit_close(struct store_audit *audit)
{
	if (audit == NULL)
		return;
	chain_free(audit->chain);
	free(audit);
}

static int
bind(sqlite3_stmt *statement, const struct chain_row *row, const struct audit_head *head)
{
	struct chain_row copy = *row;
	const char **texts[CHAIN_TEXTS];
	int code = sqlite3_bind_int64(statement, 1, row->seq);

	chain_texts(&copy, texts);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(statement, 2, row->at_ms);
	for (int i = 0; code == SQLITE_OK && i < CHAIN_TEXTS; i++)
		code = sqlite3_bind_text(
		    statement, 3 + i, *texts[i] == NULL ? "" : *texts[i], -1, SQLITE_STATIC);
	return code != SQLITE_OK ? code
				 : sqlite3_bind_blob(statement, 3 + CHAIN_TEXTS, head->hash,
				       CHAIN_HASH, SQLITE_STATIC);
}

static int
put(struct store_audit *audit, sqlite3_stmt *statement, const struct chain_row *from,
    struct audit_head *tip)
{
	struct chain_row row = *from;
	struct audit_head next = {.seq = tip->seq + 1};
	int code;

	row.seq = next.seq;
	chain_next(audit->chain, tip->hash, &row, next.hash);
	code = bind(statement, &row, &next);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	sqlite3_reset(statement);
	if (code != SQLITE_DONE)
		return code;
	*tip = next;
	return SQLITE_OK;
}

/* In the transaction of the first row, so that there is never one without it. */
static int
put_first(struct store_audit *audit, sqlite3_stmt *statement, int64_t at_ms, struct audit_head *tip)
{
	struct chain_row row = {.at_ms = at_ms, .who = "airisd", .what = "begin"};
	char detail[96] = "the database is new";

	if (audit->events > 0)
		str_print(detail, sizeof(detail),
		    "events up to %" PRId64 " are from before there was an audit", audit->events);
	row.detail = detail;
	row.outcome = "the chain begins";
	return put(audit, statement, &row, tip);
}

int
store_audit_put(struct store_audit *audit, sqlite3_stmt *statement, const struct chain_row *row,
    struct audit_head *tip)
{
	struct audit_head before = *tip;
	int code = tip->seq == 0 ? put_first(audit, statement, row->at_ms, tip) : SQLITE_OK;

	if (code == SQLITE_OK)
		code = put(audit, statement, row, tip);
	if (code != SQLITE_OK)
		*tip = before;
	return code;
}

static const char *
text(sqlite3_stmt *statement, int column)
{
	const char *found = (const char *)sqlite3_column_text(statement, column);

	return found == NULL ? "" : found;
}

void
store_audit_row(sqlite3_stmt *s, int first, struct journal_audit *row)
{
	const char **texts[CHAIN_TEXTS];

	row->row = (struct chain_row){
	    .seq = sqlite3_column_int64(s, first), .at_ms = sqlite3_column_int64(s, first + 1)};
	chain_texts(&row->row, texts);
	for (int i = 0; i < CHAIN_TEXTS; i++)
		*texts[i] = text(s, first + 2 + i);
	read_hash(s, first + 2 + CHAIN_TEXTS, row->hash);
}

/* --- checking --------------------------------------------------------------------------------- */

static bool
check_rows(sqlite3_stmt *statement, struct chain *chain, struct audit_head *head, struct err *why)
{
	struct journal_audit found;
	unsigned char hash[CHAIN_HASH];

	while (sqlite3_step(statement) == SQLITE_ROW) {
		store_audit_row(statement, 0, &found);
		if (found.row.seq != head->seq + 1) {
			err_set(why,
			    "row %" PRId64 " is missing: after row %" PRId64 " comes %" PRId64,
			    head->seq + 1, head->seq, found.row.seq);
			return false;
		}
		chain_next(chain, head->hash, &found.row, hash);
		if (memcmp(hash, found.hash, CHAIN_HASH) != 0) {
			err_set(
			    why, "row %" PRId64 " was changed, or a row before it", found.row.seq);
			return false;
		}
		head->seq = found.row.seq;
		memcpy(head->hash, hash, CHAIN_HASH);
	}
	return true;
}

/* What the row after `after` is chained to. */
static int
start_at(sqlite3 *db, struct chain *chain, int64_t after, struct audit_head *head, struct err *why)
{
	sqlite3_stmt *statement;
	char identity[64];

	*head = (struct audit_head){.seq = after};
	if (after == 0) {
		if (store_db_text(db, "SELECT value FROM identity WHERE id = 1", identity,
			sizeof(identity), why) != 0)
			return -1;
		chain_begin(chain, identity, head->hash);
		return 0;
	}
	if (store_db_prepare(db, "SELECT hash FROM audit WHERE seq = ?1", &statement, why) != 0)
		return -1;
	sqlite3_bind_int64(statement, 1, after);
	if (sqlite3_step(statement) == SQLITE_ROW)
		read_hash(statement, 0, head->hash);
	return sqlite3_finalize(statement) == SQLITE_OK ? 0 : store_db_error(db, why);
}

bool
store_audit_check(sqlite3 *db, int64_t after, int64_t *last, struct err *why)
{
	struct audit_head head = {.seq = 0};
	struct chain *chain = chain_new();
	sqlite3_stmt *statement = NULL;
	bool holds = false;

	if (start_at(db, chain, after, &head, why) == 0 &&
	    store_db_prepare(db,
		"SELECT " STORE_AUDIT_COLUMNS " FROM audit WHERE seq > ?1 ORDER BY seq", &statement,
		why) == 0) {
		sqlite3_bind_int64(statement, 1, after == 0 ? FROM_THE_FIRST : after);
		holds = check_rows(statement, chain, &head, why);
		if (sqlite3_finalize(statement) != SQLITE_OK) {
			holds = false;
			store_db_error(db, why);
		}
	}
	chain_free(chain);
	*last = head.seq;
	return holds;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A plus sign keeps SQLite from using that column's index: the first filter that is there chooses
 * it, the others only look at what it gives. */
static char *
text_of(const struct journal_audit_filter *filter)
{
	bool newest_first = filter->before != 0;
	const char *plus = filter->rollout != NULL ? "+" : "";
	struct str sql;

	str_init(&sql, 0);
	str_addf(&sql, "SELECT " STORE_AUDIT_COLUMNS " FROM audit WHERE seq %s ?1",
	    newest_first ? "<" : ">");
	if (filter->rollout != NULL)
		str_add(&sql, " AND rollout = ?3");
	if (filter->app != NULL)
		str_addf(&sql, " AND %sapp = ?4", plus);
	/* The second says what the index is of. */
	if (filter->who != NULL)
		str_addf(&sql, " AND %swho = ?5%s", filter->app != NULL ? "+" : plus,
		    strcmp(filter->who, "airisd") == 0 ? "" : " AND who <> 'airisd'");
	str_addf(&sql, " ORDER BY seq %s LIMIT ?2", newest_first ? "DESC" : "ASC");
	return str_take(&sql);
}

static int
prepare(
    sqlite3 *db, const struct journal_audit_filter *filter, sqlite3_stmt **statement, struct err *e)
{
	const char *const values[] = {filter->rollout, filter->app, filter->who};
	int64_t after = filter->after == 0 ? FROM_THE_FIRST : filter->after;
	char *sql = text_of(filter);
	int result = store_db_prepare(db, sql, statement, e);

	free(sql);
	if (result != 0)
		return -1;
	sqlite3_bind_int64(*statement, 1, filter->before != 0 ? filter->before : after);
	sqlite3_bind_int(*statement, 2, filter->limit);
	for (int i = 0; i < 3; i++)
		if (values[i] != NULL)
			sqlite3_bind_text(*statement, 3 + i, values[i], -1, SQLITE_STATIC);
	return 0;
}

int
store_read_audit(struct store_reader *reader, const struct journal_audit_filter *filter,
    journal_audit_each *each, void *each_ctx, struct err *e)
{
	struct journal_audit row;
	sqlite3_stmt *statement;
	int code;

	if (filter->limit < 1 || filter->limit > STORE_AUDIT_MOST)
		return err_set(
		    e, "a limit of %d: must be 1 to %d", filter->limit, STORE_AUDIT_MOST);
	if (prepare(store_reader_db(reader), filter, &statement, e) != 0)
		return -1;
	store_reader_begin(reader);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		store_audit_row(statement, 0, &row);
		if (!each(each_ctx, &row)) {
			code = SQLITE_DONE;
			break;
		}
	}
	if (code != SQLITE_DONE)
		store_reader_error(reader, code, e);
	sqlite3_finalize(statement);
	return code == SQLITE_DONE ? 0 : -1;
}

int
store_read_audit_head(struct store_reader *reader, struct journal_head *head, struct err *e)
{
	sqlite3 *db = store_reader_db(reader);
	sqlite3_stmt *statement;
	struct chain *chain;

	*head = (struct journal_head){.seq = 0};
	if (store_read_identity(reader, head->chain, sizeof(head->chain), e) != 0 ||
	    store_db_prepare(db, "SELECT seq, at_ms, hash FROM audit ORDER BY seq DESC LIMIT 1",
		&statement, e) != 0)
		return -1;
	if (sqlite3_step(statement) == SQLITE_ROW) {
		head->seq = sqlite3_column_int64(statement, 0);
		head->at_ms = sqlite3_column_int64(statement, 1);
		read_hash(statement, 2, head->hash);
	}
	if (sqlite3_finalize(statement) != SQLITE_OK)
		return store_db_error(db, e);
	if (head->seq == 0) {
		chain = chain_new();
		chain_begin(chain, head->chain, head->hash);
		chain_free(chain);
	}
	return 0;
}
