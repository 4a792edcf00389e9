-- A published signal stands: rows of origin live are never updated or deleted, whoever asks. Backfill rows may come and go.
CREATE FUNCTION goldsignal.refuse_live_change()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '%.% keeps what was published: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;

COMMENT ON FUNCTION goldsignal.refuse_live_change() IS
    'Trigger of signals and their events: refuses to change or remove rows of origin live.';

CREATE TRIGGER published_stays BEFORE UPDATE OR DELETE ON goldsignal.signals
    FOR EACH ROW WHEN (OLD.origin = 'live') EXECUTE FUNCTION goldsignal.refuse_live_change();
CREATE TRIGGER published_stays_whole BEFORE TRUNCATE ON goldsignal.signals
    FOR EACH STATEMENT EXECUTE FUNCTION goldsignal.refuse_live_change();
CREATE TRIGGER published_stays BEFORE UPDATE OR DELETE ON goldsignal.signal_events
    FOR EACH ROW WHEN (OLD.origin = 'live') EXECUTE FUNCTION goldsignal.refuse_live_change();
CREATE TRIGGER published_stays_whole BEFORE TRUNCATE ON goldsignal.signal_events
    FOR EACH STATEMENT EXECUTE FUNCTION goldsignal.refuse_live_change();

CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON goldsignal.gate_events
    FOR EACH STATEMENT EXECUTE FUNCTION goldsignal.refuse_change();
