/* Writing. Always true: between two calls no transaction is open, and a batch is in the database
 * whole or not at all. */
#include "store/put.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "store/audit.h"
#include "store/connection.h"
#include "store/crash.h"

/* The age of a key is measured between keys, so that no clock is asked, and what is too old goes in
 * small steps. */
#define KEY_LIFE_MS (JOURNAL_KEY_MS + INT64_C(3600) * 1000)

enum verb {
	BEGIN,
	COMMIT,
	ROLLBACK,
	SAVEPOINT,
	RELEASE,
	ROLLBACK_TO,
	PUT_EVENT,
	PUT_ROLLOUT,
	PUT_APP,
	DELETE_APP,
	PUT_RELEASE,
	PUT_KEY,
	PUT_TOKEN,
	USE_TOKEN,
	DELETE_TOKEN,
	PUT_AUDIT,
	PUT_OUTBOX,
	DELETE_OUTBOX,
	FORGET_KEY,
	PRUNE_KEYS,
	PROBE,
	VERBS
};

/* The same numbers mean the same fields everywhere: see bind_write. */
static const char *const texts[VERBS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [SAVEPOINT] = "SAVEPOINT batch",
    [RELEASE] = "RELEASE batch",
    [ROLLBACK_TO] = "ROLLBACK TO batch",
    [PUT_EVENT] = "INSERT INTO events (seq, at_ms, rollout, kind, data, actor)"
		  " VALUES (?1, ?2, ?3, ?6, ?7, ?8)",
    [PUT_ROLLOUT] =
	"INSERT INTO rollouts (release, at_ms, rollout, app, cluster, phase, data, final)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?9) ON CONFLICT (rollout) DO UPDATE SET"
	" release = excluded.release, at_ms = excluded.at_ms, phase = excluded.phase,"
	" data = excluded.data, final = excluded.final",
    [PUT_APP] = "INSERT INTO apps (at_ms, app, data, actor) VALUES (?2, ?3, ?7, ?8)"
		" ON CONFLICT (app) DO UPDATE SET"
		" at_ms = excluded.at_ms, data = excluded.data, actor = excluded.actor",
    [DELETE_APP] = "DELETE FROM apps WHERE app = ?3",
    [PUT_RELEASE] = "INSERT INTO releases (number, at_ms, app, data, actor)"
		    " VALUES (?1, ?2, ?3, ?7, ?8)",
    [PUT_KEY] = "INSERT INTO keys (at_ms, key, request, answer) VALUES (?2, ?3, ?6, ?7)",
    [PUT_TOKEN] = "INSERT INTO tokens (at_ms, token, data, actor) VALUES (?2, ?3, ?7, ?8)",
    [USE_TOKEN] = "UPDATE tokens SET used_ms = ?1 WHERE token = ?3",
    [DELETE_TOKEN] = "DELETE FROM tokens WHERE token = ?3",
    [PUT_AUDIT] = STORE_AUDIT_INSERT,
    [PUT_OUTBOX] = "INSERT INTO outbox (at_ms, rollout, hook, event, data, delivery)"
		   " VALUES (?2, ?3, ?4, ?6, ?7, ?8)",
    [DELETE_OUTBOX] = "DELETE FROM outbox WHERE seq = ?1",
    [FORGET_KEY] = "DELETE FROM keys WHERE key = ?3 AND at_ms <= ?2",
    [PRUNE_KEYS] = "DELETE FROM keys WHERE key IN"
		   " (SELECT key FROM keys WHERE at_ms < ?1 ORDER BY at_ms LIMIT 100)",
    [PROBE] = "INSERT INTO probe (id, filler) VALUES (1, randomblob(65536))"
	      " ON CONFLICT (id) DO UPDATE SET filler = excluded.filler",
};

struct store_put {
	sqlite3 *db;
	sqlite3_stmt *statements[VERBS];
	int64_t newest_key_ms; /* in this transaction; 0: none */
	struct store_audit *audit;
	struct audit_head head, tip; /* of what is committed; in this transaction */
	bool damaged, full;
};

int
store_put_new(sqlite3 *db, struct store_put **put, struct err *e)
{
	struct store_put *made = mem_alloc(sizeof(*made));

	made->db = db;
	for (int i = 0; i < VERBS; i++)
		if (store_db_prepare(db, texts[i], &made->statements[i], e) != 0) {
			store_put_free(made);
			return -1;
		}
	made->audit = store_audit_open(db, &made->head, e);
	if (made->audit == NULL) {
		store_put_free(made);
		return -1;
	}
	*put = made;
	return 0;
}

