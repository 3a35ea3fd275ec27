-- What people look at: a row for every leak under the organisation '', and one for each organisation that its token
-- opens, in lower case. It is made from `leaks` in the transaction that changes the leak, and from nothing else but what
-- people and the policy said last: `decision`, `dismissed`. Its first line of `words` is what the leak is, the others are
-- places. `severity` counts from 0, critical, to 4, info.
CREATE TABLE listed (
    organisation TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    rule         TEXT NOT NULL,
    service      TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('live', 'unknown', 'dead', 'dismissed')),
    decision     TEXT NOT NULL,
    dismissed    INTEGER NOT NULL,
    severity     INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    dead_at      INTEGER,
    lasted       INTEGER,
    words        TEXT NOT NULL,
    PRIMARY KEY (organisation, fingerprint, rule),
    FOREIGN KEY (fingerprint, rule) REFERENCES leaks (fingerprint, rule)
) STRICT;

-- A page of a list is a stretch of one of these; what is filtered besides stands in them, too.
CREATE INDEX listed_by_age ON listed (organisation, at, fingerprint, rule, severity);
CREATE INDEX listed_by_state ON listed (organisation, state, at, fingerprint, rule, severity, decision);
CREATE INDEX listed_by_end ON listed (organisation, lasted, dead_at) WHERE lasted IS NOT NULL;
CREATE INDEX listed_of_leak ON listed (fingerprint, rule);

CREATE INDEX ledger_by_leak ON ledger (fingerprint, rule, seq);
