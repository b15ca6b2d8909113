"""What the exchange with Stripe leaves for people: what a comparison found, what stays unknown, what fails."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing import gateway
from apps.billing.models import FindingKind, OperationState, StripeEvent, StripeFinding, StripeOperation
from apps.billing.services.inbox import ring_for_events
from apps.core import tenancy
from apps.core.errors import Conflict, NotFound

MANAGE = "billing:manage"
CUSTOMER = "customer"


def note_finding(organization_id: UUID, kind: FindingKind, subject: str, detail: str) -> None:
    """Writes what was found, or counts it where nobody has seen to it yet. In the scope of the organization."""
    same = StripeFinding.objects.select_for_update().filter(kind=kind, subject=subject, acknowledged_at=None)
    if not same.update(times=F("times") + 1, seen_at=Now(), detail=detail[:500]):
        StripeFinding.objects.create(organization_id=organization_id, kind=kind, subject=subject, detail=detail[:500])


def settle_unread() -> None:
    """The customer could be compared again: nobody has to see to it. In the scope of the organization."""
    found = StripeFinding.objects.filter(kind=FindingKind.UNREAD, acknowledged_at=None)
    found.update(acknowledged_at=Now())


def acknowledge_finding(actor: Actor, id: UUID) -> StripeFinding:
    """Somebody has seen to it; found again it is a new finding."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row = StripeFinding.objects.select_for_update().filter(pk=id).first()
        if row is None:
            raise NotFound("There is no such finding.")
        if row.acknowledged_at is not None:
            raise Conflict("Somebody has seen to this already.")
        row.acknowledged_at, row.acknowledged_by = timezone.now(), actor.user_id
        row.save(update_fields=["acknowledged_at", "acknowledged_by"])
        audit.record(actor, "billing.finding_acknowledged", row, kind=row.kind, detail=row.detail)
    found: StripeFinding = row
    return found


def look_for_operation(actor: Actor, id: UUID) -> StripeOperation:
    """Looks once more at Stripe for what an operation of unknown outcome would have made."""
    row = _unknown(actor, id)
    made = gateway.find_made(row.kind, row.parameters, str(row.pk))
    if not made:
        raise Conflict("Stripe has nothing of this request. Look there, and then close it as not done.")
    return _close(actor, row, OperationState.DONE, "billing.operation_found", answer_id=made, problem="")


def give_up_operation(actor: Actor, id: UUID, reason: str) -> StripeOperation:
    """Closes an operation of unknown outcome as not done; it is never sent again."""
    row = _unknown(actor, id)
    return _close(actor, row, OperationState.FAILED, "billing.operation_closed", problem=f"Closed by staff: {reason}")


def retry_event(id: UUID) -> StripeEvent:
    """Has an event that failed handled now instead of after its pause."""
    found = StripeEvent.objects.filter(pk=id, handled_at=None)
    if not found.update(next_at=Now()):
        raise Conflict("This event has been handled.")
    ring_for_events()
    row: StripeEvent = StripeEvent.objects.get(pk=id)
    return row


def _unknown(actor: Actor, id: UUID) -> StripeOperation:
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row: StripeOperation | None = StripeOperation.objects.filter(pk=id).first()
    if row is None:
        raise NotFound("There is no such request.")
    if row.state != OperationState.UNKNOWN:
        raise Conflict("What became of this request is known.")
    return row


def _close(actor: Actor, row: StripeOperation, state: OperationState, action: str, **changes: Any) -> StripeOperation:
    """Once, whoever else does the same at this moment."""
    with tenancy.scope(actor.organization_id):
        same = StripeOperation.objects.filter(pk=row.pk, state=OperationState.UNKNOWN)
        if not same.update(state=state, done_at=Now(), problem=str(changes.pop("problem"))[:500], **changes):
            raise Conflict("What became of this request is known.")
        audit.record(actor, action, row, kind=row.kind, subject=row.subject)
        row.refresh_from_db()
    return row
