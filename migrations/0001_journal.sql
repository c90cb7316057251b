-- The journal: the only truth about rollouts. Written once, never changed.
CREATE TABLE events (
	seq INTEGER PRIMARY KEY,
	rollout TEXT NOT NULL,
	at_ms INTEGER NOT NULL,
	kind TEXT NOT NULL,
	actor TEXT,
	data TEXT NOT NULL
) STRICT;
-- The row's seq is part of the index: the events of one rollout are found in order.
CREATE INDEX events_rollout ON events (rollout);
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN
	SELECT RAISE(ABORT, 'events are never changed');
END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN
	SELECT RAISE(ABORT, 'events are never deleted');
END;

-- For lists and filters; everything in it follows from the events.
CREATE TABLE rollouts (
	rollout TEXT NOT NULL PRIMARY KEY,
	app TEXT NOT NULL,
	cluster TEXT,
	release INTEGER NOT NULL,
	phase TEXT NOT NULL,
	final INTEGER NOT NULL CHECK (final IN (0, 1)),
	at_ms INTEGER NOT NULL,
	data TEXT NOT NULL
) STRICT;
CREATE INDEX rollouts_app ON rollouts (app, rollout);
CREATE INDEX rollouts_phase ON rollouts (phase, rollout);
CREATE INDEX rollouts_cluster ON rollouts (cluster, rollout);
CREATE INDEX rollouts_live ON rollouts (rollout) WHERE final = 0;

CREATE TABLE apps (
	app TEXT NOT NULL PRIMARY KEY,
	at_ms INTEGER NOT NULL,
	actor TEXT,
	data TEXT NOT NULL
) STRICT;

-- No reference to apps: what was released stays known when the app is gone.
CREATE TABLE releases (
	app TEXT NOT NULL,
	number INTEGER NOT NULL CHECK (number > 0),
	at_ms INTEGER NOT NULL,
	actor TEXT,
	data TEXT NOT NULL,
	PRIMARY KEY (app, number)
) STRICT;
CREATE TRIGGER releases_no_update BEFORE UPDATE ON releases
BEGIN
	SELECT RAISE(ABORT, 'releases are never changed');
END;
CREATE TRIGGER releases_no_delete BEFORE DELETE ON releases
BEGIN
	SELECT RAISE(ABORT, 'releases are never deleted');
END;

-- What was answered to an Idempotency-Key, kept for a day.
CREATE TABLE keys (
	key TEXT NOT NULL PRIMARY KEY,
	at_ms INTEGER NOT NULL,
	request TEXT NOT NULL,
	answer TEXT NOT NULL
) STRICT;
CREATE INDEX keys_age ON keys (at_ms);

-- One row, written to learn whether the disk takes writes again.
CREATE TABLE probe (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	filler BLOB NOT NULL
) STRICT;
