-- What is to be told to whom: a row is written with the events that it is about, and deleted when
-- it has been delivered or was given up. A number is never given twice.
CREATE TABLE outbox (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	at_ms INTEGER NOT NULL,
	hook TEXT NOT NULL,
	rollout TEXT NOT NULL,
	event TEXT NOT NULL,
	delivery TEXT NOT NULL,
	data TEXT NOT NULL
) STRICT;
-- The row's seq is part of the index: what waits for a hook is found in order.
CREATE INDEX outbox_hook ON outbox (hook);
