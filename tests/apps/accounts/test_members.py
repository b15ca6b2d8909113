"""Members: who may change or remove whom, what becomes of what they own, and the owner who must stay."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.accounts import services
from apps.accounts.audit.sentences import sentence
from apps.accounts.models import Invitation, Membership, Role, User
from apps.core import bells, tenancy
from apps.core.errors import InvalidRequest, LastOwner, NotFound, PermissionDenied
from tests.helpers.people import Tenant, acting, actor_of, add_person, audit_of, events_of, member_of
from tests.helpers.threads import together


def test_a_changed_role_acts_on_the_next_request(org_a: Tenant) -> None:
    assert "audit:read" not in actor_of(org_a.member).permissions
    services.change_role(org_a.actor, member_of(org_a, org_a.member).pk, Role.AUDITOR)
    assert "audit:read" in actor_of(org_a.member).permissions
    [entry] = audit_of(org_a, "membership.role_changed")
    assert (entry.before, entry.after) == ({"role": "member"}, {"role": "auditor"})
    assert events_of(org_a)[-1] == "membership.role_changed"


def test_the_same_role_again_changes_and_records_nothing(org_a: Tenant) -> None:
    services.change_role(org_a.actor, member_of(org_a, org_a.member).pk, Role.MEMBER)
    assert not audit_of(org_a, "membership.role_changed")


@pytest.mark.parametrize("role", [Role.OWNER])
def test_an_admin_cannot_make_owners(org_a: Tenant, role: str) -> None:
    with pytest.raises(PermissionDenied):
        services.change_role(acting(org_a, org_a.admin), member_of(org_a, org_a.member).pk, role)
    assert member_of(org_a, org_a.member).role == Role.MEMBER


def test_an_admin_neither_demotes_nor_removes_an_owner(org_a: Tenant) -> None:
    admin, second = acting(org_a, org_a.admin), add_person(org_a, "second", Role.OWNER)
    with pytest.raises(PermissionDenied):
        services.change_role(admin, member_of(org_a, second).pk, Role.MEMBER)
    with pytest.raises(PermissionDenied):
        services.remove_member(admin, member_of(org_a, second).pk)
    assert member_of(org_a, second).role == Role.OWNER


def test_nobody_gives_what_they_do_not_hold(org_a: Tenant) -> None:
    hiring = services.create_role(org_a.actor, "Hiring", ["members:read", "members:manage", "usage:read"])
    recruiter = acting(org_a, add_person(org_a, "recruiter", Role.CUSTOM, hiring))
    target = member_of(org_a, add_person(org_a, "reader", Role.CUSTOM, hiring)).pk
    for role in (Role.ADMIN, Role.BILLING, Role.MEMBER):
        with pytest.raises(PermissionDenied):
            services.change_role(recruiter, target, role)


def test_members_manage_nobody(org_a: Tenant) -> None:
    member = acting(org_a, org_a.member)
    with pytest.raises(PermissionDenied):
        services.change_role(member, member_of(org_a, org_a.member).pk, Role.ADMIN)
    with pytest.raises(PermissionDenied):
        services.remove_member(member, member_of(org_a, org_a.admin).pk)


@pytest.mark.parametrize("role", ["", "god", "Owner"])
def test_a_role_that_does_not_exist_is_refused(org_a: Tenant, role: str) -> None:
    with pytest.raises(InvalidRequest):
        services.change_role(org_a.actor, member_of(org_a, org_a.member).pk, role)


def test_custom_and_a_custom_roles_id_go_together(org_a: Tenant) -> None:
    target = member_of(org_a, org_a.member).pk
    with pytest.raises(InvalidRequest):
        services.change_role(org_a.actor, target, Role.CUSTOM)
    with pytest.raises(InvalidRequest):
        services.change_role(org_a.actor, target, Role.ADMIN, uuid4())
    with pytest.raises(NotFound):
        services.change_role(org_a.actor, target, Role.CUSTOM, uuid4())


def test_another_organizations_member_is_not_there(org_a: Tenant, org_b: Tenant) -> None:
    theirs = member_of(org_a, org_a.member).pk
    for id in (theirs, uuid4()):
        with pytest.raises(NotFound):
            services.change_role(org_b.actor, id, Role.ADMIN)
        with pytest.raises(NotFound):
            services.remove_member(org_b.actor, id)
        with pytest.raises(NotFound):
            services.get_member(org_b.actor, id)
    with pytest.raises(NotFound):
        services.remove_member(org_a.actor, theirs, member_of(org_b, org_b.admin).pk)


def test_another_organizations_custom_role_cannot_be_given(org_a: Tenant, org_b: Tenant) -> None:
    theirs = services.create_role(org_b.actor, "Theirs", ["models:read"])
    with pytest.raises(NotFound):
        services.change_role(org_a.actor, member_of(org_a, org_a.member).pk, Role.CUSTOM, theirs.pk)


def test_a_removed_member_is_refused_at_the_next_request(org_a: Tenant) -> None:
    client = Client()
    client.force_login(org_a.member)
    assert client.get(reverse("dashboard")).status_code == 200
    services.remove_member(org_a.actor, member_of(org_a, org_a.member).pk)
    assert client.get(reverse("dashboard")).status_code == 404
    assert client.get("/api/v1/usage").status_code == 401


def test_what_a_removed_member_owned_goes_to_another_and_the_trail_says_so(org_a: Tenant) -> None:
    services.invite(acting(org_a, org_a.admin), "new@example.com", "member")
    services.remove_member(org_a.actor, member_of(org_a, org_a.admin).pk, member_of(org_a, org_a.member).pk)
    with tenancy.scope(org_a.id):
        assert Invitation.objects.get().invited_by_id == org_a.member.pk
    [entry] = audit_of(org_a, "membership.removed")
    assert entry.detail["moved"] == {"invitations": 1}
    assert entry.detail["moved_to"] == org_a.member.email
    assert entry.before == {"role": "admin", "email": org_a.admin.email}


def test_without_an_heir_whoever_removes_takes_over(org_a: Tenant) -> None:
    services.invite(acting(org_a, org_a.admin), "new@example.com", "member")
    services.remove_member(org_a.actor, member_of(org_a, org_a.admin).pk)
    with tenancy.scope(org_a.id):
        assert Invitation.objects.get().invited_by_id == org_a.owner.pk


def test_the_keys_of_somebody_who_leaves_stop_and_it_is_said_in_one_sentence(
    org_a: Tenant, client_of: Callable[[Any], Client]
) -> None:
    _, secret = services.create_api_key(acting(org_a, org_a.admin), "their key")
    account = services.create_service_account(org_a.actor, "Robot", "member")
    limits = services.KeyLimits(service_account_id=account.pk)
    _, robots = services.create_api_key(acting(org_a, org_a.admin), "robot", limits=limits)
    client_of(org_a.admin)
    services.remove_member(org_a.actor, member_of(org_a, org_a.admin).pk)
    assert services.find_api_key(secret) is None
    assert services.find_api_key(robots) is not None
    [entry] = audit_of(org_a, "membership.removed")
    assert "1 sessions lost their access, 1 API keys were revoked" in sentence(entry)


def test_access_ends_once_the_removal_is_committed(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    ended: list[object] = []
    monkeypatch.setattr(bells, "send", lambda name, hint: ended.append(name))
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        services.remove_member(org_a.actor, member_of(org_a, org_a.member).pk)
        assert not ended
    assert len(ended) == 1
    assert str(org_a.member.pk) in str(ended)


def test_a_member_leaves_and_an_owner_keeps_what_they_had(org_a: Tenant) -> None:
    services.invite(acting(org_a, org_a.admin), "new@example.com", "member")
    services.leave(acting(org_a, org_a.admin))
    with tenancy.scope(org_a.id):
        assert not Membership.objects.filter(user=org_a.admin).exists()
        assert Invitation.objects.get().invited_by_id == org_a.owner.pk
    assert audit_of(org_a, "membership.left")


def test_removing_oneself_is_leaving(org_a: Tenant) -> None:
    with pytest.raises(InvalidRequest):
        services.remove_member(org_a.actor, member_of(org_a, org_a.owner).pk)


def test_a_program_cannot_leave(org_a: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        services.leave(services.actor_of_key(services.find_api_key(org_a.key)))  # type: ignore[arg-type]


def test_the_last_owner_neither_leaves_nor_steps_down(org_a: Tenant) -> None:
    own = member_of(org_a, org_a.owner).pk
    with pytest.raises(LastOwner):
        services.leave(org_a.actor)
    with pytest.raises(LastOwner):
        services.change_role(org_a.actor, own, Role.ADMIN)
    assert member_of(org_a, org_a.owner).role == Role.OWNER


def test_one_of_two_owners_may_go(org_a: Tenant) -> None:
    second = add_person(org_a, "second", Role.OWNER)
    services.remove_member(org_a.actor, member_of(org_a, second).pk)
    with pytest.raises(LastOwner):
        services.leave(org_a.actor)


def _owners(tenant: Tenant) -> int:
    with tenancy.scope(tenant.id):
        return int(Membership.objects.filter(role=Role.OWNER).count())


@pytest.mark.parametrize("how", ["leave", "step down", "remove each other"])
def test_of_two_owners_who_go_at_the_same_moment_one_stays(transactional_db: None, org_a: Tenant, how: str) -> None:
    second = add_person(org_a, "second", Role.OWNER)
    actors = [org_a.actor, acting(org_a, second)]
    members = [member_of(org_a, org_a.owner).pk, member_of(org_a, second).pk]
    ways = {
        "leave": [lambda actor=actor: services.leave(actor) for actor in actors],
        "step down": [
            lambda pair=pair: services.change_role(pair[0], pair[1], Role.MEMBER)
            for pair in zip(actors, members, strict=True)
        ],
        "remove each other": [
            lambda pair=pair: services.remove_member(pair[0], pair[1])
            for pair in zip(actors, reversed(members), strict=True)
        ],
    }
    results = together(ways[how])
    assert _owners(org_a) == 1
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 1
    assert isinstance(refused[0], LastOwner | NotFound | PermissionDenied)


def test_members_are_found_by_the_beginning_of_a_word(org_a: Tenant, org_b: Tenant) -> None:
    lovelace = add_person(org_a, "ada.lovelace")
    lovelace.name = "Countess of Lovelace"
    lovelace.save(update_fields=["name"])
    add_person(org_b, "ada.other")

    def found(text: str) -> set[str]:
        with tenancy.scope(org_a.id):
            return set(Membership.objects.for_pages().matching(text).values_list("user__email", flat=True))

    for text in ("ada", "LOVE", "lovelace@org", "countess ada", "ada.love"):
        assert found(text) == {lovelace.email}, text
    assert found("velace") == set()
    assert len(found("")) == 4
    assert len(found("':* | & % \\ !")) == 4


def words_of(user: User) -> list[str]:
    with tenancy.across_tenants(tenancy.Across.OPERATE):
        return list(Membership.objects.filter(user=user).order_by("id").values_list("search", flat=True))


def test_the_searched_words_follow_the_person_into_every_organization(org_a: Tenant, org_b: Tenant) -> None:
    ada = add_person(org_a, "ada")
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization_id=org_b.id, user=ada, role=Role.MEMBER)
    before = len(audit_of(org_b, "row.updated")) + len(audit_of(org_b, "database.updated"))
    with tenancy.scope(org_a.id):
        ada.email, ada.name = "Ada.Ö-K@Example.com", "李小龙 (Straße)"
        ada.save(update_fields=["email", "name"])
        assert Membership.objects.exclude(organization_id=org_a.id).count() == 0, "the wall stands as before"
    assert words_of(ada) == [" ada ö k example com 李小龙 straße "] * 2
    assert len(audit_of(org_b, "row.updated")) + len(audit_of(org_b, "database.updated")) == before
    with tenancy.scope(org_b.id):
        Membership.objects.filter(user=ada).update(search="forged")
    assert words_of(ada) == [" ada ö k example com 李小龙 straße "] * 2


def test_no_members_words_differ_from_their_persons(org_a: Tenant, org_b: Tenant) -> None:
    """What 0012 fills and triggers keep, held against the people themselves."""
    drift = (
        "SELECT count(*), count(*) FILTER (WHERE search <> member_words(u.email, u.name))"
        " FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id"
    )
    with tenancy.across_tenants(tenancy.Across.OPERATE), connection.cursor() as cursor:
        cursor.execute(drift)
        assert cursor.fetchone() == (6, 0)


def test_a_search_asks_for_nobody_elses_rows(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id), connection.cursor() as cursor:
        plan = str(Membership.objects.matching("borealis").values("pk").explain())
        assert "accounts_user" not in plan
        cursor.execute("SELECT count(*) FROM accounts_membership WHERE search LIKE '% member%'")
        assert cursor.fetchone() == (1,), "the wall bounds it even where the query does not"
