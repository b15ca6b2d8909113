"""What stands at Stripe at this moment: subscriptions, invoices, credit notes and customers, as frozen values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from apps.billing.gateway.client import stripe
from apps.billing.gateway.objects import Item, Line, at, at_or_none, id_of, line_of


@dataclass(frozen=True, slots=True)
class RemoteSubscription:
    """A subscription; periods are those of its items (API basil), `unpaid_since` is when its open invoice was due."""

    id: str
    customer: str
    status: str
    currency: str
    items: tuple[Item, ...]
    period_start: datetime | None
    period_end: datetime | None
    trial_end: datetime | None
    cancel_at: datetime | None
    ended_at: datetime | None
    is_paused: bool
    paused_until: datetime | None
    unpaid_since: datetime | None
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class RemoteInvoice:
    """An invoice as it is shown."""

    id: str
    customer: str
    subscription: str
    number: str
    status: str
    currency: str
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    paid_minor: int
    remaining_minor: int
    credited_minor: int
    lines: tuple[Line, ...]
    issued_at: datetime
    due_at: datetime | None
    paid_at: datetime | None
    failed_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    page_url: str
    pdf_url: str

    def shown_lines(self) -> list[dict[str, Any]]:
        return [asdict(line) | {"start": line.start.isoformat(), "end": line.end.isoformat()} for line in self.lines]


@dataclass(frozen=True, slots=True)
class RemoteCreditNote:
    """What corrects an invoice."""

    id: str
    invoice: str
    number: str
    status: str
    reason: str
    currency: str
    total_minor: int
    issued_at: datetime
    pdf_url: str
    customer: str = ""


@dataclass(frozen=True, slots=True)
class RemoteCustomer:
    """A customer with the means of payment that is charged, and how the check of its tax id stands."""

    id: str
    payment_method: str
    country: str
    tax_id_kind: str
    tax_id: str
    tax_id_state: str
    organization: str = ""


def get_subscription(id: str) -> RemoteSubscription:
    with stripe() as client:
        return _subscription(client.v1.subscriptions.retrieve(id, {"expand": ["latest_invoice"]}))


def list_subscriptions(customer: str) -> list[RemoteSubscription]:
    """All of a customer's, ended ones too, the oldest first."""
    with stripe() as client:
        found = client.v1.subscriptions.list(
            {"customer": customer, "status": "all", "limit": 100, "expand": ["data.latest_invoice"]}
        )
        return [_subscription(one) for one in reversed(list(found.auto_paging_iter()))]


def get_invoice(id: str) -> RemoteInvoice:
    with stripe() as client:
        return _invoice(client.v1.invoices.retrieve(id))


def list_invoices(customer: str, *, limit: int = 100) -> list[RemoteInvoice]:
    """The newest of a customer's that have been issued."""
    with stripe() as client:
        found = client.v1.invoices.list({"customer": customer, "limit": limit}).data
        return [_invoice(one) for one in found if one.status != "draft"]


def list_credit_notes(customer: str, *, limit: int = 100) -> list[RemoteCreditNote]:
    with stripe() as client:
        return [_note(one) for one in client.v1.credit_notes.list({"customer": customer, "limit": limit}).data]


def get_credit_note(id: str) -> RemoteCreditNote:
    with stripe() as client:
        return _note(client.v1.credit_notes.retrieve(id))


def credit_note_pdf(id: str) -> str:
    """A fresh address of the file."""
    with stripe() as client:
        return _note(client.v1.credit_notes.retrieve(id)).pdf_url


