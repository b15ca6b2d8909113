"""Credit that ends: what is not used by then goes with one entry, written by a task that looks every few minutes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import connection
from django.db.models import Exists, OuterRef, Sum
from django.utils import timezone

from apps.accounts.access import Actor
from apps.accounts.audit.recording import system
from apps.billing.credit_lots import Entry, Lot, lots_of
from apps.billing.models import CreditEntry, CreditKind, UsagePeriod
from apps.billing.services.accounts import READ, lock_account
from apps.billing.services.credits import add
from apps.billing.statements import OWED
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants, current_organization

log = structlog.get_logger(__name__)
# One look takes no more than this; the rest is found by the next.
BATCH = 200
# What stands for no currency where sums are by currency.
ALL = ""


@dataclass(frozen=True, slots=True)
class Credit:
    """Credit in one currency: what may still be spent of it, in micros, and the lots of which something is left.

    Both are after what the open months owe. `spendable` is below 0 where spent credit was taken back; the lots are in
    the order in which they are used.
    """

    spendable: int
    lots: list[Lot]


def credits_left(actor: Actor) -> dict[str, Credit]:
    """What there is of each currency, with two questions however many there are."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        entries, owed = _entries(CreditEntry.objects.all()), _owed()
    found = {}
    for currency, some in sorted(entries.items()):
        lots = [lot for lot in lots_of(some, owed.get(currency, 0)) if lot.left]
        found[currency] = Credit(sum(entry.amount for entry in some) - owed[ALL], lots)
    return found


def lots_left(currency: str) -> list[Lot]:
    """The lots of one currency, also those of which nothing is left; in the scope of the organization."""
    entries = _entries(CreditEntry.objects.filter(currency=currency))
    return lots_of(entries.get(currency, []), _owed().get(currency, 0))


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


def _entries(rows: Any) -> dict[str, list[Entry]]:
    """Entries by currency, each in the order in which they were written."""
    found: dict[str, list[Entry]] = defaultdict(list)
    names = ("currency", "pk", "kind", "amount_micros", "reference", "note", "expires_at")
    for currency, id, *rest in rows.order_by("id").values_list(*names):
        found[currency].append(Entry(str(id), *rest))
    return found


def _owed() -> dict[str, int]:
    """What the open months have charged so far, by currency, and of ALL of them together."""
    with connection.cursor() as cursor:
        cursor.execute(OWED, {"organization": current_organization()})
        return dict(cursor.fetchall())
