"""Credit that ends: what is not used by then goes with one entry, written by a task that looks every few minutes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog
from django.db.models import Exists, OuterRef, Sum
from django.utils import timezone

from apps.accounts.access import Actor
from apps.accounts.audit.recording import system
from apps.billing.credit_lots import Entry, Lot, lots_of
from apps.billing.models import CreditEntry, CreditKind, UsageHour, UsagePeriod
from apps.billing.services.accounts import READ, lock_account
from apps.billing.services.credits import add, spendable
from apps.billing.usage.filters import midnight
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants

log = structlog.get_logger(__name__)
# One look takes no more than this; the rest is found by the next.
BATCH = 200


def credits_left(actor: Actor) -> dict[str, list[Lot]]:
    """By currency, what is left of each lot after what the open months owe, in the order in which it is used."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        found = {currency: lots_left(currency) for currency in _currencies()}
    return {currency: [lot for lot in lots if lot.left] for currency, lots in found.items()}


def spendable_by_currency(actor: Actor) -> dict[str, int]:
    """What may still be spent, negative where spent credit was taken back."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return {currency: spendable(currency) for currency in _currencies()}


def lots_left(currency: str) -> list[Lot]:
    """In the scope of the organization."""
    rows = CreditEntry.objects.filter(currency=currency).order_by("id")
    names = ("pk", "kind", "amount_micros", "reference", "note", "expires_at")
    return lots_of((Entry(str(id), *rest) for id, *rest in rows.values_list(*names)), _owed(currency))


def expire_credits(now: datetime | None = None) -> int:
    """Ends what has expired and is not used; returns how many entries were written."""
    now = now or timezone.now()
    with across_tenants(Across.HOUSEKEEPING):
        same = CreditEntry.objects.filter(organization=OuterRef("organization"), currency=OuterRef("currency"))
        rows = CreditEntry.objects.filter(Exists(same.filter(expires_at__lte=now)))
        sums = rows.order_by().values("organization_id", "currency").annotate(left=Sum("amount_micros"))
        due = list(sums.filter(left__gt=0).values_list("organization_id", "currency")[:BATCH])
    return sum(_expire(organization_id, currency, now) for organization_id, currency in due)


def _expire(organization_id: UUID, currency: str, now: datetime) -> int:
    try:
        with tenancy.scope(organization_id):
            lock_account(organization_id)
            # No work is settled meanwhile: what was used up to now is used of this credit.
            list(UsagePeriod.objects.select_for_update().filter(closed_at=None).order_by("month"))
            ended = [lot for lot in lots_left(currency) if lot.has_ended(now) and lot.left]
            for lot in ended:
                times = CreditEntry.objects.filter(kind=CreditKind.EXPIRY, reference__startswith=f"{lot.id}:").count()
                add(
                    system(organization_id),
                    CreditKind.EXPIRY,
                    currency,
                    -lot.left,
                    f"{lot.id}:{times + 1}",
                    note=lot.note,
                )
    except Exception:
        log.exception("credits not expired", organization=str(organization_id), currency=currency)
        return 0
    return len(ended)


def _currencies() -> list[str]:
    return sorted(set(CreditEntry.objects.values_list("currency", flat=True)))


def _owed(currency: str) -> int:
    """What the open months have charged so far, from the hours' sums; months are closed in their order."""
    first = UsagePeriod.objects.filter(closed_at=None).order_by("month").values_list("month", flat=True).first()
    if first is None:
        return 0
    hours = UsageHour.objects.filter(hour__gte=midnight(first), charge_currency=currency)
    return int(hours.aggregate(sum=Sum("charge_micros", default=0))["sum"])
