"""Says of what is in the ledger already for whom and with which model it was, and sums it up."""

from typing import Any

from django.db import migrations

SPENDERS = """
INSERT INTO billing_spender (id, organization_id, user_id, pseudonym)
SELECT gen_random_uuid(), organization_id, user_id, '' FROM (
    SELECT DISTINCT work.organization_id, coalesce(work.created_by_id, key.created_by_id) AS user_id
    FROM studio_generation work LEFT JOIN accounts_apikey key ON key.id = work.api_key_id
) found WHERE user_id IS NOT NULL ON CONFLICT DO NOTHING
"""
ENTRIES = """
UPDATE billing_ledgerentry entry
SET spender_id = spender.id, api_key_id = work.api_key_id, model_name = model.name
FROM studio_generation work
JOIN registry_modelversion model ON model.id = work.model_id
LEFT JOIN accounts_apikey key ON key.id = work.api_key_id
LEFT JOIN billing_spender spender ON spender.organization_id = work.organization_id
    AND spender.user_id = coalesce(work.created_by_id, key.created_by_id)
WHERE work.id = entry.job_id AND work.organization_id = entry.organization_id
"""
DAYS = """
INSERT INTO billing_usageday (id, organization_id, day, spender_id, api_key_id, model_name, currency, requests,
    prompt_tokens, completion_tokens, tokens, amount_micros)
SELECT gen_random_uuid(), entry.organization_id,
    least(greatest((held.created_at AT TIME ZONE 'UTC')::date, entry.month),
        (entry.month + interval '1 month - 1 day')::date) AS day,
    entry.spender_id, entry.api_key_id, entry.model_name, entry.currency, count(*), sum(entry.prompt_tokens),
    sum(entry.completion_tokens), sum(entry.tokens), sum(entry.amount_micros)
FROM billing_ledgerentry entry JOIN billing_ledgerentry held
    ON held.organization_id = entry.organization_id AND held.job_id = entry.job_id AND held.kind = 'hold'
WHERE entry.kind = 'settle' GROUP BY 2, 3, 4, 5, 6, 7
"""
PERIODS = """
INSERT INTO billing_budgetperiod (id, organization_id, month, owner_id, held_tokens, used_tokens)
SELECT gen_random_uuid(), held.organization_id, held.month, held.spender_id,
    coalesce(sum(held.tokens) FILTER (WHERE closed.id IS NULL), 0), coalesce(sum(closed.tokens), 0)
FROM billing_ledgerentry held LEFT JOIN billing_ledgerentry closed
    ON closed.organization_id = held.organization_id AND closed.job_id = held.job_id AND closed.kind <> 'hold'
WHERE held.kind = 'hold' AND held.spender_id IS NOT NULL GROUP BY 2, 3, 4
"""


def attribute(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        # Also whoever owns the tables is held back by the wall, unless they look across it.
        cursor.execute("SELECT set_config('app.across', 'on', true)")
        for statement in (SPENDERS, ENTRIES, DAYS, PERIODS):
            cursor.execute(statement)
        cursor.execute("SELECT set_config('app.across', 'off', true)")


class Migration(migrations.Migration):
    dependencies = [
        ("studio", "0002_deadlines_and_least_tokens"),
        ("billing", "0006_budgets"),
        ("registry", "0001_initial"),
    ]
    operations = [migrations.RunPython(attribute, migrations.RunPython.noop)]
