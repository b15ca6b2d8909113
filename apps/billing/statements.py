"""What holds and settlements ask of the database, each in one statement."""

from __future__ import annotations

# Asked for every piece of work, and so without the models: building a query takes longer than answering it. Each of
# them names the organization, behind which row-level security stands.
PLAN = """
SELECT plan.name, plan.requests_per_minute, plan.tokens_per_minute, plan.max_queued, plan.weight, plan.max_running,
    plan.max_passages, plan.features, subscription.status, subscription.past_due_since, money.currency,
    (SELECT jsonb_object_agg(allowance.meter, jsonb_build_array(allowance.included, rate.price_minor::text, rate.per,
            allowance.overage = 'charge'))
        FROM billing_planallowance allowance LEFT JOIN billing_planrate rate ON rate.plan_id = plan.id
            AND rate.meter = allowance.meter AND rate.currency = money.currency
        WHERE allowance.plan_id = plan.id)
FROM (SELECT coalesce((SELECT nullif(currency, '') FROM billing_billingaccount
    WHERE organization_id = %(organization)s), 'USD') AS currency) money
LEFT JOIN billing_subscription subscription ON subscription.organization_id = %(organization)s
    AND subscription.is_live AND subscription.status <> 'incomplete'
JOIN billing_plan plan ON plan.id = coalesce(subscription.plan_id,
    (SELECT free.id FROM billing_plan free WHERE free.code = %(free)s))
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
# What a hold is measured against, asked once the month is locked: its meters, the budgets that apply, and what may be
# spent: credits, less what other months owe that are not closed yet, and the cap.
STATE = """
SELECT 'meter', meter, used, held, charged_micros FROM billing_meterperiod
WHERE organization_id = %(organization)s AND month = %(month)s
UNION ALL
SELECT 'budget', owner_id::text, used_tokens + held_tokens, (refused_at IS NOT NULL)::int, 0 FROM billing_budgetperiod
WHERE organization_id = %(organization)s AND month = %(month)s AND owner_id = ANY(%(owners)s)
UNION ALL
SELECT 'purse', '', coalesce((SELECT sum(amount_micros) FROM billing_creditentry
        WHERE organization_id = %(organization)s AND currency = %(currency)s), 0)::bigint
    - coalesce((SELECT sum(meter.charged_micros) FROM billing_meterperiod meter JOIN billing_usageperiod period
            ON period.organization_id = %(organization)s AND period.month = meter.month
        WHERE meter.organization_id = %(organization)s AND meter.month <> %(month)s AND period.closed_at IS NULL
        ), 0)::bigint,
    coalesce((SELECT CASE WHEN currency = %(currency)s THEN cap_micros ELSE 0 END FROM billing_spendingcap
        WHERE organization_id = %(organization)s), -1), 0
"""
# The same for pages, which lock nothing, with what else they show of the month: its value, and the cap as it was set.
FIGURES = f"""{STATE}
UNION ALL
SELECT 'period', '', spent_micros, (closed_at IS NULL)::int, 0 FROM billing_usageperiod
WHERE organization_id = %(organization)s AND month = %(month)s
UNION ALL
SELECT 'cap', currency, cap_micros, 0, 0 FROM billing_spendingcap WHERE organization_id = %(organization)s
"""
# What the open months owe: by currency as the hours' sums have it, for what each will draw, and all of it without one.
# Months are closed in their order, so that every hour since the first open one is of an open month.
OWED = """
SELECT charge_currency, sum(charge_micros)::bigint FROM billing_usagehour
WHERE organization_id = %(organization)s AND charge_currency <> '' AND hour >= (
    SELECT min(month)::timestamp AT TIME ZONE 'UTC' FROM billing_usageperiod
    WHERE organization_id = %(organization)s AND closed_at IS NULL)
GROUP BY charge_currency
UNION ALL
SELECT '', coalesce(sum(meter.charged_micros), 0)::bigint FROM billing_meterperiod meter JOIN billing_usageperiod period
    ON period.organization_id = %(organization)s AND period.month = meter.month
WHERE meter.organization_id = %(organization)s AND period.closed_at IS NULL
"""
ENTRY = """
INSERT INTO billing_ledgerentry (id, organization_id, job_id, kind, month, day, occurred_at, prompt_tokens,
    completion_tokens, tokens, meter, quantity, amount_micros, currency, charge_micros, charge_currency, terms,
    spender_id, api_key_id, model_name, team_ids)
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
), meter AS (
    INSERT INTO billing_meterperiod AS period (id, organization_id, month, meter, held, used, charged_micros)
    SELECT gen_random_uuid(), %(organization)s, %(month)s, meter, quantity, 0, 0
    FROM unnest(%(meters)s::text[], %(quantities)s::bigint[]) asked (meter, quantity)
    ON CONFLICT (organization_id, month, meter) DO UPDATE SET held = period.held + excluded.held
)
{ENTRY} VALUES (%(id)s, %(organization)s, %(job)s, 'hold', %(month)s, %(day)s, %(at)s, %(prompt)s, %(completion)s,
    %(tokens)s, %(meter)s, %(quantity)s, 0, 'USD', 0, %(currency)s, %(terms)s, %(spender)s, %(key)s, %(model)s,
    %(teams)s) RETURNING :columns
