"""Handing an organization over: offered by an owner, accepted by a member, who becomes an owner in their place."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, OwnershipTransfer, Role
from apps.accounts.services import notices
from apps.accounts.services.grants import role_facts
from apps.accounts.services.members import NO_MEMBER
from apps.accounts.services.organizations import locked
from apps.core import events, revocation, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied

VALID_FOR = timedelta(days=7)
NO_TRANSFER = gettext_noop("The organization is not offered to anybody.")


def offer_ownership(actor: Actor, member_id: UUID, typed_name: str) -> OwnershipTransfer:
    """Offers the organization to a member; asks for its typed name. One offer at a time: Conflict for a second one."""
    actor.require("ownership:transfer")
    actor.require_open()
    if actor.user_id is None:
        raise PermissionDenied("Only a person can hand an organization over.")
    with tenancy.scope(actor.organization_id):
        organization = locked(actor.organization_id)
        require_typed(organization.name, typed_name)
        member: Membership | None = Membership.objects.select_related("user").filter(pk=member_id).first()
        if member is None:
            raise NotFound(NO_MEMBER, param="member")
        if member.role == Role.OWNER:
            raise Conflict("This member is an owner already.", param="member")
        _end_expired()
        if OwnershipTransfer.objects.open().exists():
            raise Conflict("The organization is offered to somebody already: cancel that first.")
        transfer: OwnershipTransfer = OwnershipTransfer.objects.create(
            organization_id=actor.organization_id,
            offered_by_id=actor.user_id,
            member=member,
            expires_at=timezone.now() + VALID_FOR,
        )
        transfer.refresh_from_db(fields=["created_at"])
        audit.record(actor, "ownership.offered", transfer, to=member.user.email)
        notices.tell(notices.OWNERSHIP_OFFER, member.user.email, transfer.pk)
        events.record("ownership.offered", transfer.pk, {"to": str(member.user_id)})
    return transfer


def pending_transfer(actor: Actor) -> OwnershipTransfer | None:
    """The offer that waits for its answer; shown to whoever may see members, and to the one who is asked."""
    with tenancy.scope(actor.organization_id):
        rows = OwnershipTransfer.objects.pending().select_related("offered_by", "member__user")
        transfer: OwnershipTransfer | None = rows.first()
    if transfer and "members:read" not in actor.permissions and transfer.member.user_id != actor.user_id:
        return None
    return transfer


def cancel_transfer(actor: Actor) -> None:
    """Takes the offer back."""
    actor.require("ownership:transfer")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        _end(actor, _open_transfer(), "cancelled")


def decline_ownership(actor: Actor) -> None:
    """The member who was asked does not want it."""
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        _end(actor, _offered_to(actor), "declined")


def accept_ownership(actor: Actor) -> None:
    """The member who was asked becomes an owner, and the one who offered it an admin.

    Refused where the offerer is no owner any more: what one has not, one cannot give.
    """
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        transfer = _offered_to(actor)
        former: Membership | None = (
            Membership.objects.select_related("user").filter(user_id=transfer.offered_by_id, role=Role.OWNER).first()
        )
        if former is None:
            raise Conflict("Whoever offered the organization does not own it any more.")
        _become(actor, transfer.member, Role.OWNER)
        _become(actor, former, Role.ADMIN)
        transfer.ended_at, transfer.outcome = timezone.now(), "accepted"
        transfer.save(update_fields=["ended_at", "outcome"])
        before = {"owner": transfer.offered_by.email if transfer.offered_by else None}
        after = {"owner": transfer.member.user.email}
        audit.record(actor, "ownership.transferred", transfer, before=before, after=after)
        facts = {"from": str(transfer.offered_by_id), "to": str(transfer.member.user_id)}
        events.record("ownership.transferred", transfer.pk, facts)


def require_typed(name: str, typed: str) -> None:
    """Raises InvalidRequest unless somebody has typed the name, as a sign that they mean it."""
    if typed.strip() != name.strip():
        raise InvalidRequest("This is not the organization's name.", param="name")


def _become(actor: Actor, member: Membership, role: Role) -> None:
    before = role_facts(member.role, member.custom_role)
    member.role, member.custom_role = role, None
    member.save(update_fields=["role", "custom_role"])
    audit.record(actor, "membership.role_changed", member, before=before, after=role_facts(role, None))
    revocation.announce(actor.organization_id, member.user_id)


def _open_transfer() -> OwnershipTransfer:
    rows = OwnershipTransfer.objects.pending().select_for_update(of=("self",))
    transfer: OwnershipTransfer | None = rows.select_related(
        "offered_by", "member__user", "member__custom_role"
    ).first()
    if transfer is None:
        raise NotFound(NO_TRANSFER)
    return transfer


def _offered_to(actor: Actor) -> OwnershipTransfer:
    """The offer to the actor; for anybody else there is none. Staff who act as a person answer nothing for them."""
    transfer = _open_transfer()
    if actor.user_id is None or actor.impersonator_id is not None or transfer.member.user_id != actor.user_id:
        raise NotFound(NO_TRANSFER)
    return transfer


def _end(actor: Actor, transfer: OwnershipTransfer, outcome: str) -> None:
    transfer.ended_at, transfer.outcome = timezone.now(), outcome
    transfer.save(update_fields=["ended_at", "outcome"])
    audit.record(actor, f"ownership.{outcome}", transfer, to=transfer.member.user.email)
    events.record(f"ownership.{outcome}", transfer.pk, {"to": str(transfer.member.user_id)})


def _end_expired() -> None:
    now = timezone.now()
    OwnershipTransfer.objects.open().filter(expires_at__lte=now).update(ended_at=now, outcome="expired")
