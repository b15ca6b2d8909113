"""Pages of plans, money, usage and budgets."""

from apps.billing.views.budgets import budget, budget_delete, budgets
from apps.billing.views.money import cap, credit_note_file, credits, details, invoice, invoice_file, invoices, order
from apps.billing.views.plans import (
    cancel,
    change,
    checkout,
    keep,
    keep_plan,
    overview,
    pause,
    pay,
    plan,
    portal,
    resume,
)
from apps.billing.views.pricing import pricing
from apps.billing.views.seats import seats
from apps.billing.views.stripe import stripe_webhook
from apps.billing.views.usage import export_usage, usage, usage_ledger

__all__ = [
    "budget",
    "budget_delete",
    "budgets",
    "cancel",
    "cap",
    "change",
    "checkout",
    "credit_note_file",
    "credits",
    "details",
    "export_usage",
    "invoice",
    "invoice_file",
    "invoices",
    "keep",
    "keep_plan",
    "order",
    "overview",
    "pause",
    "pay",
    "plan",
    "portal",
    "pricing",
    "resume",
    "seats",
    "stripe_webhook",
    "usage",
    "usage_ledger",
]
