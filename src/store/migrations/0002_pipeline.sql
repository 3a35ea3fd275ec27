-- What came in from outside, so that a replay is known by its id and by its content. `outcome` is what was known of
-- its leaks when it came first. '' stands for "the door gives no ids".
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    door        TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    content     TEXT NOT NULL,
    at          INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    UNIQUE (door, content)
) STRICT;

CREATE UNIQUE INDEX deliveries_by_id ON deliveries (door, delivery_id) WHERE delivery_id <> '';

CREATE INDEX deliveries_by_time ON deliveries (at);

-- One for each leak that something is still to be done about. `wanted` counts how often it was asked for, so that a
-- worker sees that it was wanted again while it worked. `sealed` holds the secret of a closed leak that was seen again,
-- until it was asked about. `wakes` is 1 where a new report need not wait until `due_at`.
CREATE TABLE tasks (
    fingerprint TEXT NOT NULL,
    rule        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('due', 'running', 'dead')),
    wanted      INTEGER NOT NULL,
    put_at      INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    wakes       INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    lease       TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    why         TEXT NOT NULL,
    sealed      BLOB,
    PRIMARY KEY (fingerprint, rule),
    FOREIGN KEY (fingerprint, rule) REFERENCES leaks (fingerprint, rule)
) STRICT;

CREATE INDEX tasks_by_time ON tasks (state, due_at);