def get_customer(id: str) -> RemoteCustomer:
    with stripe() as client:
        expand = ["invoice_settings.default_payment_method", "tax_ids"]
        found = client.v1.customers.retrieve(id, {"expand": expand})
        if "deleted" in found:
            return RemoteCustomer(found.id, "", "", "", "", "")
        method: Any = found.invoice_settings and found.invoice_settings.default_payment_method
        if method is None:
            methods = client.v1.customers.payment_methods.list(id, {"limit": 1}).data
            method = methods[0] if methods else None
        tax: Any = next(iter(found.tax_ids.data), None) if found.tax_ids else None
    return RemoteCustomer(
        id=found.id,
        payment_method=_words_of(method),
        country=(found.address and found.address.country) or "",
        tax_id_kind=tax.type if tax else "",
        tax_id=tax.value if tax else "",
        tax_id_state=(tax.verification.status if tax and tax.verification else "") or "",
        organization=found.metadata.to_dict().get("organization", "") if found.metadata else "",
    )


def _words_of(method: Any) -> str:
    """A card by its make and last digits, anything else by its kind."""
    if method is None:
        return ""
    if not method.card:
        return str(method.type)
    return f"{str(method.card.brand).replace('_', ' ').title()} {method.card.last4}"


def _subscription(found: Any) -> RemoteSubscription:
    # `found.items` is the method of a mapping.
    rows = found["items"].data
    latest = found.latest_invoice if found.latest_invoice and not isinstance(found.latest_invoice, str) else None
    pause = found.pause_collection
    owed = latest is not None and latest.status == "open"
    return RemoteSubscription(
        id=found.id,
        customer=id_of(found.customer),
        status=found.status,
        currency=found.currency.upper(),
        items=tuple(Item(row.id, row.price.id, row.quantity or 0) for row in rows),
        period_start=at(min(row.current_period_start for row in rows)) if rows else None,
        period_end=at(max(row.current_period_end for row in rows)) if rows else None,
        trial_end=at_or_none(found.trial_end),
        cancel_at=at_or_none(found.cancel_at) or (_end_of(rows) if found.cancel_at_period_end else None),
        ended_at=at_or_none(found.ended_at),
        is_paused=pause is not None,
        paused_until=at_or_none(pause.resumes_at) if pause else None,
        unpaid_since=at(latest.status_transitions.finalized_at or latest.created) if latest and owed else None,
        metadata=dict(found.metadata.to_dict()) if found.metadata else {},
    )


def _end_of(rows: Any) -> datetime | None:
    return at(max(row.current_period_end for row in rows)) if rows else None


def _invoice(found: Any) -> RemoteInvoice:
    parent = found.parent and found.parent.subscription_details
    times = found.status_transitions
    failed = found.status == "open" and bool(found.attempted)
    return RemoteInvoice(
        id=found.id,
        customer=id_of(found.customer),
        subscription=id_of(parent.subscription) if parent else "",
        number=found.number or "",
        status=found.status or "",
        currency=found.currency.upper(),
        subtotal_minor=found.subtotal,
        tax_minor=sum(tax.amount for tax in found.total_taxes or []),
        total_minor=found.total,
        paid_minor=found.amount_paid,
        remaining_minor=found.amount_remaining,
        credited_minor=(found.pre_payment_credit_notes_amount or 0) + (found.post_payment_credit_notes_amount or 0),
        lines=tuple(line_of(line) for line in found.lines.auto_paging_iter()),
        issued_at=at(times.finalized_at or found.created),
        due_at=at_or_none(found.due_date),
        paid_at=at_or_none(times.paid_at),
        failed_at=at(times.finalized_at or found.created) if failed else None,
        period_start=at_or_none(found.period_start),
        period_end=at_or_none(found.period_end),
        page_url=found.hosted_invoice_url or "",
        pdf_url=found.invoice_pdf or "",
    )


def _note(found: Any) -> RemoteCreditNote:
    return RemoteCreditNote(
        id=found.id,
        invoice=id_of(found.invoice),
        number=found.number,
        status=found.status,
        reason=found.reason or "",
        currency=found.currency.upper(),
        total_minor=found.total,
        issued_at=at(found.created),
        pdf_url=found.pdf,
        customer=id_of(found.customer),
    )
