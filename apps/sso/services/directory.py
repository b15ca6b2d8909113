"""What a directory does to people: provisioning, changing, switching off and on, removing.

A person may belong to several organizations. A directory changes a person's name and address only where they lie in a
domain that its organization has verified; of everybody else it holds nothing but the membership.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, Role, User
from apps.accounts.services import teams
from apps.accounts.services.members import remove_member
from apps.accounts.services.organizations import locked
from apps.core import events, tenancy
from apps.core.errors import NotFound, ScimChanged, ScimConflict, ScimInvalid
from apps.sso.models import DirectoryGroup, DirectoryUser
from apps.sso.scim.resources import UserData, etag
from apps.sso.services.admission import find_or_create_person, make_member
from apps.sso.services.domains import owns_address
from apps.sso.services.rules import apply_role, role_for

NO_USER = gettext_noop("There is no user with this id.")
_FIELDS = ("user_name", "external_id", "given_name", "family_name", "display_name", "role")


def create_user(actor: Actor, data: UserData) -> DirectoryUser:
    """Provisions a person: in a verified domain anybody, elsewhere only who is a member already."""
    _check(data)
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        _refuse_taken_name(data.user_name)
        user = _person_for(data)
        if DirectoryUser.objects.filter(user=user).exists():
            raise ScimConflict("This person is provisioned already.")
        row = DirectoryUser(organization_id=actor.organization_id, user=user, active=False)
        _note(row, data)
        row.save(force_insert=True)
        audit.record(actor, "directory.user_created", row, after=facts(row) | {"active": data.active})
        events.record("directory.user_created", row.pk, {"user": str(user.pk)})
        _change_person(row, data)
        _set_active(actor, row, data.active)
        row.refresh_from_db()
    return row


def replace_user(actor: Actor, id: UUID, data: UserData, version: str | None = None) -> DirectoryUser:
    """Makes a user what `data` says; with `version` only if nobody has changed it since."""
    _check(data)
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        row = _locked(id, version)
        if row.user_name.lower() != data.user_name.lower():
            _refuse_taken_name(data.user_name)
        before = facts(row)
        _note(row, data)
        after = facts(row)
        moved = _change_person(row, data)
        if after != before or moved:
            row.version, row.changed_at = F("version") + 1, timezone.now()
            row.save()
            row.refresh_from_db()
            changed = {name for name in after if after[name] != before[name]}
            audit.record(
                actor,
                "directory.user_changed",
                row,
                before={name: before[name] for name in changed},
                after={name: after[name] for name in changed},
                account=moved,
            )
            events.record("directory.user_changed", row.pk, {"user": str(row.user_id)})
        _set_active(actor, row, data.active)
        sync_role(actor, row)
        row.refresh_from_db()
    return row


def delete_user(actor: Actor, id: UUID, version: str | None = None) -> None:
    """Ends the membership and forgets what the directory said; the account stays the person's."""
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        row = _locked(id, version)
        _set_active(actor, row, False)
        audit.record(actor, "directory.user_deleted", row, before=facts(row), after={})
        row.delete()
        events.record("directory.user_deleted", id, {"user": str(row.user_id)})


def get_user(actor: Actor, id: UUID) -> DirectoryUser:
    with tenancy.scope(actor.organization_id):
        row: DirectoryUser | None = DirectoryUser.objects.select_related("user").filter(pk=id).first()
    if row is None:
        raise NotFound(NO_USER)
    return row


def groups_of(row: DirectoryUser) -> list[DirectoryGroup]:
    """The directory's groups that a user is in; the caller is in the organization's scope."""
    return list(DirectoryGroup.objects.filter(inside__directory_user=row).order_by("name"))


def sync_role(actor: Actor, row: DirectoryUser) -> None:
    """Gives the member the role that their groups, or the directory itself, ask for."""
    membership = _membership_of(row)
    if membership is not None:
        apply_role(actor, membership, [group.name for group in groups_of(row)], row.role)


