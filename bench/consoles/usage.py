"""Usage: one organization with as many settlements in a month as there are rows, and others beside it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg

PEOPLE, MODELS, OTHERS = 300, 3, 5
PERSONS = """
INSERT INTO accounts_user (id, email, name, password, is_superuser, is_active, is_staff)
SELECT uuidv7(), 'spender' || n || '@example.com', '', '!', false, true, false FROM generate_series(1, %(count)s) n
"""
SPENDERS = """
INSERT INTO billing_spender (id, organization_id, user_id, pseudonym)
SELECT uuidv7(), %(organization)s, id, '' FROM accounts_user WHERE email LIKE 'spender%%@example.com'
"""
# A hold and its settlement for each row, spread over the days of this month that have been, people and models.
ENTRIES = """
WITH person AS MATERIALIZED (
    SELECT id, row_number() OVER () - 1 AS place FROM billing_spender WHERE organization_id = %(organization)s
), work AS MATERIALIZED (
    SELECT n, gen_random_uuid() AS job, person.id AS spender, 'model ' || n %% %(models)s AS model,
        date_trunc('month', now()) + (now() - date_trunc('month', now())) * (n / %(rows)s::float) AS moment
    FROM generate_series(0, %(rows)s - 1) n JOIN person ON person.place = n %% (SELECT count(*) FROM person)
)
INSERT INTO billing_ledgerentry (id, organization_id, job_id, kind, month, day, occurred_at, prompt_tokens,
    completion_tokens, tokens, amount_micros, currency, spender_id, model_name, created_at)
SELECT uuidv7(), %(organization)s, job, kind, date_trunc('month', now() AT TIME ZONE 'UTC')::date,
    (moment AT TIME ZONE 'UTC')::date, moment,
    CASE kind WHEN 'settle' THEN 200 ELSE 0 END, CASE kind WHEN 'settle' THEN 100 ELSE 0 END, 300,
    CASE kind WHEN 'settle' THEN 450 ELSE 0 END, 'USD', spender, model, moment
FROM work, (VALUES ('hold'), ('settle')) kinds(kind) ORDER BY n, kind
"""
HOURS = """
INSERT INTO billing_usagehour (id, organization_id, hour, spender_id, model_name, meter, currency, charge_currency,
    requests, quantity, prompt_tokens, completion_tokens, tokens, amount_micros, charge_micros)
SELECT uuidv7(), organization_id, date_trunc('hour', occurred_at, 'UTC'), spender_id, model_name, '', currency, '',
    count(*), 0, sum(prompt_tokens), sum(completion_tokens), sum(tokens), sum(amount_micros), 0
FROM billing_ledgerentry WHERE kind = 'settle' AND organization_id = %(organization)s GROUP BY 2, 3, 4, 5, 7
"""


def fill(owner: psycopg.Connection[Any], organization_id: UUID, rows: int) -> None:
    """The ledger and its sums by hour, as settlements leave them."""
    owner.execute(PERSONS, {"count": PEOPLE})
    found = [(organization_id, rows)]
    for number in range(OTHERS):
        made: Any = owner.execute(
            "INSERT INTO accounts_organization (id, name, slug, language) VALUES (uuidv7(), %s, %s, 'en') RETURNING id",
            [f"Spending {number}", f"spending-{number}"],
        ).fetchone()
        found.append((made[0], rows // 10))
    for organization, count in found:
        this = {"organization": organization, "rows": count, "models": MODELS}
        for statement in (SPENDERS, ENTRIES, HOURS):
            owner.execute(statement, this)


def pages(owner: psycopg.Connection[Any], organization_id: UUID, rows: int) -> dict[str, str]:
    """What is measured: a title, and the address."""
    middle: Any = owner.execute(
        "SELECT id, spender_id, (created_at AT TIME ZONE 'UTC')::date FROM billing_ledgerentry"
        " WHERE organization_id = %s AND kind = 'settle' ORDER BY id OFFSET %s LIMIT 1",
        [organization_id, rows // 2],
    ).fetchone()
    page, ledger, api = "/settings/usage/", "/settings/usage/ledger/", "/api/v1/usage/breakdown"
    return {
        "by meter": page,
        "by member": f"{page}?by=member",
        "by key": f"{page}?by=key",
        "by model": f"{page}?by=model",
        "by day": f"{page}?by=day",
        "by model, of one member": f"{page}?by=model&member={middle[1]}",
        "by member, of one model": f"{page}?by=member&model=model+1",
        "by meter, of one day": f"{page}?by=meter&day={middle[2]}",
        "ledger, first page": ledger,
        "ledger, a page in the middle": f"{ledger}?before={middle[0]}",
        "ledger, of one member": f"{ledger}?member={middle[1]}",
        "ledger, of one day": f"{ledger}?day={middle[2]}",
        "API, by member": f"{api}?by=member",
    }