void
store_put_free(struct store_put *put)
{
	if (put == NULL)
		return;
	for (int i = 0; i < VERBS; i++)
		sqlite3_finalize(put->statements[i]);
	store_audit_close(put->audit);
	free(put);
}

/* SQLITE_OK or an error code. */
static int
run(struct store_put *put, enum verb verb)
{
	sqlite3_stmt *statement = put->statements[verb];
	int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

/* The texts live as long as the batch, which is longer than they stay bound. */
static int
bind_place(sqlite3_stmt *statement, int place, const struct journal_write *write)
{
	const char *fields[] = {
	    write->key, write->app, write->cluster, write->name, write->text, write->actor};

	if (place == 1)
		return sqlite3_bind_int64(statement, place, write->number);
	if (place == 2)
		return sqlite3_bind_int64(statement, place, write->at_ms);
	if (place == 9)
		return sqlite3_bind_int(statement, place, write->final);
	return sqlite3_bind_text(statement, place, fields[place - 3], -1, SQLITE_STATIC);
}

static int
bind_write(sqlite3_stmt *statement, const struct journal_write *write)
{
	int places = sqlite3_bind_parameter_count(statement);
	int code = sqlite3_clear_bindings(statement);

	for (int place = 1; code == SQLITE_OK && place <= places; place++)
		code = bind_place(statement, place, write);
	return code;
}

static enum verb
verb_of(const struct journal_write *write)
{
	switch (write->kind) {
	case JOURNAL_EVENT:
		return PUT_EVENT;
	case JOURNAL_ROLLOUT:
		return PUT_ROLLOUT;
	case JOURNAL_APP:
		return write->text == NULL ? DELETE_APP : PUT_APP;
	case JOURNAL_RELEASE:
		return PUT_RELEASE;
	case JOURNAL_KEY:
		return PUT_KEY;
	case JOURNAL_TOKEN:
		if (write->text != NULL)
			return PUT_TOKEN;
		return write->number == 0 ? DELETE_TOKEN : USE_TOKEN;
	case JOURNAL_OUTBOX:
		return write->text == NULL ? DELETE_OUTBOX : PUT_OUTBOX;
	case JOURNAL_AUDIT:
		return PUT_AUDIT;
	}
	abort(); /* not a kind: a bug of the caller */
}

static int
forget_old_key(struct store_put *put, const struct journal_write *write)
{
	struct journal_write old = *write;
	int code;

	old.at_ms -= JOURNAL_KEY_MS;
	code = bind_write(put->statements[FORGET_KEY], &old);
	return code == SQLITE_OK ? run(put, FORGET_KEY) : code;
}

static int
put_write(struct store_put *put, const struct journal_write *write)
{
	enum verb verb = verb_of(write);
	int code = verb == PUT_KEY ? forget_old_key(put, write) : SQLITE_OK;

	if (verb == PUT_AUDIT)
		return store_audit_put(
		    put->audit, put->statements[PUT_AUDIT], write->audit, &put->tip);
	if (code == SQLITE_OK)
		code = bind_write(put->statements[verb], write);
	if (code == SQLITE_OK)
		code = run(put, verb);
	if (code == SQLITE_OK && verb == PUT_KEY && write->at_ms > put->newest_key_ms)
		put->newest_key_ms = write->at_ms;
	return code;
}

/* Errors that come from what was to be written and not from the disk. */
static bool
is_refusal(struct store_put *put, int code)
{
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE:
		return !sqlite3_get_autocommit(put->db);
	}
	return false;
}

static void
explain_refusal(struct store_put *put, const struct journal_write *write, int code, struct err *why)
{
	bool there = code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_UNIQUE ||
		     code == SQLITE_CONSTRAINT_ROWID;

	if (there && write->kind == JOURNAL_RELEASE)
		err_set(why,
		    "release %lld of app %s is there already; a release is never changed, take the "
		    "next number",
		    (long long)write->number, write->key);
	else if (there && write->kind == JOURNAL_KEY)
		err_set(why, "the Idempotency-Key was used already; its answer can be read");
	else if (there && write->kind == JOURNAL_TOKEN)
		err_set(why, "a token of the id %s is there already; try again", write->key);
	else if (there && write->kind == JOURNAL_AUDIT)
		err_set(why,
		    "row %lld of the audit is there already: another program writes to this "
		    "database; stop it, and look at it with airisctl audit verify",
		    (long long)put->tip.seq + 1);
	else if (there)
		err_set(why,
		    "event %lld is there already: another program writes to this database; stop it",
		    (long long)write->number);
	else {
		store_db_error(put->db, why);
		err_wrap(why, "the database refused a write about %s",
		    write->key == NULL ? "nothing" : write->key);
	}
}

