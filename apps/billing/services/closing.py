"""Closing a month: from then on nothing is booked in it, and what it owes is asked for, once and to the cent.

The lines of an invoice are cut to whole minor units one after the other, each with what the one before has left over,
so that together they are what the ledger says; what is less than one minor unit is carried over to the next month.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.accounts.models import Organization
from apps.billing.entitlements import minor_of, next_month
from apps.billing.models import (
    BillingAccount,
    Interval,
    Meter,
    MeterPeriod,
    Status,
    StripeOperation,
    Subscription,
    UsagePeriod,
)
from apps.billing.services import credits
from apps.billing.services.renewals import will_renew
from apps.core import events, tenancy
from apps.core.ids import uuid7
from apps.core.tenancy import Across, across_tenants

# Usage that a program reports late still counts in its month, and work over midnight ends.
OPEN_FOR = timedelta(hours=48)
BATCH = 500
INVOICE_ITEM, INVOICE = "create_invoice_item", "create_invoice"
# What is asked for and not answered yet, after which no invoice may come.
ENDING = ("pause", "cancel_now", "cancel_at_end")
# What a month owes, as it stands in the ledger: texts together, every other meter, and what came late by its own month.
_OWED = """
SELECT meter, charge_currency, late_from, sum(charge_micros)::bigint, sum(quantity)::bigint, sum(tokens)::bigint
FROM billing_ledgerentry
WHERE organization_id = %(organization)s AND month = %(month)s AND kind IN ('settle', 'usage') AND charge_micros <> 0
GROUP BY meter, charge_currency, late_from ORDER BY charge_currency, late_from NULLS FIRST, meter
"""


@dataclass(frozen=True, slots=True)
class Owed:
    """One line of what a month owes, in micros; `quantity` is all that was used in the ledger's lines behind it."""

    meter: str
    currency: str
    late_from: date | None
    micros: int
    quantity: int

    @property
    def subject(self) -> str:
        return f"{self.meter or 'text'}{f' {self.late_from:%Y-%m}' if self.late_from else ''}"


@dataclass(frozen=True, slots=True)
class Billed:
    """The same in whole minor units, as the invoice says it."""

    subject: str
    description: str
    minor: int


def close_months(now: datetime | None = None) -> int:
    """Closes every month that ended long enough ago and whose work has ended; returns how many."""
    now = now or timezone.now()
    before = (now - OPEN_FOR).date().replace(day=1)
    with across_tenants(Across.HOUSEKEEPING):
        rows = UsagePeriod.objects.filter(closed_at__isnull=True, month__lt=before).order_by("month", "organization_id")
        due = list(rows.values_list("organization_id", "month")[:BATCH])
    return sum(close_month(organization_id, month, now) for organization_id, month in due)


def close_month(organization_id: UUID, month: date, now: datetime) -> bool:
    """Closes one, unless it is closed already, an earlier one is open, or work of it has not ended."""
    with tenancy.scope(organization_id):
        account = BillingAccount.objects.select_for_update().first()
        earlier = UsagePeriod.objects.filter(month__lt=month, closed_at__isnull=True)
        period = UsagePeriod.objects.select_for_update().filter(month=month, closed_at__isnull=True).first()
        held = MeterPeriod.objects.filter(month=month, held__gt=0)
        if period is None or earlier.exists() or held.exists():
            return False
        owed = _owed(organization_id, month)
        for currency in sorted({line.currency for line in owed}):
            _bill(account, period, currency, [line for line in owed if line.currency == currency])
        period.closed_at = now
        period.save(update_fields=["closed_at", "currency", "billed_minor", "carried_micros"])
        facts = {"month": f"{month:%Y-%m}", "billed_minor": period.billed_minor, "currency": period.currency}
        organization = Organization.objects.get(pk=organization_id)
        if owed:
            audit.record(system(organization_id), "usage.month_closed", organization, **facts)
        events.record("usage.month_closed", period.pk, facts)
    return True


def _owed(organization_id: UUID, month: date) -> list[Owed]:
    with connection.cursor() as cursor:
        cursor.execute(_OWED, {"organization": organization_id, "month": month})
        rows = cursor.fetchall()
    return [
        Owed(meter, currency, late_from, micros, quantity or tokens)
        for meter, currency, late_from, micros, quantity, tokens in rows
    ]


