-- I3: append-only tables only grow. An owner who must remove old rows says so for one transaction with
-- SET LOCAL goldsignal.retention = 'on'; nobody may update.
CREATE FUNCTION goldsignal.refuse_change()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP <> 'UPDATE' AND current_setting('goldsignal.retention', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '%.% only grows: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;

COMMENT ON FUNCTION goldsignal.refuse_change() IS 'Trigger of append-only tables: refuses UPDATE, DELETE and TRUNCATE.';

CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON goldsignal.raw_candles
    FOR EACH STATEMENT EXECUTE FUNCTION goldsignal.refuse_change();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON goldsignal.operator_events
    FOR EACH STATEMENT EXECUTE FUNCTION goldsignal.refuse_change();
