"""Writing down, month by month, what subscriptions are worth: they themselves remember only how they stand now."""

from __future__ import annotations

from datetime import date, datetime

from django.db import connection
from django.utils import timezone

from apps.billing.entitlements import month_of
from apps.billing.revenue.recurring import STANDING
from apps.core.tenancy import Across, across_tenants

_WRITE = f"""
INSERT INTO billing_subscriptionmonth (id, organization_id, month, currency, mrr_minor)
SELECT gen_random_uuid(), standing.organization_id, %(month)s, standing.currency, standing.mrr_minor
FROM ({STANDING}) standing
ON CONFLICT (organization_id, month) DO UPDATE
SET currency = excluded.currency, mrr_minor = excluded.mrr_minor, written_at = now()
WHERE (billing_subscriptionmonth.currency, billing_subscriptionmonth.mrr_minor)
    IS DISTINCT FROM (excluded.currency, excluded.mrr_minor)
"""
_END = f"""
UPDATE billing_subscriptionmonth SET mrr_minor = 0, written_at = now()
WHERE month = %(month)s AND mrr_minor > 0
    AND organization_id NOT IN (SELECT standing.organization_id FROM ({STANDING}) standing)
"""


def record_months(now: datetime | None = None) -> date:
    """Writes the running month of every organization, as its subscription stands; months that have ended stay."""
    month = month_of(now or timezone.now())
    with across_tenants(Across.HOUSEKEEPING), connection.cursor() as cursor:
        cursor.execute(_WRITE, {"month": month})
        cursor.execute(_END, {"month": month})
    return month