"""
# Hours are in UTC; whoever writes them has locked the month.
ADD_TO_HOUR = """ON CONFLICT
    (organization_id, hour, spender_id, api_key_id, model_name, meter, currency, charge_currency, teams_digest)
    DO UPDATE SET requests = hour.requests + excluded.requests, quantity = hour.quantity + excluded.quantity,
        prompt_tokens = hour.prompt_tokens + excluded.prompt_tokens,
        completion_tokens = hour.completion_tokens + excluded.completion_tokens,
        tokens = hour.tokens + excluded.tokens, amount_micros = hour.amount_micros + excluded.amount_micros,
        charge_micros = hour.charge_micros + excluded.charge_micros"""
# Month and day are those of the hold: work that runs over midnight of the first is charged where it was reserved. What
# is charged is what `entitlements.charge` says, of the terms that were agreed then and what has been used by now.
_COST = "round(greatest(0, {used} - asked.included) * asked.rate)::bigint"
CLOSE = f"""
WITH held AS (
    SELECT month, day, occurred_at, tokens, prompt_tokens, completion_tokens, meter, quantity, terms, charge_currency,
        spender_id, api_key_id, model_name, team_ids
    FROM billing_ledgerentry WHERE organization_id = %(organization)s AND job_id = %(job)s AND kind = 'hold'
), asked AS (
    SELECT part.meter, part.held, part.used, coalesce((held.terms -> part.meter ->> 0)::bigint, 0) AS included,
        coalesce((held.terms -> part.meter ->> 1)::numeric, 0) AS rate
    FROM held CROSS JOIN LATERAL (
        SELECT 'tokens_in' AS meter, held.prompt_tokens AS held, %(prompt)s::bigint AS used WHERE held.meter = ''
        UNION ALL SELECT 'tokens_out', held.completion_tokens, %(completion)s WHERE held.meter = ''
        UNION ALL SELECT held.meter, held.quantity, %(quantity)s WHERE held.meter <> ''
    ) part
), period AS (
    UPDATE billing_usageperiod period SET held_tokens = held_tokens - held.tokens,
        used_tokens = used_tokens + %(tokens)s, spent_micros = spent_micros + %(amount)s
    FROM held WHERE period.organization_id = %(organization)s AND period.month = held.month
    RETURNING period.month
), meter AS (
    UPDATE billing_meterperiod meter SET held = meter.held - asked.held, used = meter.used + asked.used,
        charged_micros = meter.charged_micros + {_COST.format(used="meter.used + asked.used")}
            - {_COST.format(used="meter.used")}
    FROM asked, period WHERE meter.organization_id = %(organization)s AND meter.month = period.month
        AND meter.meter = asked.meter
    RETURNING {_COST.format(used="meter.used")} - {_COST.format(used="meter.used - asked.used")} AS charge,
        meter.meter, jsonb_build_array(asked.included, asked.rate::text, meter.used - asked.used) AS terms
), charged AS (
    SELECT coalesce(sum(charge), 0)::bigint AS micros, jsonb_object_agg(meter, terms) AS terms FROM meter
), owner AS (
    UPDATE billing_budgetperiod owner SET held_tokens = owner.held_tokens - held.tokens,
        used_tokens = used_tokens + %(tokens)s
    FROM held, period WHERE owner.organization_id = %(organization)s AND owner.month = period.month
        AND owner.owner_id = ANY(held.team_ids || held.spender_id)
), hour AS (
    INSERT INTO billing_usagehour AS hour (id, organization_id, hour, spender_id, api_key_id, model_name, meter,
        currency, charge_currency, team_ids, requests, quantity, prompt_tokens, completion_tokens, tokens,
        amount_micros, charge_micros)
    SELECT gen_random_uuid(), %(organization)s, date_trunc('hour', held.occurred_at, 'UTC'), spender_id, api_key_id,
        model_name, held.meter, %(currency)s, held.charge_currency, held.team_ids, 1, %(quantity)s, %(prompt)s,
        %(completion)s, %(tokens)s, %(amount)s, charged.micros
    FROM held, period, charged WHERE %(kind)s = 'settle'
    {ADD_TO_HOUR}
)
{ENTRY} SELECT %(id)s, %(organization)s, %(job)s, %(kind)s, held.month, held.day, held.occurred_at, %(prompt)s,
    %(completion)s, %(tokens)s, held.meter, %(quantity)s, %(amount)s, %(currency)s, charged.micros,
    held.charge_currency, charged.terms, spender_id, api_key_id, model_name, team_ids
FROM held, period, charged RETURNING :columns
"""
