"""What one person may give another: never more than they hold themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.accounts.models import CustomRole, Membership, Role
from apps.accounts.permissions import ROLE_PERMISSIONS
from apps.core.errors import InvalidRequest, NotFound, PermissionDenied


@dataclass(frozen=True, slots=True)
class Grant:
    """A role to be given, built-in or the organization's own."""

    role: str
    custom_role: CustomRole | None = None

    @property
    def permissions(self) -> frozenset[str]:
        return self.custom_role.granted if self.custom_role else ROLE_PERMISSIONS[self.role]

    @property
    def facts(self) -> dict[str, Any]:
        return role_facts(self.role, self.custom_role)


def role_facts(role: str, custom_role: CustomRole | None) -> dict[str, Any]:
    """A role as the audit trail and events tell it."""
    if custom_role is None:
        return {"role": str(role)}
    return {"role": str(role), "custom_role": str(custom_role.pk), "custom_role_name": custom_role.name}


def grant(actor: Actor, role: str, custom_role_id: UUID | None = None) -> Grant:
    """The role to give, in the actor's scope; PermissionDenied if it can do anything that the actor cannot.

    This is also why only an owner makes owners.
    """
    if role not in Role.values:
        raise InvalidRequest(
            "Choose a role from: %(choices)s.", values={"choices": ", ".join(Role.values)}, param="role"
        )
    if (role == Role.CUSTOM) != (custom_role_id is not None):
        raise InvalidRequest("A custom role is named by its id, and only with the role custom.", param="custom_role")
    # Locked against its removal until the one who gets it is written.
    custom_role = _custom_role(custom_role_id) if custom_role_id else None
    given = Grant(role, custom_role)
    require_at_most(actor, given.permissions, gettext_noop("You cannot give a role that may do more than yours."))
    return given


def _custom_role(id: UUID) -> CustomRole:
    role: CustomRole | None = CustomRole.objects.select_for_update(no_key=True).filter(pk=id).first()
    if role is None:
        raise NotFound("There is no custom role with this id.", param="custom_role")
    return role


def require_over(actor: Actor, member: Membership) -> None:
    """Raises PermissionDenied for a member who may do more than the actor: an admin does not touch owners."""
    require_at_most(actor, member.permissions, gettext_noop("You cannot change a member who may do more than you."))


def require_at_most(actor: Actor, permissions: frozenset[str], message: str) -> None:
    if not permissions <= actor.permissions:
        raise PermissionDenied(message)
