"""The searched words of a member, in the tenant's own row: kept by the database, whoever changes a name or an address."""

# One space before each word. The collation makes small letters, and tells letters from others, in every script.
#
# A person whose row is being changed is waited for, so that a new membership never takes the words of a moment ago.
KEEP = r"""
CREATE FUNCTION member_words(email text, name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(lower((' ' || email || ' ' || name) COLLATE pg_unicode_fast), '[^[:alnum:]]+', ' ', 'g')
$$;

CREATE FUNCTION keep_member_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT member_words(email, name) INTO NEW.search FROM accounts_user WHERE id = NEW.user_id FOR SHARE;
    NEW.search := coalesce(NEW.search, '');
    RETURN NEW;
END $$;
CREATE TRIGGER keep_member_words BEFORE INSERT OR UPDATE OF user_id, search ON accounts_membership
    FOR EACH ROW EXECUTE FUNCTION keep_member_words();

-- In every organization that the person belongs to, whichever the change is made in; nothing but their words is touched.
CREATE FUNCTION pass_on_member_words() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    across_before constant text := coalesce(current_setting('app.across', true), '');
BEGIN
    PERFORM set_config('app.across', 'on', true);
    UPDATE accounts_membership SET search = '' WHERE user_id = NEW.id;
    PERFORM set_config('app.across', across_before, true);
    RETURN NULL;
END $$;
CREATE TRIGGER pass_on_member_words AFTER UPDATE OF email, name ON accounts_user FOR EACH ROW
    WHEN ((OLD.email, OLD.name) IS DISTINCT FROM (NEW.email, NEW.name)) EXECUTE FUNCTION pass_on_member_words();
"""
UNKEEP = """
DROP TRIGGER pass_on_member_words ON accounts_user;
DROP TRIGGER keep_member_words ON accounts_membership;
DROP FUNCTION pass_on_member_words();
DROP FUNCTION keep_member_words();
DROP FUNCTION member_words(text, text);
"""
