"""Stripe's events: each is stored once, and then only says which object is to be looked at.

Duplicates, any order, gaps: whatever comes, the object is fetched anew under the account's lock and then written, so
the last who looks also writes what is newest (docs/decisions/0032-stripe-as-a-hint.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import Organization
from apps.billing import gateway
from apps.billing.models import BillingAccount, Order, StripeEvent
from apps.billing.services import checkouts, mirrors, orders, payments
from apps.billing.services.accounts import lock_account
from apps.billing.services.noting import note_customer
from apps.core import tenancy
from apps.core.errors import MillraceError, StripeRefused
from apps.core.jobs import ring
from apps.core.tenancy import Across, across_tenants

log = structlog.get_logger(__name__)
HANDLE: Final = "billing.handle_stripe_events"
BATCH = 100
# Longer than any look at Stripe takes; another worker that comes after it does the same, which changes nothing.
LEASE = timedelta(minutes=3)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)
WRITTEN, UNUSED, OTHER_MODE, NOBODY, GONE = "written", "not used", "other mode", "of nobody here", "no longer there"


@dataclass(frozen=True, slots=True)
class Subject:
    """What several events are about."""

    kind: str
    id: str
    customer: str


def take_in(body: bytes, signature: str) -> bool:
    """Stores what a webhook says; whether it is new. Raises SignatureRefused, having stored nothing."""
    is_new = bool(store([gateway.verify(body, signature)]))
    if is_new:
        ring_for_events()
    return is_new


def store(hints: Sequence[gateway.Hint]) -> int:
    """Stores those that are not known yet, and returns how many; two who bring the same store one row."""
    before = {hint.id for hint in hints}
    rows = [_row(hint) for hint in hints]
    ids = [row.pk for row in rows]
    with transaction.atomic():
        StripeEvent.objects.bulk_create(rows, ignore_conflicts=True)
        return StripeEvent.objects.filter(pk__in=ids, event_id__in=before).count()


def ring_for_events() -> None:
    """Asks a worker to handle what waits."""
    ring(HANDLE)


def handle_events() -> int:
    """Handles what waits, until nothing is due; returns how many events."""
    handled = 0
    while waiting := _claim():
        groups: dict[Subject, list[StripeEvent]] = defaultdict(list)
        for event in waiting:
            groups[Subject(event.object_kind, event.object_id, event.customer)].append(event)
        for subject, events in groups.items():
            _handle(subject, events)
        handled += len(waiting)
    return handled


def _row(hint: gateway.Hint) -> StripeEvent:
    outcome = "" if hint.kind in WRITERS and hint.object_id else UNUSED
    if hint.livemode != gateway.is_live():
        outcome = OTHER_MODE
        log.warning("event of the other mode", event_id=hint.id, livemode=hint.livemode)
    return StripeEvent(
        account=hint.account,
        livemode=hint.livemode,
        event_id=hint.id,
        type=hint.type[:100],
        object_kind=hint.kind[:60],
        object_id=hint.object_id[:120],
        customer=hint.customer[:80],
        api_version=hint.api_version[:40],
        happened_at=hint.happened_at,
        outcome=outcome,
        handled_at=timezone.now() if outcome else None,
    )


def due() -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(handled_at=None, next_at__lte=Now())


def _claim() -> list[StripeEvent]:
    """Takes what is due for the length of a lease; two workers never take the same at once."""
    with transaction.atomic():
        found = list(due().select_for_update(skip_locked=True).order_by("next_at")[:BATCH])
        StripeEvent.objects.filter(pk__in=[event.pk for event in found]).update(
            next_at=Now() + LEASE, attempts=F("attempts") + 1
        )
    return found


def _handle(subject: Subject, events: list[StripeEvent]) -> None:
    ids = [event.pk for event in events]
    try:
        organization_id = _organization_of(subject)
        if organization_id is None:
            _done(ids, NOBODY)
            return
        with tenancy.scope(organization_id):
            account = lock_account(organization_id)
            is_written = WRITERS[subject.kind](account, subject.id)
            _done(ids, WRITTEN if is_written else NOBODY)
    except StripeRefused as error:
        if error.reason == "resource_missing":
            _done(ids, GONE)
        else:
            _postpone(events, error)
    except MillraceError as error:
        _postpone(events, error)
    except Exception as error:
        log.exception("event not handled", kind=subject.kind, object_id=subject.id)
        _postpone(events, error)


def _done(ids: list[UUID], outcome: str) -> None:
    StripeEvent.objects.filter(pk__in=ids).update(handled_at=Now(), outcome=outcome, problem="")


def _postpone(events: list[StripeEvent], error: Exception) -> None:
    log.warning("event is tried again later", event_id=events[0].event_id, problem=str(error))
    for event in events:
        pause = min(FIRST_PAUSE * 2 ** min(event.attempts, 10), LONGEST_PAUSE)
        StripeEvent.objects.filter(pk=event.pk, handled_at=None).update(
            next_at=Now() + pause, problem=f"{type(error).__name__}: {error}"[:500]
        )


# ---------------------------------------------------------------- whose it is
def _organization_of(subject: Subject) -> UUID | None:
    customer = subject.customer or _customer_of(subject)
    if not customer:
        return None
    with across_tenants(Across.STRIPE):
        account = BillingAccount.objects.filter(stripe_id=customer).first()
    if account is not None:
        found: UUID = account.organization_id
        return found
    return _adopt(gateway.get_customer(customer))


def _customer_of(subject: Subject) -> str:
    """Some events name no customer; whose an object is never changes, so this look needs no lock."""
    if subject.kind == "charge":
        return gateway.get_charge(subject.id).customer
    if subject.kind == "credit_note":
        return gateway.get_credit_note(subject.id).customer
    return gateway.get_session(subject.id).customer if subject.kind == "checkout.session" else ""


def _adopt(customer: gateway.RemoteCustomer) -> UUID | None:
    """A customer that was made for an organization whose row does not know it yet, because the maker was killed."""
    try:
        organization_id = UUID(customer.organization)
    except ValueError:
        return None
    if not Organization.objects.filter(pk=organization_id).exists():
        return None
    with tenancy.scope(organization_id):
        account = lock_account(organization_id)
        if account.stripe_id and account.stripe_id != customer.id:
            log.error("a second customer of one organization", customer=customer.id, first=account.stripe_id)
            return None
        note_customer(account, stripe_id=customer.id, livemode=gateway.is_live())
    return organization_id


# ---------------------------------------------------------------- what is written
def _write_subscription(account: BillingAccount, id: str) -> bool:
    return mirrors.copy_subscription(account, id) is not None


def _write_invoice(account: BillingAccount, id: str) -> bool:
    remote = gateway.get_invoice(id)
    if remote.status != "draft":
        mirrors.write_invoice(account, remote)
    return True


def _write_charge(account: BillingAccount, id: str) -> bool:
    payments.write_charge(account, gateway.get_charge(id))
    return True


def _write_credit_note(account: BillingAccount, id: str) -> bool:
    note = gateway.get_credit_note(id)
    mirrors.write_invoice(account, gateway.get_invoice(note.invoice))
    return mirrors.write_credit_note(account, note) is not None


def _write_session(account: BillingAccount, id: str) -> bool:
    session = gateway.get_session(id)
    if session.checkout:
        checkouts.settle_checkout(account.organization_id, UUID(session.checkout))
    elif session.order:
        order: Order | None = Order.objects.filter(pk=session.order).first()
        if order is None:
            return False
        orders.settle(order, session.page)
    return bool(session.checkout or session.order)


def _write_customer(account: BillingAccount, id: str) -> bool:
    mirrors.write_customer(account)
    return True


WRITERS: Final[dict[str, Callable[[BillingAccount, str], bool]]] = {
    "subscription": _write_subscription,
    "invoice": _write_invoice,
    "charge": _write_charge,
    "credit_note": _write_credit_note,
    "checkout.session": _write_session,
    "customer": _write_customer,
}
