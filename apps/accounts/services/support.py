"""Support by staff: allowing it, and acting as a member for a short while."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor, ActorKind
from apps.accounts.models import Impersonation, Membership, SupportGrant, User
from apps.accounts.services.organizations import locked
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from apps.core.tenancy import Across, across_tenants

GRANT_DAYS = (1, 3, 7, 14, 30)
LONGEST = timedelta(minutes=30)


def allow_support(actor: Actor, days: int) -> SupportGrant:
    """Lets staff act as members for some days; given again it counts from now."""
    actor.require("security:manage")
    if days not in GRANT_DAYS:
        choices = ", ".join(map(str, GRANT_DAYS))
        raise InvalidRequest("Choose one of %(choices)s days.", values={"choices": choices}, param="days")
    until = timezone.now() + timedelta(days=days)
    with tenancy.scope(actor.organization_id):
        organization = locked(actor.organization_id)
        grant: SupportGrant
        grant, _created = SupportGrant.objects.update_or_create(
            organization=organization, defaults={"expires_at": until, "granted_by_id": actor.user_id}
        )
        audit.record(actor, "support.allowed", grant, after={"until": until.isoformat(timespec="minutes")})
        events.record("support.allowed", grant.pk, {"until": until.isoformat()})
    return grant


def forbid_support(actor: Actor) -> None:
    """Takes the permission back; whoever acts as a member is out with the next thing they ask."""
    actor.require("security:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        grant = SupportGrant.objects.valid().first()
        if grant is None:
            raise NotFound("Support is not allowed anyway.")
        SupportGrant.objects.filter(pk=grant.pk).update(expires_at=timezone.now())
        audit.record(actor, "support.forbidden", grant)
        events.record("support.forbidden", grant.pk, {})


def support_grant(actor: Actor) -> SupportGrant | None:
    """The permission that holds now."""
    with tenancy.scope(actor.organization_id):
        found: SupportGrant | None = SupportGrant.objects.valid().select_related("granted_by").first()
    return found


def begin_impersonation(staff: User, organization_id: UUID, membership_id: UUID, reason: str) -> Impersonation:
    """Lets a member of staff act as a member for at most half an hour, where the organization allows it at all."""
    if not (staff.is_active and staff.is_staff):
        raise PermissionDenied("Only staff acts as members.")
    with tenancy.scope(organization_id):
        member = Membership.objects.select_related("user").filter(pk=membership_id).first()
        if member is None:
            raise NotFound("There is no member with this id.")
        grant = SupportGrant.objects.valid().first()
        if grant is None:
            raise PermissionDenied("The organization has not allowed support. An owner or admin can, in its settings.")
        if member.user.is_staff or member.user.is_superuser:
            raise PermissionDenied("Nobody acts as a member of staff.")
        if not member.user.is_active:
            raise Conflict("This account is shut.")
        row: Impersonation = Impersonation.objects.create(
            organization_id=organization_id,
            staff=staff,
            user=member.user,
            reason=reason,
            expires_at=min(timezone.now() + LONGEST, grant.expires_at),
        )
        audit.record(_as_staff(row), "support.started", row, reason=reason)
    return row


def end_impersonation(staff: User, id: UUID) -> None:
    """Ends one's own; one that has ended already stays as it ended."""
    with across_tenants(Across.SIGN_IN):
        row = Impersonation.objects.filter(pk=id, staff=staff).first()
    if row is not None:
        _end(row, "ended by them")


def end_overdue_impersonations() -> int:
    """Writes the end of those whose time is over, which have let nobody in since; how many."""
    with across_tenants(Across.HOUSEKEEPING):
        overdue = Impersonation.objects.filter(ended_at__isnull=True, expires_at__lte=timezone.now())
        rows = list(overdue.select_related("staff", "user")[:500])
    return sum(_end(row, "the time was over") for row in rows)


def _end(row: Impersonation, how: str) -> bool:
    with tenancy.scope(row.organization_id):
        going_on = Impersonation.objects.filter(pk=row.pk, ended_at__isnull=True)
        if not going_on.update(ended_at=timezone.now()):
            return False
        audit.record(_as_staff(row), "support.ended", row, how=how)
    return True


def _as_staff(row: Impersonation) -> Actor:
    name = row.staff.email if row.staff else ""
    return Actor(row.organization_id, frozenset(), user_id=row.staff_id, name=name, kind=ActorKind.STAFF)
