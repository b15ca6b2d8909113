"""Pages of usage and budgets."""

from apps.billing.views.budgets import budget, budget_delete, budgets
from apps.billing.views.usage import export_usage, usage, usage_ledger

__all__ = ["budget", "budget_delete", "budgets", "export_usage", "usage", "usage_ledger"]