/* 0, also when the batch broke a rule and was taken back alone; or the error of the database. */
static int
put_batch(struct store_put *put, struct store_batch *batch)
{
	int code = run(put, SAVEPOINT);
	struct audit_head before = put->tip;
	struct err why;

	for (int i = 0; code == SQLITE_OK && i < batch->count; i++) {
		code = put_write(put, &batch->writes[i]);
		if (code == SQLITE_OK || !is_refusal(put, code))
			continue;
		explain_refusal(put, &batch->writes[i], code, &why);
		store_batch_fail(batch, why.text);
		put->tip = before;
		code = run(put, ROLLBACK_TO);
		break;
	}
	return code == SQLITE_OK ? run(put, RELEASE) : code;
}

/* Writing on into a file that has lost its name would lose everything at the next start. */
static int
check_place(struct store_put *put, struct err *e)
{
	int moved = 0;

	sqlite3_file_control(put->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (!moved)
		return 0;
	return err_set(e,
	    "the database file was moved or deleted while in use; put it back and restart airisd");
}

static int
note_error(struct store_put *put, int code, struct err *e)
{
	int group = code & 0xff, system = sqlite3_system_errno(put->db);

	store_db_error(put->db, e);
	put->full = group == SQLITE_FULL ||
		    (group == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT));
	if (group == SQLITE_CORRUPT || group == SQLITE_NOTADB)
		put->damaged = true;
	return -1;
}

static int
put_all(struct store_put *put, struct store_batch *first, bool urgent_only, struct err *e)
{
	int code = run(put, BEGIN);

	put->newest_key_ms = 0;
	put->tip = put->head;
	put->full = false;
	for (struct store_batch *b = first; code == SQLITE_OK && b != NULL; b = b->next)
		if (b->urgent || !urgent_only)
			code = put_batch(put, b);
	if (code == SQLITE_OK && put->newest_key_ms > 0) {
		sqlite3_bind_int64(
		    put->statements[PRUNE_KEYS], 1, put->newest_key_ms - KEY_LIFE_MS);
		code = run(put, PRUNE_KEYS);
	}
	if (code == SQLITE_OK && check_place(put, e) != 0)
		return -1;
	if (code == SQLITE_OK) {
		store_crash_commit("commit:inside", first);
		code = run(put, COMMIT);
		store_crash_commit("commit:after", first);
	}
	if (code == SQLITE_OK)
		put->head = put->tip;
	return code == SQLITE_OK ? 0 : note_error(put, code, e);
}

/* Some errors have undone the transaction already. */
static void
undo(struct store_put *put)
{
	if (!sqlite3_get_autocommit(put->db))
		run(put, ROLLBACK);
}

static int
put_group(struct store_put *put, struct store_batch *first, bool urgent_only, struct err *e)
{
	int result = put_all(put, first, urgent_only, e);

	if (result != 0)
		undo(put);
	for (struct store_batch *b = first; b != NULL; b = b->next) {
		if (urgent_only && !b->urgent)
			continue;
		if (result != 0)
			store_batch_fail(b, e->text);
		else
			b->ok = b->why == NULL;
	}
	return result;
}

int
store_put_group(struct store_put *put, struct store_batch *first, struct err *e)
{
	return put_group(put, first, false, e);
}

int
store_put_urgent(struct store_put *put, struct store_batch *first, struct err *e)
{
	return put_group(put, first, true, e);
}

void
store_put_checkpoint(struct store_put *put)
{
	sqlite3_wal_checkpoint_v2(put->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

int
store_put_probe(struct store_put *put, struct err *e)
{
	int code = run(put, BEGIN);
	int result = 0;

	if (code == SQLITE_OK)
		code = run(put, PROBE);
	if (code == SQLITE_OK)
		result = check_place(put, e);
	if (code == SQLITE_OK && result == 0)
		code = run(put, COMMIT);
	if (code != SQLITE_OK)
		result = note_error(put, code, e);
	undo(put);
	return result;
}

bool
store_put_full(const struct store_put *put)
{
	return put->full;
}

bool
store_put_damaged(const struct store_put *put)
{
	return put->damaged;
}
