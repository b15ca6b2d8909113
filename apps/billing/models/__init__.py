"""Plans, the ledger, and who uses how much of it."""

from apps.billing.models.ledger import (
    FREE_PLAN,
    SHARE_SQL,
    EntryKind,
    LedgerEntry,
    Plan,
    Subscription,
    UsagePeriod,
)
from apps.billing.models.spenders import Budget, BudgetKind, BudgetPeriod, Spender, UsageDay

__all__ = [
    "FREE_PLAN",
    "SHARE_SQL",
    "Budget",
    "BudgetKind",
    "BudgetPeriod",
    "EntryKind",
    "LedgerEntry",
    "Plan",
    "Spender",
    "Subscription",
    "UsageDay",
    "UsagePeriod",
]
