"""What stands out now: payments that failed, and prepaid credit that is still to be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, QuerySet, Sum

from apps.billing.models import CreditEntry, Invoice


@dataclass(frozen=True, slots=True)
class Failed:
    """An invoice that is open because its payment failed; when it is tried again is up to the payment provider."""

    organization_id: UUID
    organization: str
    invoice_id: UUID
    number: str
    currency: str
    remaining_minor: int
    failed_at: datetime
    page_url: str


@dataclass(frozen=True, slots=True)
class FailedTotal:
    currency: str
    invoices: int
    remaining_minor: int


@dataclass(frozen=True, slots=True)
class Credit:
    """Prepaid credit of one currency that was bought or given, and not yet drawn by a month that was closed."""

    currency: str
    micros: int


def failed_payments(limit: int | None = None) -> list[Failed]:
    """Those that have waited longest first."""
    rows = _failed().order_by("failed_at", "id").annotate(organization_name=F("organization__name"))
    names = "organization_id organization_name id number currency remaining_minor failed_at page_url".split()
    return [Failed(*row) for row in rows.values_list(*names)[:limit]]


def failed_totals() -> list[FailedTotal]:
    rows = _failed().values("currency").annotate(invoices=Count("pk"), minor=Sum("remaining_minor"))
    return [FailedTotal(row["currency"], row["invoices"], row["minor"]) for row in rows.order_by("currency")]


def credits_outstanding() -> list[Credit]:
    """What is owed in work."""
    rows = CreditEntry.objects.values("currency").annotate(micros=Sum("amount_micros")).exclude(micros=0)
    return [Credit(row["currency"], row["micros"]) for row in rows.order_by("currency")]


def _failed() -> QuerySet[Any]:
    found: QuerySet[Any] = Invoice.objects.filter(status="open", failed_at__isnull=False)
    return found
