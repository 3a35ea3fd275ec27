-- Words both databases know; BLOB is said as BYTEA to PostgreSQL. Rows are ended, never deleted.

-- keys in the order in which they came; the last one hashes new tokens
ALTER TABLE token_keys ADD COLUMN number BIGINT NOT NULL DEFAULT 1;
ALTER TABLE token_keys ADD COLUMN retired_at BIGINT;

ALTER TABLE organisations ADD COLUMN ended_at BIGINT;

ALTER TABLE blocks ADD COLUMN lifted_at BIGINT;
ALTER TABLE blocks ADD COLUMN lifted_by TEXT;

-- who acts where no person does: of a project, or of a whole organisation
CREATE TABLE service_identities (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    project_id TEXT REFERENCES projects (id),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at BIGINT NOT NULL,
    UNIQUE (organisation_id, slug)
);
ALTER TABLE tokens ADD COLUMN identity_id TEXT REFERENCES service_identities (id);
ALTER TABLE tokens ADD COLUMN preset TEXT;
-- a page of a list is a stretch of an index, however many tokens there are
DROP INDEX tokens_by_user;
DROP INDEX tokens_by_organisation;
CREATE INDEX tokens_by_user_and_age ON tokens (user_id, created_at, id);
CREATE INDEX tokens_by_organisation_and_age ON tokens (organisation_id, created_at, id);
CREATE INDEX tokens_by_project_and_age ON tokens (project_id, created_at, id);
CREATE INDEX tokens_by_identity ON tokens (identity_id);

CREATE TABLE project_administrators (
    project_id TEXT NOT NULL REFERENCES projects (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    since BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX project_administrators_by_user ON project_administrators (user_id);

-- in which organisation a token was seen to use which scope, and for which project; '' where nothing was said
CREATE TABLE token_visits (
    token_id TEXT NOT NULL REFERENCES tokens (id),
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    project TEXT NOT NULL,
    scope TEXT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (token_id, organisation_id, project, scope)
);
CREATE INDEX token_visits_by_organisation ON token_visits (organisation_id, last_used_at);

-- an organisation's owners asked the owner of a token to stop it
CREATE TABLE asks (
    token_id TEXT NOT NULL REFERENCES tokens (id),
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    asked_at BIGINT NOT NULL,
    asked_by TEXT NOT NULL,
    cause TEXT NOT NULL,
    told_at BIGINT,
    PRIMARY KEY (token_id, organisation_id)
);

-- under which key a line was chained; '' is the first one
ALTER TABLE token_audit ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
CREATE INDEX token_audit_by_organisation ON token_audit (organisation, number);

-- the end of the audit log, sealed: lines cut off behind it show
CREATE TABLE token_audit_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    number BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    seal BLOB NOT NULL
);

-- which request made which token, so that it can be sent again without making another
CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request BLOB NOT NULL,
    token_id TEXT NOT NULL REFERENCES tokens (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- when an owner was last sent the review of their tokens
CREATE TABLE review_mails (
    email TEXT NOT NULL PRIMARY KEY,
    sent_at BIGINT NOT NULL
);
