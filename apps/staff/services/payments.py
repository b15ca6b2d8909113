"""What staff does about the exchange with Stripe: looking again, closing what stays unknown, seeing to findings."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.models import User
from apps.billing.models import StripeEvent, StripeFinding, StripeOperation
from apps.billing.services import findings
from apps.billing.services.reconcile import Drift, check_customer
from apps.staff.abilities import Ability
from apps.staff.services.acting import by_installation, require, staff_actor


def compare_with_stripe(staff: User, organization_id: UUID) -> list[Drift]:
    """Compares an organization's copies with Stripe now, as every night, and mends them."""
    require(staff, Ability.RETRY)
    return check_customer(organization_id)


def acknowledge_finding(staff: User, organization_id: UUID, id: UUID) -> StripeFinding:
    require(staff, Ability.OPERATE)
    return findings.acknowledge_finding(staff_actor(staff, organization_id, findings.MANAGE), id)


def look_for_operation(staff: User, organization_id: UUID, id: UUID) -> StripeOperation:
    require(staff, Ability.RETRY)
    return findings.look_for_operation(staff_actor(staff, organization_id, findings.MANAGE), id)


def give_up_operation(staff: User, organization_id: UUID, id: UUID, reason: str) -> StripeOperation:
    """Closes a request of unknown outcome as not done."""
    require(staff, Ability.OPERATE)
    return findings.give_up_operation(staff_actor(staff, organization_id, findings.MANAGE), id, reason)


def retry_event(staff: User, id: UUID) -> StripeEvent:
    """Has an event of Stripe's handled now."""
    require(staff, Ability.RETRY)
    row = findings.retry_event(id)
    by_installation(staff, "stripe_event.retried", row, before={}, after={"event": row.event_id, "type": row.type})
    return row
