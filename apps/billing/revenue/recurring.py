"""Monthly recurring revenue (MRR): what live subscriptions come to in a month, before taxes and coupons.

Counted is what is paid for, or is to be: `active` and `past_due`, the latter also by itself. A trial is worth nothing
until it is paid for; what is paused or unpaid brings nothing in, and what the operator has given has no price. A yearly
price counts a twelfth, each subscription rounded half up to the minor unit, so that sums and movements agree exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection
from django.db.models import Min

from apps.billing.models import SubscriptionMonth

STANDING = """
SELECT subscription.organization_id, price.currency, subscription.status = 'past_due' AS is_past_due,
    CASE WHEN price.interval = 'year' THEN (whole.minor + 6) / 12 ELSE whole.minor END AS mrr_minor
FROM billing_subscription subscription
JOIN billing_planprice price ON price.id = subscription.price_id
JOIN billing_plan plan ON plan.id = price.plan_id
CROSS JOIN LATERAL (
    SELECT price.base_minor + price.seat_minor * greatest(0, subscription.seats - plan.included_seats) AS minor
) whole
WHERE subscription.is_live AND subscription.status IN ('active', 'past_due') AND whole.minor > 0
"""
_RECURRING = f"""
SELECT currency, sum(mrr_minor)::bigint, count(*),
    coalesce(sum(mrr_minor) FILTER (WHERE is_past_due), 0)::bigint, count(*) FILTER (WHERE is_past_due)
FROM ({STANDING}) standing GROUP BY currency ORDER BY currency
"""
# What stood at the end of each month, the running one as it stands now, each beside what stood a month before.
_MOVEMENTS = f"""
WITH stood AS (
    SELECT organization_id, currency, month, mrr_minor FROM billing_subscriptionmonth
    WHERE month < %(month)s AND mrr_minor > 0
    UNION ALL
    SELECT organization_id, currency, %(month)s, mrr_minor FROM ({STANDING}) standing
), began AS (
    SELECT organization_id, min(month) AS month FROM stood GROUP BY organization_id
), both_ends AS (
    SELECT organization_id, currency, month, sum(before)::bigint AS before, sum(after)::bigint AS after FROM (
        SELECT organization_id, currency, month, 0 AS before, mrr_minor AS after FROM stood
        UNION ALL
        SELECT organization_id, currency, (month + interval '1 month')::date, mrr_minor, 0 FROM stood
    ) ends WHERE month BETWEEN %(since)s AND %(month)s GROUP BY organization_id, currency, month
)
SELECT currency, both_ends.month, sum(before)::bigint, sum(after)::bigint,
    coalesce(sum(after) FILTER (WHERE before = 0 AND began.month = both_ends.month), 0)::bigint,
    coalesce(sum(after - before) FILTER (WHERE before > 0 AND after > before), 0)::bigint,
    coalesce(sum(before - after) FILTER (WHERE after > 0 AND after < before), 0)::bigint,
    coalesce(sum(before) FILTER (WHERE after = 0), 0)::bigint,
    coalesce(sum(after) FILTER (WHERE before = 0 AND began.month < both_ends.month), 0)::bigint,
    count(*) FILTER (WHERE before > 0), count(*) FILTER (WHERE after = 0)
FROM both_ends JOIN began USING (organization_id)
GROUP BY currency, both_ends.month ORDER BY currency, both_ends.month
"""


@dataclass(frozen=True, slots=True)
class Recurring:
    """The MRR of one currency now; `past_due_minor` is the part of it whose last payment failed."""

    currency: str
    mrr_minor: int
    subscriptions: int
    past_due_minor: int
    past_due: int


@dataclass(frozen=True, slots=True)
class Movements:
    """How the MRR of one currency went from the end of the month before to the end of this month, or to now.

    `new` had never paid before in any currency, `reactivated` had. Whoever changes the currency is churned in the one
    and reactivated in the other. `customers` were there at the start, and `customers_churned` of them are gone.
    """

    currency: str
    month: date
    start_minor: int
    end_minor: int
    new_minor: int
    expansion_minor: int
    contraction_minor: int
    churned_minor: int
    reactivated_minor: int
    customers: int
    customers_churned: int

    @property
    def logo_churn(self) -> Decimal | None:
        """The share of customers that left, in percent."""
        return rate(self.customers_churned, self.customers)

    @property
    def revenue_churn(self) -> Decimal | None:
        """The share of MRR that was lost, by those who left and by those who pay less, in percent."""
        return rate(self.churned_minor + self.contraction_minor, self.start_minor)


def rate(part: int, whole: int) -> Decimal | None:
    """In percent with one decimal; None where there is nothing to be a part of."""
    return (Decimal(part) * 100 / whole).quantize(Decimal("0.1")) if whole else None


def recurring() -> list[Recurring]:
    """The MRR as it stands, by currency."""
    with connection.cursor() as cursor:
        cursor.execute(_RECURRING)
        return [Recurring(*row) for row in cursor.fetchall()]


def movements(since: date, month: date) -> list[Movements]:
    """Each month from `since` to the running `month` in which there was anything, by currency."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVEMENTS, {"since": since, "month": month})
        return [Movements(*row) for row in cursor.fetchall()]


def recorded_since() -> date | None:
    """The first month that was written down; what was before is not known."""
    found: date | None = SubscriptionMonth.objects.aggregate(first=Min("month"))["first"]
    return found
