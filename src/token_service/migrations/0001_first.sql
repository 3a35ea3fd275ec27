-- Times are whole seconds since 1970 UTC. Rows are ended, never deleted.

CREATE TABLE token_keys (
    id TEXT NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE organisations (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    refuse_user_tokens BOOLEAN NOT NULL DEFAULT FALSE,
    allowed_scopes TEXT,
    max_lifetime_days BIGINT,
    expiry_required BOOLEAN NOT NULL DEFAULT FALSE,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE memberships (
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    since BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (organisation_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (organisation_id, slug)
);

-- organisation_id is set for project tokens too, so that one column says which organisation a token without a person serves
CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'project', 'organisation')),
    key_id TEXT NOT NULL REFERENCES token_keys (id),
    hash BLOB NOT NULL UNIQUE,
    last_four TEXT NOT NULL,
    user_id TEXT REFERENCES users (id),
    project_id TEXT REFERENCES projects (id),
    organisation_id TEXT REFERENCES organisations (id),
    description TEXT NOT NULL,
    reason TEXT,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT,
    revoked_by TEXT,
    revoked_cause TEXT,
    CHECK ((kind = 'user') = (user_id IS NOT NULL)),
    CHECK ((kind = 'project') = (project_id IS NOT NULL)),
    CHECK ((kind = 'user') = (organisation_id IS NULL)),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_organisation ON tokens (organisation_id);

-- which scope a token was seen to use, and when last
CREATE TABLE token_uses (
    token_id TEXT NOT NULL REFERENCES tokens (id),
    scope TEXT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (token_id, scope)
);

-- an organisation's owners stopped this token for their organisation alone
CREATE TABLE blocks (
    token_id TEXT NOT NULL REFERENCES tokens (id),
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    blocked_at BIGINT NOT NULL,
    blocked_by TEXT NOT NULL,
    cause TEXT NOT NULL,
    PRIMARY KEY (token_id, organisation_id)
);

-- each line carries an HMAC over itself and the line before: an edited or missing line shows
CREATE TABLE token_audit (
    number BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    organisation TEXT,
    detail TEXT NOT NULL,
    chain BLOB NOT NULL
);
