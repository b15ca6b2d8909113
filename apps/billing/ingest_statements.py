"""What the writing of usage events asks of the database; each names the organization, behind which its wall stands."""

from __future__ import annotations

from apps.billing.statements import ADD_TO_HOUR

OPEN_MONTHS = """
INSERT INTO billing_usageperiod (id, organization_id, month, held_tokens, used_tokens, spent_micros)
SELECT gen_random_uuid(), %(organization)s, month, 0, 0, 0 FROM unnest(%(months)s::date[]) month ORDER BY month
ON CONFLICT (organization_id, month) DO NOTHING
"""
# In their order, so that no two batches wait for each other.
LOCK_MONTHS = """
SELECT month, closed_at IS NOT NULL FROM billing_usageperiod
WHERE organization_id = %(organization)s AND month = ANY(%(months)s) ORDER BY month FOR UPDATE
"""
# Asked after the lock, since a statement that waits for one sees the rest as it was before it waited. One look into the
# unique index for each event, also where PostgreSQL has no statistics yet: with `kind` in it, or as a plain join, it
# would take another index for as good, and read all of an organization's lines.
KNOWN = """
SELECT sent.place - 1, known.content_digest
FROM unnest(%(sources)s::text[], %(event_ids)s::text[]) WITH ORDINALITY sent (source, event_id, place)
CROSS JOIN LATERAL (
    SELECT entry.content_digest FROM billing_ledgerentry entry
    WHERE entry.organization_id = %(organization)s AND entry.event_id <> ''
        AND entry.source = sent.source AND entry.event_id = sent.event_id LIMIT 1
) known
"""
# Of which hour and month a line is: what came late counts where it arrived.
COUNTED_AT = "CASE WHEN late_from IS NULL THEN occurred_at ELSE created_at END"
# The lines and every sum that they count in. Only what was inserted is summed up.
WRITE = f"""
WITH sent AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(meters)s::text[], %(quantities)s::bigint[], %(charges)s::bigint[],
        %(sources)s::text[], %(event_ids)s::text[], %(digests)s::bytea[],
        %(times)s::timestamptz[], %(counted)s::timestamptz[], %(late)s::date[], %(spenders)s::uuid[],
        %(models)s::text[], %(teams)s::text[], %(terms)s::text[])
    sent (id, meter, quantity, charge, source, event_id, digest, occurred_at, counted_at, late_from, spender_id,
        model_name, team_ids, terms)
), fresh AS (
    INSERT INTO billing_ledgerentry (id, organization_id, kind, month, day, occurred_at, created_at, late_from, meter,
        quantity, prompt_tokens, completion_tokens, amount_micros, currency, charge_micros,
        charge_currency, source, event_id, content_digest, spender_id, api_key_id, model_name, team_ids, terms)
    SELECT id, %(organization)s, 'usage', date_trunc('month', counted_at AT TIME ZONE 'UTC')::date,
        (counted_at AT TIME ZONE 'UTC')::date, occurred_at, %(now)s, late_from, meter, quantity, 0, 0, 0, 'USD', charge,
        %(currency)s, source, event_id, digest, spender_id, %(key)s, model_name, team_ids::uuid[],
        terms::jsonb
    FROM sent
    ON CONFLICT (organization_id, source, event_id) WHERE event_id <> '' DO NOTHING
    RETURNING *
), hour AS (
    INSERT INTO billing_usagehour AS hour (id, organization_id, hour, spender_id, api_key_id, model_name, meter,
        currency, charge_currency, team_ids, requests, quantity, prompt_tokens, completion_tokens, tokens,
        amount_micros, charge_micros)
    SELECT gen_random_uuid(), %(organization)s, date_trunc('hour', {COUNTED_AT}, 'UTC') AS hour, spender_id, api_key_id,
        model_name, meter, currency, charge_currency, team_ids, count(*), sum(quantity), 0, 0, 0, 0,
        sum(charge_micros)
    FROM fresh GROUP BY 3, 4, 5, 6, 7, 8, 9, 10
    {ADD_TO_HOUR}
), meter AS (
    INSERT INTO billing_meterperiod AS period (id, organization_id, month, meter, held, used, charged_micros)
    SELECT gen_random_uuid(), %(organization)s, month, meter, 0, sum(quantity), sum(charge_micros)
    FROM fresh GROUP BY month, meter
    ON CONFLICT (organization_id, month, meter) DO UPDATE SET used = period.used + excluded.used,
        charged_micros = period.charged_micros + excluded.charged_micros
)
SELECT count(*) FROM fresh
"""
