-- One row: what tells this database's airisd apart from others that write in the same cluster. A
-- copy of the database has the same one, so it is not used without the host and the file's place.
CREATE TABLE identity (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	value TEXT NOT NULL CHECK (length(value) = 32)
) STRICT;
INSERT INTO identity (id, value) VALUES (1, lower(hex(randomblob(16))));
CREATE TRIGGER identity_no_update BEFORE UPDATE ON identity
BEGIN
	SELECT RAISE(ABORT, 'the identity is never changed');
END;
