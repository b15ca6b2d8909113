"""Custom roles: made from the documented permissions, by people who hold what they put in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import CustomRole, Invitation, Membership, ServiceAccount
from apps.accounts.permissions import CUSTOM_ROLE_PERMISSIONS
from apps.accounts.services.grants import require_at_most
from apps.accounts.services.organizations import locked
from apps.core import events, revocation, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound

LONGEST_NAME, LONGEST_DESCRIPTION = 60, 200
# Each is a column of the table of roles, and a choice in every form that gives one.
MOST_ROLES = 50
NO_ROLE = gettext_noop("There is no custom role with this id.")


def get_role(actor: Actor, id: UUID) -> CustomRole:
    actor.require("members:read")
    with tenancy.scope(actor.organization_id):
        role: CustomRole | None = CustomRole.objects.filter(pk=id).first()
    if role is None:
        raise NotFound(NO_ROLE)
    return role


def create_role(actor: Actor, name: str, permissions: Iterable[str], description: str = "") -> CustomRole:
    actor.require("roles:manage")
    actor.require_open()
    wanted = _checked(actor, name, permissions, description)
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        if CustomRole.objects.count() >= MOST_ROLES:
            raise Conflict(
                "An organization has at most %(most)s custom roles; delete one that nobody has.",
                values={"most": MOST_ROLES},
            )
        role = CustomRole(organization_id=actor.organization_id, **wanted)
        _save(role)
        audit.record(actor, "role.created", role, after=wanted)
        events.record("role.created", role.pk, wanted)
    return role


def change_role_permissions(
    actor: Actor,
    id: UUID,
    *,
    name: str | None = None,
    permissions: Iterable[str] | None = None,
    description: str | None = None,
) -> CustomRole:
    """Changes what is given; who has the role holds the new permissions from their next request on.

    Neither may the role hold more than the actor before, nor after: otherwise somebody could cut down, or build up, a
    role above their own.
    """
    actor.require("roles:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        role = _locked_role(actor, id)
        before = _facts(role)
        wanted = _checked(
            actor,
            role.name if name is None else name,
            role.granted if permissions is None else permissions,
            role.description if description is None else description,
        )
        changed = {field: value for field, value in wanted.items() if before[field] != value}
        if changed:
            for field, value in changed.items():
                setattr(role, field, value)
            _save(role)
            old = {field: before[field] for field in changed}
            audit.record(actor, "role.changed", role, before=old, after=changed, name=role.name)
            events.record("role.changed", role.pk, wanted)
            revocation.announce(actor.organization_id)
    return role


def delete_role(actor: Actor, id: UUID) -> None:
    """Removes a role that nobody and no program has, and nobody is invited to; Conflict otherwise."""
    actor.require("roles:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        role = _locked_role(actor, id)
        holders = (Membership.objects, ServiceAccount.objects, Invitation.objects.open())
        if any(rows.filter(custom_role=role).exists() for rows in holders):
            raise Conflict("Members, service accounts or invitations have this role: give them another one first.")
        Invitation.objects.filter(custom_role=role).update(custom_role=None)
        audit.record(actor, "role.deleted", role, before=_facts(role), after={})
        id, facts = role.pk, {"name": role.name}
        role.delete()
        events.record("role.deleted", id, facts)


def _locked_role(actor: Actor, id: UUID) -> CustomRole:
    role: CustomRole | None = CustomRole.objects.select_for_update().filter(pk=id).first()
    if role is None:
        raise NotFound(NO_ROLE)
    require_at_most(actor, role.granted, gettext_noop("You cannot change a role that may do more than you."))
    return role


def _facts(role: CustomRole) -> dict[str, Any]:
    return {"name": role.name, "permissions": sorted(role.permissions), "description": role.description}


def _checked(actor: Actor, name: str, permissions: Iterable[str], description: str) -> dict[str, Any]:
    name, description, wanted = name.strip(), description.strip(), frozenset(permissions)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidRequest(
            "Give the role a name of 1 to %(most)s characters.", values={"most": LONGEST_NAME}, param="name"
        )
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidRequest(
            "A description has at most %(most)s characters.", values={"most": LONGEST_DESCRIPTION}, param="description"
        )
    if not wanted or not wanted <= frozenset(CUSTOM_ROLE_PERMISSIONS):
        raise InvalidRequest(
            "Choose permissions from: %(choices)s.",
            values={"choices": ", ".join(CUSTOM_ROLE_PERMISSIONS)},
            param="permissions",
        )
    require_at_most(actor, wanted, gettext_noop("You cannot make a role that may do more than you."))
    return {"name": name, "permissions": sorted(wanted), "description": description}


def _save(role: CustomRole) -> None:
    try:
        with transaction.atomic():
            role.save()
    except IntegrityError:
        raise Conflict("There is a custom role of this name already.", param="name") from None
