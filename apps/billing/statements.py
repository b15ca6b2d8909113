"""What holds and settlements ask of the database, each in one statement."""

from __future__ import annotations

# Asked for every piece of work, and so without the models: building a query takes longer than answering it. Each of
# them names the organization, behind which row-level security stands.
PLAN = """
SELECT * FROM billing_plan plan WHERE plan.id = coalesce(
    (SELECT plan_id FROM billing_subscription WHERE organization_id = %(organization)s),
    (SELECT free.id FROM billing_plan free WHERE free.code = %(free)s)
)
"""
# Who is behind a call: the person who calls, or whoever owns the key.
BY_PERSON = "SELECT %(user)s::uuid AS user_id, NULL::uuid AS service_account_id"
BY_KEY = """
    SELECT member.user_id, key.service_account_id FROM accounts_apikey key LEFT JOIN accounts_membership member
        ON member.organization_id = %(organization)s AND member.id = key.member_id
    WHERE key.organization_id = %(organization)s AND key.id = %(key)s
"""
# A row for each whose sums the work counts in: the member, and the teams that they are in. What is read beside the
# locked row is as old as the statement, which for teams and budgets is new enough; sums are read after it. The lock is
# taken apart from the joins: PostgreSQL would evaluate them anew for a row that has changed while it waited, and double
# what they find.
LOCK = """
WITH period AS (
    SELECT used_tokens, held_tokens, spent_micros FROM billing_usageperiod
    WHERE organization_id = %(organization)s AND month = %(month)s FOR UPDATE
), caller AS ({caller})
SELECT period.used_tokens, period.held_tokens, period.spent_micros,
    coalesce(caller.user_id, caller.service_account_id),
    owner.kind, owner.id, owner.monthly_tokens
FROM period LEFT JOIN caller ON true LEFT JOIN LATERAL (
    SELECT CASE WHEN spender.user_id IS NULL THEN 'service_account' ELSE 'member' END AS kind, spender.id,
        coalesce(own.monthly_tokens, common.monthly_tokens) AS monthly_tokens
    FROM billing_spender spender
    LEFT JOIN billing_budget own ON own.organization_id = %(organization)s AND own.spender_id = spender.id
    LEFT JOIN billing_budget common ON common.organization_id = %(organization)s AND common.kind = 'default'
        AND spender.user_id IS NOT NULL
    WHERE spender.organization_id = %(organization)s
        AND (spender.user_id = caller.user_id OR spender.service_account_id = caller.service_account_id)
    UNION ALL
    SELECT 'team', place.team_id, budget.monthly_tokens
    FROM accounts_membership member
    JOIN accounts_teammembership place
        ON place.organization_id = %(organization)s AND place.membership_id = member.id
    LEFT JOIN billing_budget budget ON budget.organization_id = %(organization)s AND budget.team_id = place.team_id
    WHERE member.organization_id = %(organization)s AND member.user_id = caller.user_id
) owner ON true
"""
OPEN = """
INSERT INTO billing_usageperiod (id, organization_id, month, held_tokens, used_tokens, spent_micros)
VALUES (%(id)s, %(organization)s, %(month)s, 0, 0, 0) ON CONFLICT (organization_id, month) DO NOTHING
"""
OPEN_SPENDER = """
INSERT INTO billing_spender (id, organization_id, user_id, service_account_id, pseudonym)
SELECT %(id)s, %(organization)s, user_id, service_account_id, '' FROM ({caller}) caller
WHERE coalesce(user_id, service_account_id) IS NOT NULL ON CONFLICT DO NOTHING
"""
# The same for a person and for a key.
LOCK_BY_PERSON, LOCK_BY_KEY = LOCK.format(caller=BY_PERSON), LOCK.format(caller=BY_KEY)
OPEN_PERSON, OPEN_KEY = OPEN_SPENDER.format(caller=BY_PERSON), OPEN_SPENDER.format(caller=BY_KEY)
USED = """
SELECT owner_id, used_tokens + held_tokens, refused_at IS NOT NULL FROM billing_budgetperiod
WHERE organization_id = %(organization)s AND month = %(month)s AND owner_id = ANY(%(owners)s)
"""
ENTRY = """
INSERT INTO billing_ledgerentry (id, organization_id, job_id, kind, month, day, prompt_tokens, completion_tokens,
    tokens, amount_micros, currency, spender_id, api_key_id, model_name, team_ids)
"""
HOLD = f"""
WITH period AS (
    UPDATE billing_usageperiod SET held_tokens = held_tokens + %(tokens)s
    WHERE organization_id = %(organization)s AND month = %(month)s
), owner AS (
    INSERT INTO billing_budgetperiod (id, organization_id, month, owner_id, held_tokens, used_tokens)
    SELECT gen_random_uuid(), %(organization)s, %(month)s, owner_id, %(tokens)s, 0
    FROM unnest(%(owners)s::uuid[]) owner_id
    ON CONFLICT (organization_id, month, owner_id)
        DO UPDATE SET held_tokens = billing_budgetperiod.held_tokens + excluded.held_tokens
)
{ENTRY} VALUES (%(id)s, %(organization)s, %(job)s, 'hold', %(month)s, %(day)s, 0, 0, %(tokens)s, 0, 'USD',
    %(spender)s, %(key)s, %(model)s, %(teams)s) RETURNING *
"""
# Month and day are those of the hold: work that runs over midnight of the first is charged where it was reserved.
CLOSE = f"""
WITH held AS (
    SELECT month, day, tokens, spender_id, api_key_id, model_name, team_ids
    FROM billing_ledgerentry WHERE organization_id = %(organization)s AND job_id = %(job)s AND kind = 'hold'
), period AS (
    UPDATE billing_usageperiod period SET held_tokens = held_tokens - held.tokens,
        used_tokens = used_tokens + %(tokens)s, spent_micros = spent_micros + %(amount)s
    FROM held WHERE period.organization_id = %(organization)s AND period.month = held.month
    RETURNING period.month
), owner AS (
    UPDATE billing_budgetperiod owner SET held_tokens = owner.held_tokens - held.tokens,
        used_tokens = used_tokens + %(tokens)s
    FROM held, period WHERE owner.organization_id = %(organization)s AND owner.month = period.month
        AND owner.owner_id = ANY(held.team_ids || held.spender_id)
), day AS (
    INSERT INTO billing_usageday AS day (id, organization_id, day, spender_id, api_key_id, model_name, currency,
        requests, prompt_tokens, completion_tokens, tokens, amount_micros)
    SELECT gen_random_uuid(), %(organization)s, held.day, spender_id, api_key_id, model_name, %(currency)s,
        1, %(prompt)s, %(completion)s, %(tokens)s, %(amount)s
    FROM held, period WHERE %(kind)s = 'settle'
    ON CONFLICT (organization_id, day, spender_id, api_key_id, model_name, currency) DO UPDATE SET
        requests = day.requests + 1, prompt_tokens = day.prompt_tokens + excluded.prompt_tokens,
        completion_tokens = day.completion_tokens + excluded.completion_tokens,
        tokens = day.tokens + excluded.tokens, amount_micros = day.amount_micros + excluded.amount_micros
)
{ENTRY} SELECT %(id)s, %(organization)s, %(job)s, %(kind)s, held.month, held.day, %(prompt)s, %(completion)s,
    %(tokens)s, %(amount)s, %(currency)s, spender_id, api_key_id, model_name, team_ids FROM held, period RETURNING *
"""
