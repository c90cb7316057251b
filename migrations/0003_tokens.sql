-- API tokens: what they may and a digest of each, never the secret itself. A revoked one is deleted:
-- nothing of it is needed any more, and its id is never given again.
CREATE TABLE tokens (
	token TEXT NOT NULL PRIMARY KEY CHECK (length(token) = 8),
	at_ms INTEGER NOT NULL,
	actor TEXT,
	data TEXT NOT NULL,
	used_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
