"""Our copies of Stripe's objects. Each is written under the account's lock, from what Stripe says under that lock.

So of two who copy at once the later one also writes what is newer, in whatever order the events came.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import structlog
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.billing import gateway
from apps.billing.gateway import RemoteCreditNote, RemoteInvoice, RemoteSubscription
from apps.billing.models import (
    FREE_PLAN,
    BillingAccount,
    CreditNote,
    Invoice,
    OperationState,
    Plan,
    PlanPrice,
    Status,
    StripeOperation,
    Subscription,
)
from apps.billing.models.subscriptions import ENDED
from apps.billing.services import idle_credit
from apps.billing.services.accounts import lock_account
from apps.billing.services.catalogue import BASE, find_price
from apps.billing.services.noting import note_customer
from apps.billing.services.operations import write_operation
from apps.billing.transitions import is_legal
from apps.core import events, metrics, tenancy
from apps.core.jobs import ring

log = structlog.get_logger(__name__)
OWED = (Status.PAST_DUE, Status.UNPAID)
_FIELDS = (
    "plan_id price_id status seats period_start period_end trial_end cancel_at past_due_since paused_until ended_at "
    "next_price_id next_seats next_at"
).split()


def refresh(organization_id: UUID, *, newest: int = 10) -> Subscription | None:
    """Copies what the organization's customer has, of papers the newest; returns the live subscription.

    What has just been done made none but the newest, and events tell of what becomes of older ones.
    """
    with tenancy.scope(organization_id):
        account = lock_account(organization_id)
        if account.stripe_id:
            unanswered = _unanswered()
            for remote in gateway.list_subscriptions(account.stripe_id):
                write_subscription(account, remote, unanswered)
            for invoice in gateway.list_invoices(account.stripe_id, limit=newest):
                write_invoice(account, invoice)
            for note in gateway.list_credit_notes(account.stripe_id, limit=newest):
                write_credit_note(account, note)
            write_customer(account)
        return live_subscription()


def refresh_subscription(organization_id: UUID, stripe_id: str) -> Subscription | None:
    """Copies one subscription."""
    with tenancy.scope(organization_id):
        return copy_subscription(lock_account(organization_id), stripe_id)


def copy_subscription(account: BillingAccount, stripe_id: str) -> Subscription | None:
    """The same in a transaction that has locked the account."""
    unanswered = _unanswered()
    return write_subscription(account, gateway.get_subscription(stripe_id), unanswered)


def live_subscription() -> Subscription | None:
    """The one that has not ended. In the scope of the organization."""
    rows = Subscription.objects.select_related("plan", "price__plan", "next_price__plan").filter(is_live=True)
    found: Subscription | None = rows.first()
    return found


def write_subscription(
    account: BillingAccount, remote: RemoteSubscription, unanswered: Collection[str]
) -> Subscription | None:
    """Writes a subscription; None for one that is not ours, or that is a second one. The account is locked.

    `unanswered` names those whose change of lines had no answer before `remote` was read: it may not show it yet.
    """
    agreed = _agreed(remote)
    if agreed is None:
        log.error("subscription at prices that are not ours", subscription=remote.id)
        return None
    row = Subscription.objects.select_related("plan", "price").filter(stripe_id=remote.id).first()
    if row is None and remote.status not in ENDED and not _make_room(account, remote):
        return None
    row = row or Subscription(organization_id=account.organization_id, stripe_id=remote.id)
    before = {name: getattr(row, name) for name in _FIELDS}
    _copy(row, remote, *agreed, is_settled=remote.id not in unanswered)
    if not row._state.adding and before == {name: getattr(row, name) for name in _FIELDS}:
        return row
    if row.version and not is_legal(Status(before["status"]), Status(row.status)):
        log.error("unexpected change of status", subscription=remote.id, before=before["status"], after=row.status)
        metrics.STRIPE_ILLEGAL_CHANGES.inc()
    if row.version and before["status"] not in ENDED and row.status in ENDED:
        _bill_rest(account, row)
    row.version += 1
    row.save()
    ring("billing.preview_renewals")
    # Of two in two currencies, the one that ended decides nothing, nor does one that nothing was paid for yet.
    decides = row.status not in (*ENDED, Status.INCOMPLETE)
    if account.currency != remote.currency and (decides or not account.currency):
        note_customer(account, currency=remote.currency)
    if decides:
        idle_credit.give_back_idle(account)
    _tell(account, row, None if row.version == 1 else before)
    return row


def write_invoice(account: BillingAccount, remote: RemoteInvoice) -> Invoice:
    """Writes an invoice, and tells when it was paid or its payment failed. The account is locked."""
    names = "number status currency subtotal_minor tax_minor total_minor paid_minor remaining_minor credited_minor"
    names += " issued_at due_at paid_at failed_at period_start period_end page_url pdf_url"
    values = {name: getattr(remote, name) for name in names.split()}
    values["subscription"] = _subscription_of(account, remote)
    values["lines"] = remote.shown_lines()
    values["organization_id"] = account.organization_id
    before: Invoice | None = Invoice.objects.filter(stripe_id=remote.id).first()
    if before and all(getattr(before, name) == value for name, value in values.items()):
        return before
    row: Invoice
    row, _ = Invoice.objects.update_or_create(stripe_id=remote.id, defaults=values)
    facts = {"number": row.number, "total_minor": row.total_minor, "currency": row.currency}
    if row.paid_at and not (before and before.paid_at):
        events.record("invoice.paid", row.pk, facts)
    elif row.failed_at and not (before and before.failed_at):
        events.record("invoice.payment_failed", row.pk, facts)
    return row


def write_credit_note(account: BillingAccount, remote: RemoteCreditNote) -> CreditNote | None:
    invoice = Invoice.objects.filter(stripe_id=remote.invoice).first()
    if invoice is None:
        return None
    names = "number status reason currency total_minor issued_at pdf_url"
    values = {name: getattr(remote, name) for name in names.split()}
    values |= {"invoice": invoice, "organization_id": account.organization_id}
    row: CreditNote
    row, _ = CreditNote.objects.update_or_create(stripe_id=remote.id, defaults=values)
    return row


def _subscription_of(account: BillingAccount, remote: RemoteInvoice) -> Subscription | None:
    """What the invoice is of; its copy is made now where the invoice was heard of first."""
    if not remote.subscription:
        return None
    found: Subscription | None = Subscription.objects.filter(stripe_id=remote.subscription).first()
    return found or copy_subscription(account, remote.subscription)


def _unanswered() -> set[str]:
    rows = StripeOperation.objects.filter(kind="change_items", state__in=StripeOperation.UNDONE)
    return set(rows.values_list("parameters__subscription", flat=True))


def _agreed(remote: RemoteSubscription) -> tuple[PlanPrice, int] | None:
    """Which price of ours it is at, and for how many seats."""
    price, further = None, 0
    for item in remote.items:
        found = find_price(item.price_id)
        if found and found[1] == BASE:
            price = found[0]
        elif found:
            further = item.quantity
    return (price, price.plan.included_seats + further) if price else None


def _copy(row: Subscription, remote: RemoteSubscription, price: PlanPrice, seats: int, *, is_settled: bool) -> None:
    pausable = remote.status in (Status.ACTIVE, Status.TRIALING)
    row.status = Status.PAUSED if remote.is_paused and pausable else remote.status
    for name in ("period_start", "period_end", "trial_end", "cancel_at", "ended_at", "paused_until"):
        setattr(row, name, getattr(remote, name))
    waits = row.next_at is not None and remote.period_start is not None and remote.period_start < row.next_at
    if waits and row.next_price_id == price.pk and _is_smaller(row, price, seats):
        # Stripe bills it from the next period on; the larger one is paid for. How many seats it comes with may have
        # changed since, with what the plan includes.
        row.next_seats = seats
    else:
        row.plan, row.price, row.seats = price.plan, price, seats
        # What is not done there yet still waits; forgotten, it would hold at once when it is done.
        if is_settled or not waits:
            row.next_price = row.next_seats = row.next_at = None
    if row.status in OWED:
        row.past_due_since = remote.unpaid_since or row.past_due_since or timezone.now()
    else:
        row.past_due_since = None


def _is_smaller(row: Subscription, price: PlanPrice, seats: int) -> bool:
    """Whether it is no more than what is paid for, or was to come: more is bought at once."""
    if row.price is None or row.price_id == price.pk:
        return seats < row.seats
    return seats <= max(row.seats, row.next_seats or 0) or price.of_period(seats) <= row.price.of_period(row.seats)


def _make_room(account: BillingAccount, remote: RemoteSubscription) -> bool:
    """Whether a live subscription may be added; one that the operator gave for nothing makes way.

    A second one at Stripe is ended there, as a request of its own, and told of.
    """
    live = live_subscription()
    if live is None:
        return True
    if live.status == Status.MANUAL and live.plan.code == FREE_PLAN:
        live.status, live.ended_at = Status.CANCELED, timezone.now()
        live.save(update_fields=["status", "ended_at"])
        return True
    log.error("a second live subscription", subscription=remote.id, live=live.stripe_id or str(live.pk))
    parameters = {"subscription": remote.id}
    operation = write_operation(account.organization_id, "end_second", f"second:{remote.id}", parameters)
    # Written just now: the one who waits for an answer would still have it, and nobody does.
    is_new = operation.state == OperationState.WAITING and operation.next_at > timezone.now()
    if is_new and not operation.attempts:
        type(operation).objects.filter(pk=operation.pk).update(next_at=timezone.now())
        metrics.STRIPE_SECOND_SUBSCRIPTIONS.inc()
        audit.record(system(account.organization_id), "subscription.second_ended", account, subscription=remote.id)
        ring("billing.send_operations")
    return False


def write_customer(account: BillingAccount) -> None:
    found = gateway.get_customer(account.stripe_id)
    facts = {"payment_method": found.payment_method[:60], "country": found.country or account.country}
    if found.tax_id:
        facts |= {name: getattr(found, name) for name in ("tax_id_kind", "tax_id", "tax_id_state")}
    note_customer(account, **facts)


def _bill_rest(account: BillingAccount, row: Subscription) -> None:
    """Bills what still waits for an invoice that no longer comes: lines of months that were closed before the end.

    The outbox asks for it some minutes later, after the last invoice that Stripe itself may make; nothing makes none.
    """
    whose = {"customer": account.stripe_id, "currency": (account.currency or "usd").lower()}
    write_operation(account.organization_id, "create_invoice", f"rest:{row.pk}", whose)


def _plain(value: object) -> str | int | None:
    return value if value is None or isinstance(value, int) else str(value)


def _tell(account: BillingAccount, row: Subscription, before: dict[str, object] | None) -> None:
    facts = {"plan": row.plan.code, "status": str(row.status), "seats": row.seats}
    by = system(account.organization_id)
    old = {"plan": before and _code_of(before["plan_id"]), "status": before and str(before["status"])}
    if before is not None and (old["plan"], old["status"], before["seats"]) == tuple(facts.values()):
        # Without a word of it the database would write that it was changed outside the application.
        now = {name: getattr(row, name) for name in _FIELDS}
        changed = [name for name in _FIELDS if before[name] != now[name]]
        was, became = ({name: _plain(values[name]) for name in changed} for values in (before, now))
        audit.record(by, "subscription.copied", row, before=was, after=became)
        return
    audit.record(by, "subscription.updated", row, before=old if before else {"plan": FREE_PLAN}, after=facts)
    events.record("subscription.changed", row.pk, facts)


def _code_of(plan_id: Any) -> str:
    return Plan.objects.values_list("code", flat=True).get(pk=plan_id)
