CREATE UNIQUE INDEX sightings_once ON sightings (fingerprint, rule, origin, path, line, col, commit_id);

CREATE TRIGGER ledger_keeps_its_lines BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER ledger_loses_no_line BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
