"""Teams and who is in them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, Team, TeamMembership
from apps.accounts.services.members import NO_MEMBER
from apps.accounts.services.organizations import locked
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound

LONGEST_NAME, LONGEST_DESCRIPTION = 60, 200
NO_TEAM = gettext_noop("There is no team with this id.")


def get_team(actor: Actor, id: UUID) -> Team:
    actor.require("members:read")
    with tenancy.scope(actor.organization_id):
        return _team(id)


def create_team(actor: Actor, name: str, description: str = "") -> Team:
    actor.require("members:manage")
    actor.require_open()
    wanted = _checked(name, description)
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        team = Team(organization_id=actor.organization_id, **wanted)
        _save(team)
        audit.record(actor, "team.created", team, after=wanted)
        events.record("team.created", team.pk, wanted)
    return team


def change_team(actor: Actor, id: UUID, *, name: str | None = None, description: str | None = None) -> Team:
    actor.require("members:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        team = _team(id)
        before = _facts(team)
        wanted = _checked(team.name if name is None else name, team.description if description is None else description)
        changed = {field: value for field, value in wanted.items() if before[field] != value}
        if changed:
            for field, value in changed.items():
                setattr(team, field, value)
            _save(team)
            audit.record(actor, "team.changed", team, before={name: before[name] for name in changed}, after=changed)
            events.record("team.changed", team.pk, wanted)
    return team


def delete_team(actor: Actor, id: UUID) -> None:
    """Removes a team; its members stay members of the organization."""
    actor.require("members:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        team = _team(id)
        count = TeamMembership.objects.filter(team=team).count()
        audit.record(actor, "team.deleted", team, before=_facts(team), after={}, members=count)
        facts = {"name": team.name}
        team.delete()
        events.record("team.deleted", id, facts)


def add_to_team(actor: Actor, team_id: UUID, member_id: UUID) -> None:
    """Puts a member into a team; one who is in it already stays in it."""
    actor.require("members:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        team, member = _team(team_id), _member(member_id)
        if not TeamMembership.objects.filter(team=team, membership=member).exists():
            join(actor, team, member)


def join(actor: Actor, team: Team, member: Membership) -> None:
    """Puts a member who is not in the team into it, within the caller's transaction."""
    row = TeamMembership.objects.create(organization_id=actor.organization_id, team=team, membership=member)
    _note(actor, "team.member_added", row, team, member)


def remove_from_team(actor: Actor, team_id: UUID, member_id: UUID) -> None:
    """Takes a member out of a team; one who is not in it stays out of it."""
    actor.require("members:manage")
    with tenancy.scope(actor.organization_id):
        locked(actor.organization_id)
        team, member = _team(team_id), _member(member_id)
        row = TeamMembership.objects.filter(team=team, membership=member).first()
        if row is not None:
            _note(actor, "team.member_removed", row, team, member)
            row.delete()


def _note(actor: Actor, action: str, row: TeamMembership, team: Team, member: Membership) -> None:
    audit.record(actor, action, row, member=member.user.email, team=team.name)
    events.record(action, team.pk, {"name": team.name, "user": str(member.user_id)})


def _team(id: UUID) -> Team:
    team: Team | None = Team.objects.filter(pk=id).first()
    if team is None:
        raise NotFound(NO_TEAM)
    return team


def _member(id: UUID) -> Membership:
    member: Membership | None = Membership.objects.select_related("user").filter(pk=id).first()
    if member is None:
        raise NotFound(NO_MEMBER)
    return member


def _facts(team: Team) -> dict[str, Any]:
    return {"name": team.name, "description": team.description}


def _checked(name: str, description: str) -> dict[str, str]:
    name, description = name.strip(), description.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidRequest(
            "Give the team a name of 1 to %(most)s characters.", values={"most": LONGEST_NAME}, param="name"
        )
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidRequest(
            "A description has at most %(most)s characters.", values={"most": LONGEST_DESCRIPTION}, param="description"
        )
    return {"name": name, "description": description}


def _save(team: Team) -> None:
    try:
        with transaction.atomic():
            team.save()
    except IntegrityError:
        raise Conflict("There is a team of this name already.", param="name") from None
