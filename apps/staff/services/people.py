"""What staff does to accounts: shutting one, opening it again, and taking second factors off that got lost."""

from __future__ import annotations

from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils.translation import gettext_noop

from apps.accounts import services as accounts
from apps.accounts.models import Impersonation, User
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.core.tenancy import Across, across_tenants
from apps.staff.abilities import Ability
from apps.staff.services.acting import require, tell_organizations

OPEN_ALREADY = gettext_noop("The account is open already.")
SHUT_ALREADY = gettext_noop("The account is shut already.")


def disable_person(staff: User, person_id: UUID, reason: str) -> User:
    """Shuts an account: nobody signs in with it, and its sessions end with the next thing they ask."""
    return _set_active(staff, person_id, reason, active=False)


def enable_person(staff: User, person_id: UUID, reason: str) -> User:
    return _set_active(staff, person_id, reason, active=True)


def _set_active(staff: User, person_id: UUID, reason: str, active: bool) -> User:
    require(staff, Ability.OPERATE)
    with across_tenants(Across.STAFF), transaction.atomic():
        person = _changeable(staff, person_id)
        if person.is_active == active:
            raise Conflict(OPEN_ALREADY if active else SHUT_ALREADY)
        person.is_active = active
        person.save(update_fields=["is_active"])
        if not active:
            accounts.end_sessions(person.pk)
        tell_organizations(staff, person, "person.enabled" if active else "person.disabled", reason)
    return person


def reset_factors(staff: User, person_id: UUID, reason: str) -> int:
    """Removes a person's second factors and ends their sessions; how many there were.

    The password stays: whoever lost a telephone signs in with it and sets factors up anew.
    """
    require(staff, Ability.OPERATE)
    with across_tenants(Across.STAFF), transaction.atomic():
        person = _changeable(staff, person_id)
        removed: int = Authenticator.objects.filter(user=person).delete()[0]
        if not removed:
            raise Conflict("This account has no second factor.")
        accounts.end_sessions(person.pk)
        tell_organizations(staff, person, "person.factors_reset", reason)
    return removed


def begin_impersonation(staff: User, organization_id: UUID, membership_id: UUID, reason: str) -> Impersonation:
    """Acts as a member, where the organization allows it; the caller puts the row's id into the session."""
    require(staff, Ability.IMPERSONATE)
    return accounts.begin_impersonation(staff, organization_id, membership_id, reason)


def _changeable(staff: User, person_id: UUID) -> User:
    """The account, locked; nobody acts on their own, and only a superuser on another member of staff."""
    person = User.objects.select_for_update().filter(pk=person_id).first()
    if person is None:
        raise NotFound("There is no account with this id.")
    if person.pk == staff.pk:
        raise Conflict("Nobody does this to their own account.")
    if (person.is_staff or person.is_superuser) and not staff.is_superuser:
        raise PermissionDenied("Only a superuser changes accounts of staff.")
    return person
