-- Who did what, and what came of it. Written once, never changed: hash is over the row before and
-- all of this one (daemon/base/chain.h). Numbers have no gap.
CREATE TABLE audit (
	seq INTEGER PRIMARY KEY,
	at_ms INTEGER NOT NULL,
	who TEXT NOT NULL,
	id TEXT NOT NULL,
	origin TEXT NOT NULL,
	what TEXT NOT NULL,
	cluster TEXT NOT NULL,
	namespace TEXT NOT NULL,
	app TEXT NOT NULL,
	rollout TEXT NOT NULL,
	detail TEXT NOT NULL,
	why TEXT NOT NULL,
	outcome TEXT NOT NULL,
	hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
-- The row's seq is part of each index: what is asked for is found in order.
CREATE INDEX audit_app ON audit (app);
CREATE INDEX audit_rollout ON audit (rollout);
-- Not of what airisd does by itself, which is most of it: that is found without.
CREATE INDEX audit_who ON audit (who) WHERE who <> 'airisd';
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
	SELECT RAISE(ABORT, 'the audit is never changed');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
	SELECT RAISE(ABORT, 'the audit is never deleted');
END;
