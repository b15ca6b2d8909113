"""Staff as an actor: within one organization, with what the one act needs and nothing else."""

from __future__ import annotations

from uuid import UUID

from django.db import models

from apps.accounts import audit
from apps.accounts.access import Actor, ActorKind
from apps.accounts.models import Membership, Organization, User
from apps.core import tenancy
from apps.core.errors import NotFound, PermissionDenied
from apps.staff.abilities import Ability, may


def require(staff: User, ability: Ability) -> None:
    """Raises PermissionDenied unless this member of staff may do it."""
    if not may(staff, ability):
        raise PermissionDenied("This needs the ability %(ability)s of the staff console.", values={"ability": ability})


def staff_actor(staff: User, organization_id: UUID, *permissions: str) -> Actor:
    """The member of staff acting in an organization, as its audit log shows it."""
    with tenancy.scope(organization_id):
        organization = Organization.objects.filter(pk=organization_id).first()
    if organization is None:
        raise NotFound("There is no such organization.")
    return Actor(
        organization_id,
        frozenset(permissions),
        user_id=staff.pk,
        name=staff.email,
        kind=ActorKind.STAFF,
        closing=organization.deletes_at is not None,
    )


def tell_organizations(staff: User, person: User, action: str, reason: str) -> None:
    """Writes an act on a person into the audit log of each organization that they belong to.

    Always in the order of the organizations' ids, so that no two such acts wait for each other's chains. What is done
    to somebody who belongs to none goes into the installation's own chain.
    """
    organizations = Membership.objects.filter(user=person).order_by("organization_id")
    ids = list(organizations.values_list("organization_id", flat=True))
    for id in ids:
        with tenancy.scope(id):
            audit.record(staff_actor(staff, id), action, person, reason=reason)
    if not ids:
        by_installation(staff, action, person, before={}, after={"reason": reason})


def by_installation(
    staff: User, action: str, target: models.Model, *, before: dict[str, object], after: dict[str, object]
) -> None:
    """Writes an act into the installation's own chain, which knows people by their ids only."""
    by = f"staff {staff.pk}"
    audit.record_installation(action, target, before=before, after=after, by=by, kind=ActorKind.STAFF)
