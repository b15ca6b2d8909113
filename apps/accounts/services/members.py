"""Members: finding them, changing their role, removing them, leaving."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, OwnershipTransfer, Role
from apps.accounts.services.grants import grant, require_over, role_facts
from apps.accounts.services.keys import revoke_keys_of
from apps.accounts.services.offboarding import move_ownership
from apps.accounts.services.organizations import locked
from apps.accounts.services.seats import require_seat
from apps.accounts.services.sessions import sessions_of
from apps.core import events, revocation, tenancy
from apps.core.errors import Conflict, InvalidRequest, LastOwner, NotFound, PermissionDenied

NO_MEMBER = gettext_noop("There is no member with this id.")


def get_member(actor: Actor, id: UUID) -> Membership:
    """One member of the actor's organization, with person and role."""
    actor.require("members:read")
    with tenancy.scope(actor.organization_id):
        member: Membership | None = Membership.objects.for_pages().filter(pk=id).first()
    if member is None:
        raise NotFound(NO_MEMBER)
    return member


def change_role(actor: Actor, id: UUID, role: str, custom_role_id: UUID | None = None) -> Membership:
    """Gives a member another role, which acts on their next request."""
    actor.require("members:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        member = _locked_member(id)
        require_over(actor, member)
        given = grant(actor, role, custom_role_id)
        before = role_facts(member.role, member.custom_role)
        if given.facts == before:
            return member
        if given.role != Role.OWNER:
            refuse_for_last_owner(member)
        member.role, member.custom_role = given.role, given.custom_role
        member.save(update_fields=["role", "custom_role"])
        audit.record(actor, "membership.role_changed", member, before=before, after=given.facts)
        events.record("membership.role_changed", member.pk, {"user": str(member.user_id), **given.facts})
        revocation.announce(actor.organization_id, member.user_id)
    return member


def remove_member(actor: Actor, id: UUID, heir_id: UUID | None = None) -> dict[str, Any]:
    """Ends a membership; what the person owned goes to the member `heir_id`, or to whoever removes them.

    Their own API keys are revoked, and their open pages' streams end within seconds.
    Returns what was moved, as the audit trail tells it.
    """
    actor.require("members:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        member = _locked_member(id)
        if member.user_id == actor.user_id:
            raise InvalidRequest("To end your own membership, leave the organization.")
        require_over(actor, member)
        return _end(actor, member, _heir(member, heir_id, actor.user_id), "membership.removed")


def leave(actor: Actor) -> dict[str, Any]:
    """Ends the actor's own membership; what they owned goes to the owner who has been there longest."""
    if actor.user_id is None or actor.impersonator_id is not None:
        raise PermissionDenied("Only a member can leave an organization.")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        own = Membership.objects.filter(user_id=actor.user_id).values_list("pk", flat=True).first()
        member = _locked_member(own)
        return _end(actor, member, _heir(member, None, None), "membership.left")


def refuse_for_last_owner(member: Membership) -> None:
    """Raises LastOwner where nobody would own the organization any more; the caller holds its lock."""
    if member.role == Role.OWNER and not Membership.objects.filter(role=Role.OWNER).exclude(pk=member.pk).exists():
        raise LastOwner("An organization needs an owner: hand it over first.")


def _locked_member(id: UUID | None) -> Membership:
    rows = Membership.objects.select_for_update(of=("self",)).select_related("user", "custom_role")
    member: Membership | None = rows.filter(pk=id).first()
    if member is None:
        raise NotFound(NO_MEMBER)
    return member


def _heir(member: Membership, heir_id: UUID | None, remover_id: UUID | None) -> Membership | None:
    """The member named, else the one who removes, else the oldest owner; None when nobody is left."""
    others = Membership.objects.select_related("user").exclude(pk=member.pk)
    if heir_id is not None:
        heir: Membership | None = others.filter(pk=heir_id).first()
        if heir is None:
            raise NotFound(NO_MEMBER, param="move_to")
        return heir
    remover: Membership | None = others.filter(user_id=remover_id).first() if remover_id else None
    owner: Membership | None = others.filter(role=Role.OWNER).order_by("id").first()
    return remover or owner


def _end(actor: Actor, member: Membership, heir: Membership | None, action: str) -> dict[str, Any]:
    refuse_for_last_owner(member)
    ended = {"keys": revoke_keys_of(member), "sessions": sessions_of(member.user_id).count()}
    moved = move_ownership(actor.organization_id, member.user_id, heir.user_id if heir else None)
    offered = OwnershipTransfer.objects.open().filter(offered_by_id=member.user_id)
    offered.update(ended_at=timezone.now(), outcome="cancelled")
    facts = ended | {"moved": moved, "moved_to": heir.user.email if heir else None}
    before = role_facts(member.role, member.custom_role) | {"email": member.user.email}
    audit.record(actor, action, member, before=before, after={}, **facts)
    id, user_id = member.pk, member.user_id
    member.delete()
    events.record(action, id, {"user": str(user_id)})
    revocation.announce(actor.organization_id, user_id)
    return facts


def add_member(user_id: UUID, organization_id: UUID, role: str, custom_role_id: UUID | None) -> Membership:
    """Writes a membership, for a service that has checked why; Conflict if there is one already."""
    if Membership.objects.filter(user_id=user_id).exists():
        raise Conflict("This person is a member already.")
    require_seat(organization_id)
    member: Membership = Membership.objects.create(
        organization_id=organization_id, user_id=user_id, role=role, custom_role_id=custom_role_id
    )
    return member
