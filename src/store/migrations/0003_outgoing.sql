-- Notices that are to be sent: what a run or a server collects, and what a channel did not take. Their claim and their
-- end stand in `notices`. No due time: given up, until a person or a new run asks for it. `sending` is the message in
-- which it is just leaving, '' for none; its due time is then when that message is taken for lost.
CREATE TABLE outgoing (
    id          INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    rule        TEXT NOT NULL,
    owner_key   TEXT NOT NULL,
    channel     TEXT NOT NULL,
    slot        TEXT NOT NULL,
    owner       TEXT NOT NULL,
    about       TEXT NOT NULL,
    due_at      INTEGER,
    tries       INTEGER NOT NULL,
    sending     TEXT NOT NULL,
    UNIQUE (fingerprint, rule, owner_key, slot),
    FOREIGN KEY (fingerprint, rule) REFERENCES leaks (fingerprint, rule)
) STRICT;

CREATE INDEX outgoing_by_owner ON outgoing (owner_key, channel, due_at);

CREATE INDEX outgoing_by_due ON outgoing (due_at);

-- Who said yes to what, without reading the whole ledger for each leak.
CREATE INDEX ledger_approvals ON ledger (fingerprint, rule, seq) WHERE action IN ('approved', 'closed');
