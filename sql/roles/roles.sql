-- Group roles without login: a user's server grants them to its own logins. They belong to the whole server, so another
-- database may have made them already, and a downgrade leaves them.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['goldsignal_owner', 'goldsignal_writer', 'goldsignal_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL;
                WHEN insufficient_privilege THEN
                    RAISE WARNING 'role % was not created: % may not create roles; ask an administrator for it if you want it',
                        role_name, current_user;
            END;
        END IF;
    END LOOP;
END
$$;
