"""The organization over REST: the same services behind every call, and nothing of anybody else's."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts import services
from apps.accounts.models import Membership, Role, User
from apps.core import tenancy
from tests.helpers.people import Tenant, add_person, member_of

API = "/api/v1/organization"
SignIn = Callable[[Any], Client]


def send(client: Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    return client.generic(method, f"{API}{path}", json.dumps(body or {}), "application/json")


@pytest.fixture
def owner(org_a: Tenant, client_of: SignIn) -> Client:
    return client_of(org_a.owner)


def test_settings_are_read_and_changed(org_a: Tenant, owner: Client) -> None:
    assert owner.get(API).json()["name"] == org_a.organization.name
    changed = send(owner, "PATCH", "", {"name": "Oak & Ember", "slug": "oak", "language": "zh-hans"}).json()
    assert (changed["name"], changed["language"]) == ("Oak & Ember", "zh-hans")
    assert changed["slug"].startswith("oak-")
    # The slug as it is now is no change.
    assert send(owner, "PATCH", "", {"slug": changed["slug"]}).json()["slug"] == changed["slug"]


@pytest.mark.parametrize(
    "body",
    [{"name": " "}, {"name": "x" * 121}, {"slug": "-a"}, {"slug": "A"}, {"slug": "a--b"}, {"language": "fr"}, {"x": 1}],
)
def test_settings_that_cannot_be_are_refused(owner: Client, body: dict[str, Any]) -> None:
    response = send(owner, "PATCH", "", body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == next(iter(body))


def test_members_are_listed_by_pages(org_a: Tenant, owner: Client) -> None:
    for number in range(5):
        add_person(org_a, f"more{number}")
    seen, url, pages = [], f"{API}/members?limit=3", 0
    while url:
        page = owner.get(url).json()
        seen += [member["user"]["email"] for member in page["data"]]
        url, pages = page["next"], pages + 1
        assert page["has_more"] is (url is not None)
    assert pages == 3
    assert len(seen) == len(set(seen)) == 8
    assert seen[0] == "more4@org-a.example"
    assert owner.get(f"{API}/members?role=admin").json()["data"][0]["user"]["email"] == org_a.admin.email
    assert len(owner.get(f"{API}/members?search=more").json()["data"]) == 5


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "role=god", "search=" + "x" * 121])
def test_a_wrong_question_is_refused(owner: Client, query: str) -> None:
    assert owner.get(f"{API}/members?{query}").status_code == 400
    assert owner.get(f"{API}/members?cursor=x").status_code == 404


def _queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("path", [f"{API}/members", "/settings/members/", "/settings/invitations/", "/settings/teams/"])
def test_more_rows_cost_no_more_queries(org_a: Tenant, owner: Client, path: str) -> None:
    team = services.create_team(org_a.actor, "First")
    services.invite(org_a.actor, "first@example.com", Role.MEMBER)
    services.add_to_team(org_a.actor, team.pk, member_of(org_a, org_a.member).pk)
    few = _queries(owner, path)
    role = services.create_role(org_a.actor, "Reader", ["models:read"])
    for number in range(8):
        person = add_person(org_a, f"more{number}", Role.CUSTOM, role)
        services.add_to_team(org_a.actor, team.pk, member_of(org_a, person).pk)
        services.create_team(org_a.actor, f"Team {number}")
        services.invite(org_a.actor, f"p{number}@example.com", Role.CUSTOM, role.pk)
    assert _queries(owner, path) == few


def test_a_member_is_changed_and_removed(org_a: Tenant, owner: Client) -> None:
    id = member_of(org_a, org_a.member).pk
    changed = send(owner, "PATCH", f"/members/{id}", {"role": "auditor"}).json()
    assert changed["role"] == "auditor"
    assert "audit:read" in changed["permissions"]
    gone = send(owner, "DELETE", f"/members/{id}").json()
    assert gone == {"keys": 0, "sessions": 0, "moved": {}, "moved_to": org_a.owner.email}
    assert owner.get(f"{API}/members/{id}").status_code == 404


def test_the_last_owner_is_told_why(org_a: Tenant, owner: Client) -> None:
    refused = send(owner, "POST", "/leave")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "last_owner")


def test_invitations_are_sent_and_revoked(org_a: Tenant, owner: Client) -> None:
    team = send(owner, "POST", "/teams", {"name": "Support"}).json()
    body = {"email": "Ada@example.com", "role": "member", "teams": [team["id"]]}
    made = send(owner, "POST", "/invitations", body)
    assert made.status_code == 201
    invitation = made.json()
    assert (invitation["email"], invitation["status"], invitation["teams"]) == (
        "ada@example.com",
        "pending",
        [team["id"]],
    )
    assert "token" not in made.text
    assert send(owner, "POST", "/invitations", body).status_code == 409
    assert send(owner, "POST", f"/invitations/{invitation['id']}/resend").status_code == 200
    assert [row["id"] for row in owner.get(f"{API}/invitations").json()["data"]] == [invitation["id"]]
    assert send(owner, "DELETE", f"/invitations/{invitation['id']}").status_code == 204
    assert owner.get(f"{API}/invitations/{invitation['id']}").status_code == 404


def test_the_answer_is_the_same_whether_the_address_has_an_account(org_a: Tenant, org_b: Tenant, owner: Client) -> None:
    answers = [
        send(owner, "POST", "/invitations", {"email": email, "role": "member"})
        for email in (org_b.owner.email, "nobody@nowhere.example")
    ]
    shapes = [{k: v for k, v in a.json().items() if k in {"role", "status", "teams", "object"}} for a in answers]
    assert shapes[0] == shapes[1]
    assert {answer.status_code for answer in answers} == {201}


def test_teams_and_roles(org_a: Tenant, owner: Client) -> None:
    team = send(owner, "POST", "/teams", {"name": "Support"}).json()
    member = member_of(org_a, org_a.member).pk
    assert send(owner, "PUT", f"/teams/{team['id']}/members/{member}").status_code == 204
    [shown] = owner.get(f"{API}/teams/{team['id']}/members").json()["data"]
    assert shown["user"]["email"] == org_a.member.email
    assert send(owner, "DELETE", f"/teams/{team['id']}/members/{member}").status_code == 204
    assert send(owner, "PATCH", f"/teams/{team['id']}", {"name": "Help"}).json()["name"] == "Help"
    assert send(owner, "DELETE", f"/teams/{team['id']}").status_code == 204

    role = send(owner, "POST", "/roles", {"name": "Reader", "permissions": ["models:read"]}).json()
    listed = owner.get(f"{API}/roles").json()
    assert [entry["id"] for entry in listed["data"]] == [
        "owner",
        "admin",
        "billing",
        "auditor",
        "agent",
        "member",
        role["id"],
    ]
    assert listed["permissions"]["models:read"] == "List models"
    changed = send(owner, "PATCH", f"/roles/{role['id']}", {"permissions": ["usage:read"]}).json()
    assert changed["permissions"] == ["usage:read"]
    assert send(owner, "DELETE", f"/roles/{role['id']}").status_code == 204


def test_handing_over_and_deleting(org_a: Tenant, owner: Client, client_of: SignIn) -> None:
    assert owner.get(f"{API}/transfer").json() == {"transfer": None}
    body = {"member": str(member_of(org_a, org_a.member).pk), "name": org_a.organization.name}
    assert send(owner, "POST", "/transfer", body).status_code == 201
    assert owner.get(f"{API}/transfer").json()["transfer"]["email"] == org_a.member.email
    assert send(client_of(org_a.admin), "POST", "/transfer/accept").status_code == 404
    assert send(client_of(org_a.member), "POST", "/transfer/accept").status_code == 204
    assert send(owner, "POST", "/deletion", {"name": org_a.organization.name}).status_code == 403
    new = client_of(org_a.member)
    assert send(new, "POST", "/deletion", {"name": "wrong"}).status_code == 400
    assert send(new, "POST", "/deletion", {"name": org_a.organization.name}).json()["deletes_at"]
    assert send(new, "DELETE", "/deletion").json()["deletes_at"] is None


def test_ids_of_others_are_answered_like_ids_that_do_not_exist(org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    theirs = {
        "members": member_of(org_a, org_a.member).pk,
        "invitations": services.invite(org_a.actor, "ada@example.com", Role.MEMBER).pk,
        "teams": services.create_team(org_a.actor, "Support").pk,
        "roles": services.create_role(org_a.actor, "Reader", ["models:read"]).pk,
    }
    client = client_of(org_b.owner)
    for kind, id in theirs.items():
        for method in ("GET", "DELETE"):
            answers = [send(client, method, f"/{kind}/{given}") for given in (id, uuid4(), "x")]
            assert {answer.status_code for answer in answers} == {404}
            assert len({answer.text for answer in answers}) == 1


def test_a_member_may_read_nothing_of_it_but_the_name(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.member)
    assert client.get(API).status_code == 200
    for path in ("/members", "/invitations", "/teams", "/roles"):
        assert client.get(f"{API}{path}").status_code == 403
    assert send(client, "POST", "/leave").status_code == 200


def test_strangers_and_outsiders_get_nothing(org_a: Tenant, outsider: User, client_of: SignIn) -> None:
    for client in (Client(), client_of(outsider)):
        for path in ("", "/members", "/roles", "/transfer"):
            assert client.get(f"{API}{path}").status_code == 401
        assert send(client, "POST", "/leave").status_code == 401


def test_an_api_key_without_the_scope_manages_nobody(org_a: Tenant) -> None:
    for path in ("/members", "/invitations"):
        assert Client().get(f"{API}{path}", headers=org_a.bearer).status_code == 403
    refused = Client().delete(f"{API}/members/{member_of(org_a, org_a.member).pk}", headers=org_a.bearer)
    assert refused.status_code == 403
    with tenancy.scope(org_a.id):
        assert Membership.objects.filter(user=org_a.member).exists()


def test_a_write_by_session_needs_its_csrf_token(org_a: Tenant) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(org_a.owner)
    assert send(client, "POST", "/teams", {"name": "Forged"}).status_code == 403
