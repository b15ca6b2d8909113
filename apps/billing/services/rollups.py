"""Whether the sums beside the ledger still equal its lines: looked at every night, told when they do not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import connection
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.accounts.models import Organization
from apps.billing.entitlements import month_of
from apps.billing.ingest_statements import COUNTED_AT
from apps.billing.models import UsagePeriod
from apps.core import metrics, tenancy
from apps.core.tenancy import Across, across_tenants

# What a report names of each kind; where much is wrong, the first few tell enough.
NAMED = 5
# Each says of a sum what the ledger comes to and what is stored, where the two differ; all of one moment.
_HOURS = f"""
WITH wanted AS (
    SELECT date_trunc('hour', {COUNTED_AT}, 'UTC') AS hour, spender_id, api_key_id, model_name, meter, currency,
        charge_currency, team_ids, count(*) AS requests, sum(quantity)::bigint, sum(prompt_tokens)::bigint,
        sum(completion_tokens)::bigint, sum(tokens)::bigint, sum(amount_micros)::bigint, sum(charge_micros)::bigint
    FROM billing_ledgerentry
    WHERE organization_id = %(organization)s AND month >= %(first)s AND kind IN ('settle', 'usage')
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), stored AS (
    SELECT hour, spender_id, api_key_id, model_name, meter, currency, charge_currency, team_ids, requests, quantity,
        prompt_tokens, completion_tokens, tokens, amount_micros, charge_micros
    FROM billing_usagehour
    WHERE organization_id = %(organization)s AND hour >= %(first)s::timestamp AT TIME ZONE 'UTC'
)
SELECT DISTINCT to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:00')
    || coalesce(nullif(' ' || meter, ' '), ' text') AS place
FROM ((SELECT * FROM wanted EXCEPT ALL SELECT * FROM stored)
    UNION ALL (SELECT * FROM stored EXCEPT ALL SELECT * FROM wanted)) differing ORDER BY place
"""
_MONTHS = """
SELECT to_char(period.month, 'YYYY-MM') FROM billing_usageperiod period LEFT JOIN (
    SELECT month, sum(tokens) AS tokens, sum(amount_micros) AS amount FROM billing_ledgerentry
    WHERE organization_id = %(organization)s AND month >= %(first)s AND kind IN ('settle', 'usage') GROUP BY month
) wanted ON wanted.month = period.month
WHERE period.organization_id = %(organization)s AND period.month >= %(first)s
    AND (period.used_tokens, period.spent_micros) <> (coalesce(wanted.tokens, 0), coalesce(wanted.amount, 0))
ORDER BY 1
"""
# A text counts in the months of two meters; what it is charged stands once in its line, and so once in all meters.
_METERS = """
SELECT to_char(coalesce(period.month, wanted.month), 'YYYY-MM') || ' ' || coalesce(period.meter, wanted.meter)
FROM (
    SELECT month, meter, used FROM billing_meterperiod
    WHERE organization_id = %(organization)s AND month >= %(first)s
) period FULL JOIN (
    SELECT line.month, part.meter, sum(part.used) AS used FROM billing_ledgerentry line CROSS JOIN LATERAL (
        SELECT line.meter, line.quantity AS used WHERE line.meter <> ''
        UNION ALL SELECT 'tokens_in', line.prompt_tokens WHERE line.meter = ''
        UNION ALL SELECT 'tokens_out', line.completion_tokens WHERE line.meter = ''
    ) part
    WHERE line.organization_id = %(organization)s AND line.month >= %(first)s AND line.kind IN ('settle', 'usage')
    GROUP BY line.month, part.meter
) wanted ON wanted.month = period.month AND wanted.meter = period.meter
WHERE coalesce(period.used, 0) <> coalesce(wanted.used, 0) ORDER BY 1
"""
_CHARGES = """
SELECT to_char(coalesce(stored.month, wanted.month), 'YYYY-MM') FROM (
    SELECT month, sum(charged_micros) AS charged FROM billing_meterperiod
    WHERE organization_id = %(organization)s AND month >= %(first)s GROUP BY month
) stored FULL JOIN (
    SELECT month, sum(charge_micros) AS charged FROM billing_ledgerentry
    WHERE organization_id = %(organization)s AND month >= %(first)s AND kind IN ('settle', 'usage') GROUP BY month
) wanted ON wanted.month = stored.month
WHERE coalesce(stored.charged, 0) <> coalesce(wanted.charged, 0) ORDER BY 1
"""
SUMS = {"hours": _HOURS, "months": _MONTHS, "meters": _METERS, "charges": _CHARGES}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Drift:
    """Sums of one organization that are not what its ledger says: hours, months, months of meters, or their charges."""

    organization_id: UUID
    sums: str
    places: tuple[str, ...]


def check_rollups(today: date | None = None) -> list[Drift]:
    """Recomputes every organization's sums of this month and the one before, and tells of those that differ."""
    first = month_of(timezone.now()) if today is None else today.replace(day=1)
    first = (first - timedelta(days=1)).replace(day=1)
    return [drift for organization_id in _organizations(first) for drift in _checked(organization_id, first)]


def _organizations(first: date) -> list[UUID]:
    with across_tenants(Across.HOUSEKEEPING):
        rows = UsagePeriod.objects.filter(month__gte=first).order_by("organization_id")
        return list(rows.values_list("organization_id", flat=True).distinct())


def _checked(organization_id: UUID, first: date) -> list[Drift]:
    found = []
    with tenancy.scope(organization_id):
        for sums, query in SUMS.items():
            with connection.cursor() as cursor:
                cursor.execute(query, {"organization": organization_id, "first": first})
                places = tuple(place for (place,) in cursor.fetchall())
            if places:
                found.append(Drift(organization_id, sums, places))
        for drift in found:
            _tell(drift)
    return found


def _tell(drift: Drift) -> None:
    facts: dict[str, Any] = {"sums": drift.sums, "count": len(drift.places), "places": ", ".join(drift.places[:NAMED])}
    log.error("usage sums differ from the ledger", organization=str(drift.organization_id), **facts)
    metrics.ROLLUP_DRIFTS.labels(drift.sums).inc(len(drift.places))
    organization = Organization.objects.get(pk=drift.organization_id)
    audit.record(system(drift.organization_id), "usage.drift_found", organization, **facts)