def _bill(account: BillingAccount | None, period: UsagePeriod, currency: str, lines: list[Owed]) -> None:
    """Draws credits, cuts the lines, and writes what Stripe is to be asked for."""
    gross = sum(line.micros for line in lines)
    drawn = max(0, min(gross, credits.balance(currency)))
    if drawn:
        credits.draw(f"{period.month:%Y-%m}", currency, drawn)
    billed, rest = cut(_words(period.month, lines, drawn), currency, _carried(period.month, currency))
    total = sum(line.minor for line in billed)
    if total < 0:
        raise AssertionError(f"A month cannot owe {total} {currency}.")
    # Another currency is one that credits paid for before the organization chose its own: nothing is left of it.
    if total or rest or not period.currency:
        period.currency, period.billed_minor, period.carried_micros = currency, total, rest
    if account is not None and account.stripe_id and total:
        _ask(account, period.month, currency, billed)


def cut(lines: Iterable[tuple[str, str, int]], currency: str, carried: int) -> tuple[list[Billed], int]:
    """Lines of (subject, description, micros) in whole minor units, and the micros that are left over."""
    billed, rest = [], carried
    for subject, description, micros in lines:
        minor, rest = minor_of(rest + micros, currency)
        billed.append(Billed(subject, description, minor))
    return billed, rest


def _words(month: date, lines: list[Owed], drawn: int) -> list[tuple[str, str, int]]:
    """What stands on the invoice, in English as all of Stripe's."""
    with translation.override("en"):
        shown = f"{month:%B %Y}"
        found = []
        for line in lines:
            name = Meter(line.meter).label if line.meter else _("Text generation")
            words = f"{name} beyond the plan, {shown}"
            if line.late_from:
                words = f"{name} of {line.late_from:%B %Y}, reported after that month was closed"
            found.append((line.subject, words, line.micros))
        return [*found, ("credits", f"Paid with prepaid credits, {shown}", -drawn)] if drawn else found


def _carried(month: date, currency: str) -> int:
    """What the month closed before this one in the same currency has left over."""
    rows = UsagePeriod.objects.filter(month__lt=month, closed_at__isnull=False, currency=currency)
    last = rows.order_by("-month").first()
    return int(last.carried_micros) if last else 0


def _ask(account: BillingAccount, month: date, currency: str, billed: list[Billed]) -> None:
    """One item for each line; where no subscription brings an invoice soon, an invoice of its own."""
    period = {"period_start": _second(month), "period_end": _second(next_month(month)) - 1}
    whose: dict[str, Any] = {"customer": account.stripe_id, "currency": currency.lower()}
    subject = f"overage {month:%Y-%m} {currency}"
    operations = [
        StripeOperation(
            organization_id=account.organization_id,
            kind=INVOICE_ITEM,
            subject=f"{subject} {line.subject}",
            parameters=whose | period | {"amount_minor": line.minor, "description": line.description},
        )
        for line in billed
        if line.minor
    ]
    if not _is_brought_soon():
        operations.append(
            StripeOperation(
                organization_id=account.organization_id, kind=INVOICE, subject=subject, parameters=dict(whose)
            )
        )
    # The outbox asks in the order of ids: the invoice after its items.
    for operation, id in zip(operations, sorted(uuid7() for each in operations), strict=True):
        operation.id = id
        operation.save(force_insert=True)


def _is_brought_soon() -> bool:
    """Whether a subscription's next invoice certainly comes, within a month, and takes the lines up.

    A year's may be far away; that of a pause is voided with all its lines, and what is unpaid or about to end may bring
    none. The account is locked, so that whoever pauses or ends the subscription has written so, or comes later.
    """
    row = Subscription.objects.select_related("price").filter(is_live=True, status=Status.ACTIVE).first()
    if row is None or not will_renew(row) or row.interval != Interval.MONTH:
        return False
    # One that was done just now may not be copied yet; the worst that follows is an invoice of its own.
    lately = Q(state__in=StripeOperation.UNDONE) | Q(done_at__gt=timezone.now() - timedelta(days=1))
    return not StripeOperation.objects.filter(lately, kind__in=ENDING).exists()


def _second(day: date) -> int:
    return int(datetime.combine(day, time.min, UTC).timestamp())
