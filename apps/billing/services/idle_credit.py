"""Credit that lies idle, as usage is priced in another currency: its money goes back once, and owners are told once.

Two pages in two currencies that were open at once can both be paid on. Of two packs the one that is heard of first
decides, and a plan decides before any pack, so that whichever of them is heard of first, the same stays. Work that is
held will be charged to the credit that it was held on: while there is any, nothing is asked for, and a look later asks.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Sum, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.accounts.models import AuditEntry, Membership, Role
from apps.accounts.services.notices import tell
from apps.billing.entitlements import micros_of
from apps.billing.models import (
    BillingAccount,
    EntryKind,
    LedgerEntry,
    Order,
    OrderKind,
    OrderState,
    Payment,
    StripeOperation,
    UsagePeriod,
)
from apps.billing.services.accounts import lock_account, spending_currency
from apps.billing.services.expiry import lots_left
from apps.billing.services.operations import ENDED, write_operation
from apps.core import tenancy
from apps.core.currencies import figure
from apps.core.jobs import ring
from apps.core.tenancy import Across, across_tenants

KIND, MAIL, TOLD = "give_back", "credit_given_back", "order.given_back"
PAID = (OrderState.PAID, OrderState.DELIVERED)
# What was paid for longer ago is used up, or lies there by the customer's own choice of another currency.
LOOKED_FOR, BATCH = timedelta(days=60), 200


def look() -> int:
    """Asks again for what lay idle while work was held; in how many organizations it looked."""
    with across_tenants(Across.HOUSEKEEPING):
        account = BillingAccount.objects.filter(organization=OuterRef("organization")).exclude(currency="")
        asked = StripeOperation.objects.annotate(order=KeyTextTransform("order", "parameters")).filter(
            organization=OuterRef("organization"), kind=KIND, order=Cast(OuterRef("pk"), TextField())
        )
        rows = Order.objects.filter(kind=OrderKind.CREDITS, state__in=PAID, paid_at__gt=timezone.now() - LOOKED_FOR)
        rows = rows.filter(Exists(account.exclude(currency=OuterRef("currency")))).exclude(Exists(asked))
        found = list(rows.order_by().values_list("organization_id", flat=True).distinct()[:BATCH])
    for organization_id in found:
        with tenancy.scope(organization_id):
            give_back_idle(lock_account(organization_id))
    return len(found)


def give_back_idle(account: BillingAccount) -> None:
    """Asks Stripe for the money of what is not used of credit in another currency. The account is locked."""
    fixed = spending_currency(account.organization_id)
    if not fixed:
        return
    rows = Order.objects.select_for_update().filter(kind=OrderKind.CREDITS, state__in=PAID).exclude(currency=fixed)
    for order in rows.order_by("created_at", "id"):
        share = _unused_minor(order)
        if share and not _asked(order).exists():
            _ask(order, share, fixed)


def is_going_back(order: Order) -> bool:
    """Whether its money goes back or has gone; what Stripe has refused to give back is delivered all the same."""
    return order.kind == OrderKind.CREDITS and _asked(order).exclude(state__in=ENDED).exists()


def tell_when_back(order: Order) -> None:
    """Tells owners, once, that the money of idle credit has gone back. The order is locked."""
    if not is_going_back(order):
        return
    given = Payment.objects.filter(order=order).aggregate(minor=Sum("refunded_minor", default=0))["minor"]
    if not given or AuditEntry.objects.filter(action=TOLD, object_id=order.pk).exists():
        return
    amount = figure(int(micros_of(given, order.currency)), order.currency)
    audit.record(system(order.organization_id), TOLD, order, amount=amount, currency=order.currency)
    people = Membership.objects.filter(role__in=[Role.OWNER, Role.BILLING], user__is_active=True)
    for address in sorted(set(people.values_list("user__email", flat=True))):
        tell(MAIL, address, order.pk, in_turn=True)


def _unused_minor(order: Order) -> int:
    """How much of its price what is not used of it has cost."""
    if order.delivered_at is None:
        return order.amount_minor - order.reversed_minor
    # Nothing is settled, and no more is held, until what is left has been read.
    months = UsagePeriod.objects.select_for_update().filter(closed_at=None).order_by("month")
    if _is_held(order.currency, [period.month for period in months]):
        return 0
    lot = next((lot for lot in lots_left(order.currency) if lot.reference == str(order.pk)), None)
    return order.amount_minor * lot.left // lot.received if lot else 0


def _is_held(currency: str, months: list[date]) -> bool:
    held = LedgerEntry.objects.filter(kind=EntryKind.HOLD, charge_currency=currency, month__in=months)
    ends = LedgerEntry.objects.filter(job_id=OuterRef("job_id"), kind__in=[EntryKind.SETTLE, EntryKind.RELEASE])
    return bool(held.exclude(Exists(ends)).exists())


def _asked(order: Order) -> Any:
    return StripeOperation.objects.filter(kind=KIND, parameters__order=str(order.pk))


def _ask(order: Order, share: int, fixed: str) -> None:
    parameters = {
        "order": str(order.pk),
        "intent": order.intent_id,
        "share_minor": share,
        "price_minor": order.amount_minor,
    }
    operation = write_operation(order.organization_id, KIND, f"idle:{order.pk}", parameters)
    # Nobody waits for its answer, who would ask first.
    StripeOperation.objects.filter(pk=operation.pk).update(next_at=timezone.now())
    audit.record(system(order.organization_id), "order.other_currency", order, currency=order.currency, fixed=fixed)
    ring("billing.send_operations")
