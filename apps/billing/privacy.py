"""What billing stores. Only `Spender` names a person: the ledger and all sums refer to it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.billing.models import Spender
from apps.core import tenancy
from apps.core.datakinds import FOREVER, Basis, DataKind, Erasing, OnErasure, Retention


def erase_spender(erasing: Erasing) -> int:
    """Puts the pseudonym in the person's place; what they used stays in the ledger and in every sum."""
    assert erasing.organization_id is not None  # noqa: S101 - tells the type checker what a tenant table means
    with tenancy.scope(erasing.organization_id):
        named = Spender.objects.filter(user=erasing.person_id)
        return int(named.update(user=None, pseudonym=erasing.pseudonym))


KINDS = (
    DataKind(
        name="spenders",
        label=_("Spenders"),
        model="billing.Spender",
        what=_("Who has used tokens, as the ledger refers to them."),
        why=_("Usage is shown and limited by member."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
        people=("user",),
        also=("user__email",),
        erasure=OnErasure.PSEUDONYM,
        erase=erase_spender,
    ),
    DataKind(
        name="budgets",
        label=_("Budgets"),
        model="billing.Budget",
        what=_("How many tokens a member, a team or everybody may use in a month."),
        why=_("The organization limits what is spent."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="budget_periods",
        label=_("Use of members and teams by month"),
        model="billing.BudgetPeriod",
        what=_("Tokens reserved and used by a member or a team in each month, and whether people were told."),
        why=_("Budgets are held against it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="usage_days",
        label=_("Usage by day"),
        model="billing.UsageDay",
        what=_("Tokens and amounts of each day by member, key and model."),
        why=_("The usage page is made of it."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
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
