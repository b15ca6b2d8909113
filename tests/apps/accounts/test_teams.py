"""Teams: named once, filled with members of the same organization, empty of those who have left."""

from uuid import uuid4

import pytest

from apps.accounts import services
from apps.accounts.models import TeamMembership
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from tests.helpers.people import Tenant, acting, audit_of, events_of, member_of


def members_in(tenant: Tenant, team_id: object) -> list[str]:
    with tenancy.scope(tenant.id):
        rows = TeamMembership.objects.filter(team_id=team_id).order_by("id")
        return list(rows.values_list("membership__user__email", flat=True))


def test_members_come_and_go(org_a: Tenant) -> None:
    team = services.create_team(org_a.actor, " Support ", "Answers customers")
    assert team.name == "Support"
    member = member_of(org_a, org_a.member).pk
    for _ in range(2):
        services.add_to_team(org_a.actor, team.pk, member)
    assert members_in(org_a, team.pk) == [org_a.member.email]
    [entry] = audit_of(org_a, "team.member_added")
    assert entry.detail == {"member": org_a.member.email, "team": "Support"}
    for _ in range(2):
        services.remove_from_team(org_a.actor, team.pk, member)
    assert members_in(org_a, team.pk) == []
    assert events_of(org_a)[-3:] == ["team.created", "team.member_added", "team.member_removed"]


def test_who_leaves_the_organization_leaves_its_teams(org_a: Tenant) -> None:
    team = services.create_team(org_a.actor, "Support")
    services.add_to_team(org_a.actor, team.pk, member_of(org_a, org_a.member).pk)
    services.remove_member(org_a.actor, member_of(org_a, org_a.member).pk)
    assert members_in(org_a, team.pk) == []


def test_a_deleted_team_leaves_its_members(org_a: Tenant) -> None:
    team = services.create_team(org_a.actor, "Support")
    services.add_to_team(org_a.actor, team.pk, member_of(org_a, org_a.member).pk)
    services.delete_team(org_a.actor, team.pk)
    assert member_of(org_a, org_a.member)
    assert audit_of(org_a, "team.deleted")[0].detail == {"members": 1}
    with pytest.raises(NotFound):
        services.get_team(org_a.actor, team.pk)


def test_a_change_says_before_and_after(org_a: Tenant) -> None:
    team = services.create_team(org_a.actor, "Support")
    services.change_team(org_a.actor, team.pk, name="Help")
    services.change_team(org_a.actor, team.pk, name="Help")
    [entry] = audit_of(org_a, "team.changed")
    assert (entry.before, entry.after) == ({"name": "Support"}, {"name": "Help"})


def test_names_are_taken_once_and_have_a_length(org_a: Tenant, org_b: Tenant) -> None:
    services.create_team(org_a.actor, "Support")
    other = services.create_team(org_a.actor, "Sales")
    with pytest.raises(Conflict):
        services.create_team(org_a.actor, "support")
    with pytest.raises(Conflict):
        services.change_team(org_a.actor, other.pk, name="SUPPORT")
    services.create_team(org_b.actor, "Support")
    for name in ("", " ", "x" * 61):
        with pytest.raises(InvalidRequest):
            services.create_team(org_a.actor, name)


def test_members_make_no_teams(org_a: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        services.create_team(acting(org_a, org_a.member), "Mine")


def test_another_organizations_team_and_members_are_not_there(org_a: Tenant, org_b: Tenant) -> None:
    theirs = services.create_team(org_a.actor, "Support")
    ours = services.create_team(org_b.actor, "Ours")
    for id in (theirs.pk, uuid4()):
        for act in (services.get_team, services.delete_team):
            with pytest.raises(NotFound):
                act(org_b.actor, id)
        with pytest.raises(NotFound):
            services.add_to_team(org_b.actor, id, member_of(org_b, org_b.member).pk)
    with pytest.raises(NotFound):
        services.add_to_team(org_b.actor, ours.pk, member_of(org_a, org_a.member).pk)
    assert members_in(org_b, ours.pk) == []
