-- Who is signed in by a browser: through which token, or, without one, by the operator key that this is a hash of. What
-- the browser keeps is known here by its hash alone.
CREATE TABLE sessions (
    hash BLOB NOT NULL PRIMARY KEY,
    token_id TEXT REFERENCES tokens (id),
    operator BLOB,
    began_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    ended_at BIGINT,
    CHECK ((token_id IS NULL) = (operator IS NOT NULL))
);
CREATE INDEX sessions_by_end ON sessions (ends_at);
