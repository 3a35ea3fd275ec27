-- An index takes no long text, and paths and URLs can be long.
CREATE UNIQUE INDEX sightings_once ON sightings
    (fingerprint, rule, origin, md5(path), length(path), line, col, commit_id);

CREATE FUNCTION unleak_ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;

CREATE TRIGGER ledger_keeps_its_lines BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
FOR EACH STATEMENT EXECUTE FUNCTION unleak_ledger_is_append_only();
