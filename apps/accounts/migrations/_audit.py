"""The functions and triggers of the audit trail: an organization's chain, and the installation's own."""

CHAIN = r"""
CREATE FUNCTION audit_digest(words text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(words, 'UTF8')), 'hex')
$$;

-- Gives an entry its place in the chain of its organization. The head stays locked until the transaction ends, so
-- numbers have no gaps and follow the order of commits. Python computes the same in apps/accounts/audit/chain.py.
CREATE FUNCTION audit_seal(entry accounts_auditentry) RETURNS accounts_auditentry LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    LOOP
        SELECT sequence, hash INTO last FROM accounts_audithead
            WHERE organization_id = entry.organization_id FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO accounts_audithead (id, organization_id, sequence, hash)
            VALUES (gen_random_uuid(), entry.organization_id, 0, repeat('0', 64)) ON CONFLICT DO NOTHING;
    END LOOP;
    entry.sequence := last.sequence + 1;
    entry.previous_hash := last.hash;
    entry.transaction_id := pg_current_xact_id()::text::bigint;
    entry.erasure := NULL;
    entry.salt := replace(gen_random_uuid()::text, '-', '');
    entry.content_digest := audit_digest(entry.salt || jsonb_build_array(
        entry.actor_name, entry.impersonator_name, entry.object_name, entry.address, entry.agent,
        entry.before, entry.after, entry.detail)::text);
    entry.hash := audit_digest(jsonb_build_array(
        1, entry.id, entry.organization_id, entry.sequence,
        to_char(entry.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.transaction_id,
        entry.actor_kind, entry.user_id, entry.api_key_id, entry.impersonator_id,
        entry.action, entry.object_type, entry.object_id, entry.request_id,
        entry.content_digest, entry.previous_hash)::text);
    UPDATE accounts_audithead SET sequence = entry.sequence, hash = entry.hash
        WHERE organization_id = entry.organization_id;
    RETURN entry;
END $$;

-- Notes which entry a transaction wrote last, for what the transaction does to tables of no organization. Whoever sets
-- the note to something else is found out: the entry it names is looked up.
CREATE FUNCTION audit_seal_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Waits for the head first: the times of a chain then never run backwards.
    PERFORM 1 FROM accounts_audithead WHERE organization_id = NEW.organization_id FOR UPDATE;
    NEW.created_at := clock_timestamp();
    PERFORM set_config('audit.entry', NEW.organization_id || '/' || NEW.id, true);
    RETURN audit_seal(NEW);
END $$;

CREATE FUNCTION audit_is_secret(column_name text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT column_name ~ '(password|digest|secret|token|hash|salt|private|cipher|envelope|sealed|(^|_)key$)'
$$;

-- What may be shown of a row: secrets stand there as a mark, and only where one was changed.
CREATE FUNCTION audit_shown(this jsonb, other jsonb, without text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_object_agg(key, CASE WHEN audit_is_secret(key) THEN '"(secret)"'::jsonb ELSE value END), '{}')
    FROM jsonb_each(this)
    WHERE key <> ALL (without) AND key <> 'organization_id'
        AND CASE WHEN other IS NULL THEN NOT audit_is_secret(key) ELSE value IS DISTINCT FROM other -> key END
$$;

-- Runs when the transaction commits: by then whoever changed a row as a service has recorded it. What no entry of this
-- transaction names is recorded here; with the actor of the transaction's last entry, or, when there is none, as done
-- outside the application. Runs with the rights of whoever made the change, who must be allowed to add entries.
CREATE FUNCTION audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    label constant text := TG_ARGV[0];
    without constant text[] := string_to_array(TG_ARGV[2], ',');
    was constant jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    is_now constant jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    thing constant jsonb := coalesce(is_now, was);
    organization constant uuid := (CASE WHEN label = 'accounts.organization' THEN thing ->> 'id'
        ELSE thing ->> 'organization_id' END)::uuid;
    this_transaction constant bigint := pg_current_xact_id()::text::bigint;
    before constant jsonb := CASE WHEN was IS NOT NULL THEN audit_shown(was, is_now, without) END;
    after constant jsonb := CASE WHEN is_now IS NOT NULL THEN audit_shown(is_now, was, without) END;
    scope_before constant text := coalesce(current_setting('app.org', true), '');
    latest accounts_auditentry;
    called text;
BEGIN
    IF TG_OP = 'UPDATE' AND after = '{}' THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('app.org', organization::text, true);
    IF NOT EXISTS (SELECT FROM accounts_organization WHERE id = organization) THEN
        PERFORM set_config('app.org', scope_before, true);
        RETURN NULL;
    END IF;
    -- Whoever has added an entry holds the head, so the latest one is this transaction's or there is none of it. Numbers
    -- of transactions begin anew in a restored database: the time tells those apart.
    SELECT * INTO latest FROM accounts_auditentry WHERE organization_id = organization ORDER BY sequence DESC LIMIT 1;
    IF latest.transaction_id IS DISTINCT FROM this_transaction OR latest.created_at < now() THEN
        latest := NULL;
    ELSIF EXISTS (
        SELECT FROM accounts_auditentry WHERE organization_id = organization AND object_id = (thing ->> 'id')::uuid
            AND object_type = label AND transaction_id = this_transaction AND created_at >= now()
            AND action NOT LIKE 'row.%' AND action NOT LIKE 'database.%'
    ) THEN
        PERFORM set_config('app.org', scope_before, true);
        RETURN NULL;
    END IF;
    IF TG_ARGV[1] = 'user_id' THEN
        SELECT email INTO called FROM accounts_user WHERE id = (thing ->> 'user_id')::uuid;
    ELSE
        called := thing ->> TG_ARGV[1];
    END IF;
    INSERT INTO accounts_auditentry (
        id, organization_id, actor_kind, user_id, api_key_id, impersonator_id, actor_name, impersonator_name,
        action, object_type, object_id, object_name, before, after, detail, address, agent, request_id,
        created_at, sequence, transaction_id, salt, content_digest, previous_hash, hash
    ) VALUES (
        gen_random_uuid(), organization, coalesce(latest.actor_kind, 'database'), latest.user_id, latest.api_key_id,
        latest.impersonator_id, coalesce(latest.actor_name, session_user), coalesce(latest.impersonator_name, ''),
        CASE WHEN coalesce(latest.actor_kind, 'database') = 'database' THEN 'database.' ELSE 'row.' END || CASE TG_OP
            WHEN 'INSERT' THEN 'inserted' WHEN 'UPDATE' THEN 'updated' ELSE 'deleted' END,
        label, (thing ->> 'id')::uuid, left(coalesce(called, ''), 254), before, after,
        jsonb_build_object('database_role', current_user, 'database_login', session_user,
            'program', current_setting('application_name', true)),
        coalesce(latest.address, host(inet_client_addr()), ''), coalesce(latest.agent, ''),
        coalesce(latest.request_id, ''), now(), 0, 0, '', '', '', ''
    );
    PERFORM set_config('app.org', scope_before, true);
    RETURN NULL;
END $$;

CREATE FUNCTION audit_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('audit.may_truncate', true), '') <> 'on' THEN
        RAISE EXCEPTION 'The table % is audited: delete its rows instead of truncating it', TG_TABLE_NAME
            USING HINT = 'SET audit.may_truncate = ''on'' to empty it without a trace.';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER audit_seal BEFORE INSERT ON accounts_auditentry FOR EACH ROW EXECUTE FUNCTION audit_seal_new();
"""
DROP_CHAIN = """
DROP TRIGGER audit_seal ON accounts_auditentry;
DROP FUNCTION audit_truncate();
DROP FUNCTION audit_change();
DROP FUNCTION audit_shown(jsonb, jsonb, text[]);
DROP FUNCTION audit_is_secret(text);
DROP FUNCTION audit_seal_new();
DROP FUNCTION audit_seal(accounts_auditentry);
DROP FUNCTION audit_digest(text);
"""
INSTALLATION = r"""
CREATE FUNCTION installation_seal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('audit installation', 0));
    SELECT sequence, hash INTO last FROM accounts_installationentry ORDER BY sequence DESC LIMIT 1;
    NEW.created_at := clock_timestamp();
    NEW.sequence := coalesce(last.sequence, 0) + 1;
    NEW.previous_hash := coalesce(last.hash, repeat('0', 64));
    NEW.transaction_id := pg_current_xact_id()::text::bigint;
    NEW.salt := replace(gen_random_uuid()::text, '-', '');
    NEW.content_digest := audit_digest(NEW.salt || jsonb_build_array(
        NEW.actor_name, '', NEW.object_name, NEW.address, '', NEW.before, NEW.after, NEW.detail)::text);
    NEW.hash := audit_digest(jsonb_build_array(
        1, NEW.id, '00000000-0000-0000-0000-000000000000', NEW.sequence,
        to_char(NEW.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), NEW.transaction_id,
        NEW.actor_kind, null, null, null, NEW.action, NEW.object_type, NEW.object_id, '',
        NEW.content_digest, NEW.previous_hash)::text);
    RETURN NEW;
END $$;

CREATE TRIGGER installation_seal BEFORE INSERT ON accounts_installationentry
    FOR EACH ROW EXECUTE FUNCTION installation_seal();
REVOKE UPDATE, DELETE, TRUNCATE ON accounts_installationentry FROM millrace_app;

-- What audit_change is for an organization's tables. An act that an organization's entry tells of is referred to.
CREATE FUNCTION installation_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    label constant text := TG_ARGV[0];
    watched constant text[] := string_to_array(TG_ARGV[2], ',');
    needed constant text[] := string_to_array(TG_ARGV[3], ',');
    old_row constant jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    new_row constant jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    thing constant jsonb := coalesce(new_row, old_row);
    this_transaction constant bigint := pg_current_xact_id()::text::bigint;
    note constant text := coalesce(current_setting('audit.entry', true), '');
    scope_before constant text := coalesce(current_setting('app.org', true), '');
    was jsonb;
    is_now jsonb;
    act uuid;
BEGIN
    SELECT jsonb_object_agg(key, value) INTO was FROM jsonb_each(old_row)
        WHERE key = ANY (watched) AND (new_row IS NULL OR value IS DISTINCT FROM new_row -> key);
    SELECT jsonb_object_agg(key, value) INTO is_now FROM jsonb_each(new_row)
        WHERE key = ANY (watched) AND (old_row IS NULL OR value IS DISTINCT FROM old_row -> key);
    IF TG_OP = 'UPDATE' AND is_now IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'UPDATE' AND needed <> '{}' AND NOT EXISTS (
        SELECT FROM unnest(needed) AS name WHERE thing -> name = 'true'::jsonb
    ) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (
        SELECT FROM accounts_installationentry WHERE object_id = (thing ->> 'id')::uuid AND object_type = label
            AND transaction_id = this_transaction AND created_at >= now()
            AND action NOT LIKE 'row.%' AND action NOT LIKE 'database.%'
    ) THEN
        RETURN NULL;
    END IF;
    IF note <> '' THEN
        PERFORM set_config('app.org', split_part(note, '/', 1), true);
        SELECT id INTO act FROM accounts_auditentry WHERE organization_id = split_part(note, '/', 1)::uuid
            AND id = split_part(note, '/', 2)::uuid AND transaction_id = this_transaction AND created_at >= now()
            AND actor_kind <> 'database';
        PERFORM set_config('app.org', scope_before, true);
    END IF;
    INSERT INTO accounts_installationentry (
        id, actor_kind, actor_name, action, object_type, object_id, object_name, address, before, after, detail,
        created_at, sequence, transaction_id, salt, content_digest, previous_hash, hash
    ) VALUES (
        gen_random_uuid(), CASE WHEN act IS NULL THEN 'database' ELSE 'organization' END,
        CASE WHEN act IS NULL THEN session_user ELSE split_part(note, '/', 1) END,
        CASE WHEN act IS NULL THEN 'database.' ELSE 'row.' END || CASE TG_OP
            WHEN 'INSERT' THEN 'inserted' WHEN 'UPDATE' THEN 'updated' ELSE 'deleted' END,
        label, (thing ->> 'id')::uuid, left(coalesce(thing ->> nullif(TG_ARGV[1], ''), ''), 254),
        coalesce(host(inet_client_addr()), ''), was, is_now,
        jsonb_build_object('database_role', current_user, 'database_login', session_user,
            'program', current_setting('application_name', true), 'entry', act),
        now(), 0, 0, '', '', '', ''
    );
    RETURN NULL;
END $$;
"""
DROP_INSTALLATION = """
DROP FUNCTION installation_change();
DROP TRIGGER installation_seal ON accounts_installationentry;
DROP FUNCTION installation_seal();
"""
