-- A next version of the schema, for the migration that is killed at each of its statements.
CREATE TABLE later (
	app TEXT NOT NULL PRIMARY KEY,
	releases INTEGER NOT NULL
) STRICT;
INSERT INTO later (app, releases) SELECT app, count(*) FROM releases GROUP BY app;
ALTER TABLE apps ADD COLUMN later TEXT;
UPDATE apps SET later = 'moved';
CREATE INDEX later_releases ON later (releases);