def follow(actor: Actor, group: DirectoryGroup, row: DirectoryUser, inside: bool) -> None:
    """Puts a member into the team of a group, or takes them out of it; somebody who is switched off is in no team."""
    member = _membership_of(row)
    if member is None or group.team_id is None:
        return
    if inside:
        teams.add_to_team(actor, group.team_id, member.pk)
    else:
        teams.remove_from_team(actor, group.team_id, member.pk)


def facts(row: DirectoryUser) -> dict[str, Any]:
    """A user as the audit trail tells it."""
    return {name: getattr(row, name) for name in _FIELDS}


def _check(data: UserData) -> None:
    try:
        validate_email(data.email)
    except ValidationError:
        raise ScimInvalid("A user needs an e-mail address.", scim_type="invalidValue") from None


def _refuse_taken_name(user_name: str) -> None:
    if DirectoryUser.objects.filter(user_name__iexact=user_name).exists():
        raise ScimConflict("There is a user with this userName already.")


def _person_for(data: UserData) -> User:
    if owns_address(data.email):
        return find_or_create_person(data.email, data.name)
    member = Membership.objects.select_related("user").filter(user__email__iexact=data.email).first()
    if member is None:
        # The same whether or not such an account exists: it is nothing to this organization.
        raise ScimInvalid("This address is in no domain that the organization has verified.", scim_type="invalidValue")
    found: User = member.user
    return found


def _note(row: DirectoryUser, data: UserData) -> None:
    for name in _FIELDS:
        setattr(row, name, getattr(data, name))


def _change_person(row: DirectoryUser, data: UserData) -> bool:
    """Changes the account's name and address, where the organization may; returns whether it did."""
    user = row.user
    if not owns_address(user.email):
        return False
    changed = False
    if data.name and data.name != user.name:
        user.name, changed = data.name, True
    if data.email != user.email.lower() and owns_address(data.email):
        user.email, changed = data.email, True
        _move_address(user)
    if changed:
        user.save(update_fields=["name", "email"])
    return changed


def _move_address(user: User) -> None:
    """Gives the account its new address, unless another has it: also one that takes it at this moment."""
    try:
        with transaction.atomic():
            user.save(update_fields=["email"])
            EmailAddress.objects.filter(user=user).delete()
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    except IntegrityError:
        raise ScimConflict("Another account has this address.") from None


def _membership_of(row: DirectoryUser) -> Membership | None:
    rows = Membership.objects.select_related("user", "custom_role")
    found: Membership | None = rows.filter(user_id=row.user_id).first()
    return found


def _set_active(actor: Actor, row: DirectoryUser, active: bool) -> None:
    """Makes the person a member, or ends their membership with all that hangs on it."""
    membership = _membership_of(row)
    if active and membership is None:
        groups = [group.name for group in groups_of(row)]
        make_member(actor, row.user, role_for(groups) or Role.MEMBER)
    elif not active and membership is not None:
        remove_member(actor, membership.pk)
    if row.active != active:
        row.active = active
        DirectoryUser.objects.filter(pk=row.pk).update(
            active=active, version=F("version") + 1, changed_at=timezone.now()
        )
        audit.record(actor, "directory.user_activated" if active else "directory.user_deactivated", row)
    if active:
        for group in groups_of(row):
            follow(actor, group, row, inside=True)
        sync_role(actor, row)


def _locked(id: UUID, version: str | None) -> DirectoryUser:
    row: DirectoryUser | None = (
        DirectoryUser.objects.select_for_update(of=("self",)).select_related("user").filter(pk=id).first()
    )
    if row is None:
        raise NotFound(NO_USER)
    require_version(row, version)
    return row


def require_version(row: DirectoryUser | DirectoryGroup, version: str | None) -> None:
    """Raises ScimChanged (412) unless the row is still the one that the directory has seen."""
    if version and version != "*" and etag(row) not in [each.strip() for each in version.split(",")]:
        raise ScimChanged("This has been changed since you read it.")
