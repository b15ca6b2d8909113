"""The directory's groups: each is a team of the organization, and its name may give a role."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Team
from apps.accounts.services import teams
from apps.accounts.services.organizations import locked
from apps.core import events, tenancy
from apps.core.errors import NotFound, ScimConflict, ScimInvalid
from apps.sso.models import DirectoryGroup, DirectoryGroupMember, DirectoryUser
from apps.sso.scim.resources import GroupData
from apps.sso.services.directory import follow, require_version, sync_role

NO_GROUP = gettext_noop("There is no group with this id.")


def create_group(actor: Actor, data: GroupData) -> DirectoryGroup:
    """Makes a group, and a team of its name if there is none."""
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        _refuse_taken_name(data.name)
        group: DirectoryGroup = DirectoryGroup.objects.create(
            organization_id=actor.organization_id, name=data.name, external_id=data.external_id
        )
        group.refresh_from_db()
        group.team = _team_named(actor, data.name)
        group.save(update_fields=["team"])
        audit.record(actor, "directory.group_created", group, after=_facts(group))
        events.record("directory.group_created", group.pk, {"name": group.name})
        _set_members(actor, group, data.members)
    return group


def replace_group(actor: Actor, id: UUID, data: GroupData, version: str | None = None) -> DirectoryGroup:
    """Makes a group what `data` says; a new name is the team's new name too."""
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        group = _locked(id, version)
        before = _facts(group)
        if group.name.lower() != data.name.lower():
            _refuse_taken_name(data.name)
        renamed = group.name != data.name
        group.name, group.external_id = data.name, data.external_id
        if renamed and group.team_id:
            teams.change_team(actor, group.team_id, name=data.name[: teams.LONGEST_NAME])
        after = _facts(group)
        if after != before:
            group.save(update_fields=["name", "external_id"])
            audit.record(actor, "directory.group_changed", group, before=before, after=after)
        changed = _set_members(actor, group, data.members, everybody=renamed)
        if changed or after != before:
            _touch(group)
    return group


def delete_group(actor: Actor, id: UUID, version: str | None = None) -> None:
    """Forgets a group and empties its team of whom the group brought; roles stay until the next change."""
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        group = _locked(id, version)
        _set_members(actor, group, frozenset())
        audit.record(actor, "directory.group_deleted", group, before=_facts(group), after={})
        name = group.name
        group.delete()
        events.record("directory.group_deleted", id, {"name": name})


def get_group(actor: Actor, id: UUID) -> DirectoryGroup:
    with tenancy.scope(actor.organization_id):
        group: DirectoryGroup | None = DirectoryGroup.objects.filter(pk=id).first()
    if group is None:
        raise NotFound(NO_GROUP)
    return group


def members_of(group: DirectoryGroup) -> list[DirectoryUser]:
    """The users in a group; the caller is in the organization's scope."""
    return list(DirectoryUser.objects.filter(inside__group=group).order_by("id"))


def _set_members(actor: Actor, group: DirectoryGroup, wanted: Iterable[UUID], everybody: bool = False) -> bool:
    """Makes the group's members those; teams and roles follow. Returns whether anything changed."""
    wanted = set(wanted)
    now = set(DirectoryGroupMember.objects.filter(group=group).values_list("directory_user_id", flat=True))
    added, removed = wanted - now, now - wanted
    if DirectoryUser.objects.filter(pk__in=added).count() != len(added):
        raise ScimInvalid("A member is no user of this directory.", scim_type="invalidValue")
    DirectoryGroupMember.objects.bulk_create(
        DirectoryGroupMember(organization_id=actor.organization_id, group=group, directory_user_id=id)
        for id in sorted(added)
    )
    DirectoryGroupMember.objects.filter(group=group, directory_user_id__in=removed).delete()
    touched = added | removed | (wanted if everybody else set())
    for row in DirectoryUser.objects.filter(pk__in=touched).order_by("id"):
        follow(actor, group, row, inside=row.pk in wanted)
        sync_role(actor, row)
    if added or removed:
        names = {row.pk: row.user_name for row in DirectoryUser.objects.filter(pk__in=added | removed)}
        audit.record(
            actor,
            "directory.group_members_changed",
            group,
            added=sorted(names[id] for id in added),
            removed=sorted(names[id] for id in removed),
        )
        events.record("directory.group_members_changed", group.pk, {"added": len(added), "removed": len(removed)})
    return bool(added or removed)


def _team_named(actor: Actor, name: str) -> Team:
    team: Team | None = Team.objects.filter(name__iexact=name).first()
    return team or teams.create_team(actor, name[: teams.LONGEST_NAME])


def _refuse_taken_name(name: str) -> None:
    if DirectoryGroup.objects.filter(name__iexact=name).exists():
        raise ScimConflict("There is a group with this displayName already.")


def _touch(group: DirectoryGroup) -> None:
    DirectoryGroup.objects.filter(pk=group.pk).update(version=F("version") + 1, changed_at=timezone.now())
    group.refresh_from_db()


def _locked(id: UUID, version: str | None) -> DirectoryGroup:
    group: DirectoryGroup | None = DirectoryGroup.objects.select_for_update().filter(pk=id).first()
    if group is None:
        raise NotFound(NO_GROUP)
    require_version(group, version)
    return group


def _facts(group: DirectoryGroup) -> dict[str, Any]:
    return {"name": group.name, "external_id": group.external_id}
