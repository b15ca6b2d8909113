"""Every write to the ledger and to budgets."""

from apps.billing.services.alerts import tell_of_budgets
from apps.billing.services.budgets import (
    BudgetFor,
    change_budget,
    create_budget,
    get_budget,
    note_refusal,
    remove_budget,
)
from apps.billing.services.ledger import (
    Charge,
    Purpose,
    UsageSummary,
    hold,
    limits_of,
    release,
    settle,
    usage_summary,
)
from apps.billing.services.plans import change_plan

__all__ = [
    "BudgetFor",
    "Charge",
    "Purpose",
    "UsageSummary",
    "change_budget",
    "change_plan",
    "create_budget",
    "get_budget",
    "hold",
    "limits_of",
    "note_refusal",
    "release",
    "remove_budget",
    "settle",
    "tell_of_budgets",
    "usage_summary",
]
