-- People may sign in elsewhere, with a provider of identities. Such a session belongs to a user, or bears the name of a
-- person who runs the server, and says who vouched for them.
DROP INDEX sessions_by_end;
ALTER TABLE sessions RENAME TO sessions_before;
CREATE TABLE sessions (
    hash BLOB NOT NULL PRIMARY KEY,
    token_id TEXT REFERENCES tokens (id),
    operator BLOB,
    user_id TEXT REFERENCES users (id),
    operator_name TEXT,
    issuer TEXT,
    scopes TEXT,
    began_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    ended_at BIGINT,
    CHECK ((CASE WHEN token_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN operator IS NULL THEN 0 ELSE 1 END)
        + (CASE WHEN user_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN operator_name IS NULL THEN 0 ELSE 1 END) = 1),
    CHECK ((issuer IS NULL) = (user_id IS NULL AND operator_name IS NULL)),
    CHECK ((scopes IS NULL) = (user_id IS NULL))
);
INSERT INTO sessions (hash, token_id, operator, began_at, seen_at, ends_at, ended_at)
    SELECT hash, token_id, operator, began_at, seen_at, ends_at, ended_at FROM sessions_before;
DROP TABLE sessions_before;
CREATE INDEX sessions_by_end ON sessions (ends_at);

-- Sign-ins that were sent to a provider: what the browser keeps is known by its hash alone, and each is good once.
CREATE TABLE sign_ins (
    hash BLOB NOT NULL PRIMARY KEY,
    next TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX sign_ins_by_end ON sign_ins (ends_at);
