-- What each role may do; may be applied again after every revision that adds a table. A role that could not be created is
-- passed over.
DO $$
DECLARE
    append_only CONSTANT text[] := ARRAY['raw_candles', 'operator_events', 'gate_events', 'alerts'];
    relation record;
    role_name text;
    rights text;
BEGIN
    FOR role_name IN
        SELECT rolname FROM pg_roles WHERE rolname IN ('goldsignal_owner', 'goldsignal_writer', 'goldsignal_reader')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA goldsignal TO %I', role_name);
        FOR relation IN
            SELECT relname, relkind FROM pg_class WHERE relnamespace = 'goldsignal'::regnamespace AND relkind IN ('r', 'v')
        LOOP
            rights := CASE
                WHEN role_name = 'goldsignal_owner' THEN 'ALL'
                WHEN role_name = 'goldsignal_reader' OR relation.relkind = 'v' OR relation.relname = 'alembic_version'
                    THEN 'SELECT'
                WHEN relation.relname = ANY (append_only) THEN 'SELECT, INSERT'
                ELSE 'SELECT, INSERT, UPDATE, DELETE'
            END;
            EXECUTE format('REVOKE ALL ON goldsignal.%I FROM %I', relation.relname, role_name);
            EXECUTE format('GRANT %s ON goldsignal.%I TO %I', rights, relation.relname, role_name);
        END LOOP;
    END LOOP;
END
$$;
