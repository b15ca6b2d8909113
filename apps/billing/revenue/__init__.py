"""What all organizations together bring in: what recurs, what was collected, what failed and what is owed in credit.

Every function looks at the organizations in scope (the staff console looks across all of them) and answers by currency:
amounts of different currencies are never added up.
"""

from apps.billing.revenue.collected import Collected, collected
from apps.billing.revenue.recurring import Movements, Recurring, movements, rate, recorded_since, recurring
from apps.billing.revenue.standing import (
    Credit,
    Failed,
    FailedTotal,
    credits_outstanding,
    failed_payments,
    failed_totals,
)

__all__ = [
    "Collected",
    "Credit",
    "Failed",
    "FailedTotal",
    "Movements",
    "Recurring",
    "collected",
    "credits_outstanding",
    "failed_payments",
    "failed_totals",
    "movements",
    "rate",
    "recorded_since",
    "recurring",
]
