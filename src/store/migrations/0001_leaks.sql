-- Times are microseconds since 1970 UTC; JSON columns hold the words of `leak` as serde writes them.

CREATE TABLE leaks (
    fingerprint TEXT NOT NULL,
    rule        TEXT NOT NULL,
    redacted    TEXT NOT NULL,
    severity    TEXT NOT NULL,
    first_seen  INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    verdict     TEXT,
    identity    TEXT NOT NULL,
    owners      TEXT NOT NULL,
    revocation  TEXT,
    containment TEXT,
    sealed      BLOB,
    closed_at   INTEGER,
    PRIMARY KEY (fingerprint, rule),
    CHECK ((sealed IS NULL) = (closed_at IS NOT NULL))
) STRICT;

-- '' stands for "no commit", because NULL is never equal to NULL in a unique index.
CREATE TABLE sightings (
    id          INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    rule        TEXT NOT NULL,
    origin      TEXT NOT NULL,
    path        TEXT NOT NULL,
    line        INTEGER NOT NULL,
    col         INTEGER NOT NULL,
    commit_id   TEXT NOT NULL,
    commit_info TEXT,
    FOREIGN KEY (fingerprint, rule) REFERENCES leaks (fingerprint, rule)
) STRICT;

CREATE TABLE notices (
    id          INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    rule        TEXT NOT NULL,
    owner_key   TEXT NOT NULL,
    channel     TEXT NOT NULL,
    owner       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('claimed', 'sent', 'failed')),
    at          INTEGER NOT NULL,
    why         TEXT,
    UNIQUE (fingerprint, rule, owner_key, channel),
    FOREIGN KEY (fingerprint, rule) REFERENCES leaks (fingerprint, rule)
) STRICT;

CREATE TABLE ledger (
    seq         INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    action      TEXT NOT NULL,
    fingerprint TEXT,
    rule        TEXT,
    actor       TEXT NOT NULL,
    detail      TEXT NOT NULL,
    prev        TEXT NOT NULL,
    hash        TEXT NOT NULL
) STRICT;

CREATE INDEX ledger_by_action ON ledger (action, at);

CREATE TABLE marks (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
