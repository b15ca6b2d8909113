"""What was paid, by the month (UTC) in which it was, with taxes, as the payment provider has taken it.

The lines of an invoice do not say which of them are usage: what usage beyond plans came to is what was billed for it,
by the month in which it was closed, and stands beside what invoices brought in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

_COLLECTED = """
SELECT currency, month, sum(invoices)::bigint, sum(orders)::bigint, sum(usage)::bigint, sum(refunded)::bigint,
    sum(disputed)::bigint
FROM (
    SELECT currency, date_trunc('month', created_at AT TIME ZONE 'UTC')::date AS month,
        CASE WHEN order_id IS NULL THEN amount_minor ELSE 0 END AS invoices,
        CASE WHEN order_id IS NULL THEN 0 ELSE amount_minor END AS orders,
        0 AS usage, refunded_minor AS refunded, disputed_minor AS disputed
    FROM billing_payment WHERE status = 'succeeded' AND created_at >= %(since)s
    UNION ALL
    SELECT currency, date_trunc('month', closed_at AT TIME ZONE 'UTC')::date, 0, 0, billed_minor, 0, 0
    FROM billing_usageperiod WHERE closed_at >= %(since)s AND billed_minor <> 0
) found GROUP BY currency, month ORDER BY currency, month
"""


@dataclass(frozen=True, slots=True)
class Collected:
    """One month of one currency. Refunds and disputes stand in the month of the payment that they take back."""

    currency: str
    month: date
    invoices_minor: int
    orders_minor: int
    usage_billed_minor: int
    refunded_minor: int
    disputed_minor: int

    @property
    def gross_minor(self) -> int:
        return self.invoices_minor + self.orders_minor

    @property
    def net_minor(self) -> int:
        """Without what went back."""
        return self.gross_minor - self.refunded_minor - self.disputed_minor


def collected(since: datetime) -> list[Collected]:
    """Each month from then on in which there was anything, by currency."""
    with connection.cursor() as cursor:
        cursor.execute(_COLLECTED, {"since": since})
        return [Collected(*row) for row in cursor.fetchall()]
