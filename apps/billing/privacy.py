"""What billing stores; none of it names a person."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, Basis, DataKind, Retention

KINDS = (
    DataKind(
        name="subscriptions",
        label=_("Subscription"),
        model="billing.Subscription",
        what=_("The organization's plan."),
        why=_("It says what the organization may use."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="usage",
        label=_("Usage by month"),
        model="billing.UsagePeriod",
        what=_("Tokens reserved, used and paid for in each month."),
        why=_("Allowances and caps are held against it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="ledger",
        label=_("Ledger"),
        model="billing.LedgerEntry",
        what=_("What each piece of work was charged: tokens, amount, time; no text and no name."),
        why=_("It is what invoices are made of, and is never changed."),
        basis=Basis.LAW,
        retention=Retention(words=_("as long as the organization exists; accounting law asks for up to ten years")),
    ),
)
