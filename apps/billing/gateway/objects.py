"""What comes back from Stripe, as frozen values; times are aware, money is in minor units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """An address that a person is sent to, and what stands behind it."""

    id: str
    url: str
    status: str = ""
    expires_at: datetime | None = None
    subscription_id: str = ""
    intent_id: str = ""
    is_paid: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a subscription: a base or seats."""

    id: str
    price_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice, or of what one would be; `is_proration` if it is for a part of a period."""

    description: str
    amount_minor: int
    quantity: int | None
    start: datetime
    end: datetime
    is_proration: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What an invoice would be; `total_minor` after credit of the customer's is not counted in `due_minor`."""

    currency: str
    lines: tuple[Line, ...]
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    due_minor: int


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def at_or_none(seconds: int | None) -> datetime | None:
    return None if seconds is None else at(seconds)


def id_of(value: Any) -> str:
    """The id of what Stripe gives either as an id or whole."""
    return value if isinstance(value, str) else (value.id if value else "")


def line_of(line: Any) -> Line:
    details = line.parent and (line.parent.subscription_item_details or line.parent.invoice_item_details)
    return Line(
        description=line.description or "",
        amount_minor=line.amount,
        quantity=line.quantity,
        start=at(line.period.start),
        end=at(line.period.end),
        is_proration=bool(details and details.proration),
    )


def preview_of(invoice: Any) -> Preview:
    taxes = invoice.total_taxes or []
    return Preview(
        currency=invoice.currency.upper(),
        lines=tuple(line_of(line) for line in invoice.lines.auto_paging_iter()),
        subtotal_minor=invoice.subtotal,
        tax_minor=sum(tax.amount for tax in taxes),
        total_minor=invoice.total,
        due_minor=invoice.amount_due,
    )
