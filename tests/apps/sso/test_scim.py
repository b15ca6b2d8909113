"""A directory at work: the requests that Okta and Entra ID send, and everything that a token must not reach."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.access import memberships_of
from apps.accounts.models import AuditEntry, Membership, Role, Team, TeamMembership, User
from apps.core import tenancy
from apps.sso import services
from apps.sso.models import DirectoryToken, DirectoryUser
from apps.sso.services import tokens
from tests.apps.sso.conftest import verified
from tests.helpers.people import Tenant, make_user

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Directory:
    """A directory with its token."""

    def __init__(self, tenant: Tenant) -> None:
        self.token, self.secret = tokens.create_token(tenant.actor)
        self.client = Client(raise_request_exception=False)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.generic(
            method,
            f"/scim/v2/{path}",
            "" if body is None else json.dumps(body),
            "application/scim+json",
            headers={"authorization": f"Bearer {self.secret}", **headers},
        )

    def patch(self, path: str, *operations: dict[str, Any]) -> Any:
        return self("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})

    def make(self, email: str = "ada@org-a.example", **more: Any) -> dict[str, Any]:
        answer = self("POST", "Users", okta_user(email) | more)
        assert answer.status_code == 201, answer.content
        found: dict[str, Any] = answer.json()
        return found


def okta_user(email: str) -> dict[str, Any]:
    """What Okta sends when somebody is assigned to the application."""
    return {
        "schemas": [USER],
        "userName": email,
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"primary": True, "value": email, "type": "work"}],
        "displayName": "Ada Lovelace",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }


@pytest.fixture
def scim(acme: Tenant) -> Directory:
    return Directory(acme)


def new_address(email: str) -> dict[str, Any]:
    return {"op": "replace", "path": 'emails[type eq "work"].value', "value": email}


def role_of(email: str) -> str | None:
    found = memberships_of(User.objects.get(email=email))
    return found[0].role if found else None


def test_okta_provisions_changes_and_deactivates(acme: Tenant, scim: Directory) -> None:
    asked = scim("GET", "Users?filter=userName%20eq%20%22ada%40org-a.example%22&startIndex=1&count=100").json()
    assert (asked["totalResults"], asked["Resources"]) == (0, [])
    made = scim.make()
    assert made["schemas"] == [USER]
    assert made["meta"]["location"].endswith(f"/scim/v2/Users/{made['id']}")
    assert "password" not in made
    user = User.objects.get(email="ada@org-a.example")
    assert (user.name, user.has_usable_password(), role_of(user.email)) == ("Ada Lovelace", False, Role.MEMBER)

    put = scim("PUT", f"Users/{made['id']}", okta_user("ada@org-a.example") | {"displayName": "Ada King"})
    assert put.json()["displayName"] == "Ada King"
    off = scim.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": False}})
    assert (off.status_code, off.json()["active"]) == (200, False)
    assert memberships_of(user) == []
    user.refresh_from_db()
    assert user.is_active
    on = scim("PUT", f"Users/{made['id']}", okta_user("ada@org-a.example"))
    assert on.json()["active"] is True
    assert role_of(user.email) == Role.MEMBER
    with tenancy.scope(acme.id):
        entries = AuditEntry.objects.filter(actor_kind="directory")
        assert {"directory.user_created", "directory.user_deactivated", "membership.removed"} <= set(
            entries.values_list("action", flat=True)
        )
        assert scim.secret not in str(list(AuditEntry.objects.values()))


def test_entra_id_provisions_changes_and_deletes(acme: Tenant, scim: Directory) -> None:
    made = scim(
        "POST",
        "Users",
        {
            "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "grace@org-a.example",
            "active": True,
            "emails": [{"primary": True, "type": "work", "value": "grace@org-a.example"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "Grace Hopper", "familyName": "Hopper", "givenName": "Grace"},
            "roles": [],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Navy"},
        },
    )
    assert made.status_code == 201, made.content
    path = f"Users/{made.json()['id']}"
    changed = scim.patch(
        path,
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "ghopper@org-a.example"},
        {"op": "Replace", "path": "name.familyName", "value": "Murray"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "X"},
    )
    assert changed.status_code == 200, changed.content
    assert changed.json()["emails"][0]["value"] == "ghopper@org-a.example"
    assert User.objects.get(email="ghopper@org-a.example").name == "Grace Murray"
    off = scim.patch(path, {"op": "Replace", "path": "active", "value": "False"})
    assert off.json()["active"] is False
    assert scim("DELETE", path).status_code == 204
    assert scim("GET", path).status_code == 404
    assert User.objects.filter(email="ghopper@org-a.example").exists()


def test_groups_become_teams_and_give_roles(acme: Tenant, scim: Directory) -> None:
    services.create_rule(acme.actor, "Finance", Role.BILLING)
    ada, bob = scim.make("ada@org-a.example"), scim.make("bob@org-a.example", externalId="b")
    group = scim(
        "POST", "Groups", {"schemas": [GROUP], "displayName": "Finance", "members": [{"value": ada["id"]}]}
    ).json()
    assert role_of("ada@org-a.example") == Role.BILLING
    assert scim("GET", f"Users/{ada['id']}").json()["groups"] == [{"value": group["id"], "display": "Finance"}]

    def team() -> set[str]:
        with tenancy.scope(acme.id):
            rows = TeamMembership.objects.filter(team__name__in=["Finance", "Money"])
            return set(rows.values_list("membership__user__email", flat=True))

    assert team() == {"ada@org-a.example"}
    path = f"Groups/{group['id']}"
    scim.patch(path, {"op": "Add", "path": "members", "value": [{"value": bob["id"]}]})
    assert team() == {"ada@org-a.example", "bob@org-a.example"}
    scim.patch(path, {"op": "remove", "path": f'members[value eq "{ada["id"]}"]'})
    assert team() == {"bob@org-a.example"}
    renamed = scim.patch(path, {"op": "replace", "value": {"id": group["id"], "displayName": "Money"}})
    assert renamed.json()["displayName"] == "Money"
    with tenancy.scope(acme.id):
        assert Team.objects.get().name == "Money"
    scim.patch(f"Users/{bob['id']}", {"op": "replace", "value": {"active": False}})
    assert team() == set()
    scim.patch(f"Users/{bob['id']}", {"op": "replace", "value": {"active": True}})
    assert team() == {"bob@org-a.example"}
    assert scim("GET", 'Groups?filter=displayName eq "money"&excludedAttributes=members').json()["totalResults"] == 1
    assert scim("DELETE", path).status_code == 204
    assert team() == set()


def test_users_are_filtered_and_paged(scim: Directory) -> None:
    for number in range(5):
        scim.make(f"p{number}@org-a.example", externalId=f"e{number}")
    scim.make("q@org-a.example", externalId="E0", active=False)

    def names(query: str) -> list[str]:
        found = scim("GET", f"Users?{query}")
        assert found.status_code == 200, found.content
        return [each["userName"].split("@")[0] for each in found.json()["Resources"]]

    assert names('filter=userName eq "P1@ORG-A.example"') == ["p1"]
    assert names('filter=externalId eq "e0"') == ["p0"]
    assert names("filter=active eq false") == ["q"]
    assert names('filter=userName sw "p" and not (externalId eq "e1" or externalId eq "e2")') == ["p0", "p3", "p4"]
    assert names('filter=emails[type eq "work" and value eq "p3@org-a.example"]') == ["p3"]
    assert names("startIndex=2&count=2") == ["p1", "p2"]
    assert names("startIndex=6") == ["q"]
    assert names("count=0") == []
    page = scim("GET", "Users?startIndex=2&count=2").json()
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (6, 2, 2)
    for wrong in (
        'filter=password eq "x"',
        "filter=userName",
        'filter=id gt "x"',
        "count=x",
        'filter=active eq "maybe"',
    ):
        answer = scim("GET", f"Users?{wrong}")
        assert (answer.status_code, answer.json()["status"]) == (400, "400"), wrong


def test_a_stale_version_changes_nothing(scim: Directory) -> None:
    made = scim.make()
    path, seen = f"Users/{made['id']}", made["meta"]["version"]
    assert scim("GET", path, **{"if-none-match": seen}).status_code == 304
    changed = scim("PUT", path, okta_user("ada@org-a.example") | {"displayName": "X"}, **{"if-match": seen})
    assert changed.status_code == 200
    assert changed["etag"] != seen
    assert scim("PUT", path, okta_user("ada@org-a.example"), **{"if-match": seen}).status_code == 412


def test_failures_have_the_shape_of_scim(scim: Directory) -> None:
    scim.make()
    again = scim("POST", "Users", okta_user("ada@org-a.example"))
    assert (again.status_code, again.json()["scimType"], again.json()["status"]) == (409, "uniqueness", "409")
    for body in ({}, {"userName": ""}, {"userName": "x"}, okta_user("ada2@org-a.example") | {"active": "maybe"}):
        answer = scim("POST", "Users", body)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue"), body
    assert scim("POST", "Groups", {"displayName": "g", "members": [{"value": str(uuid4())}]}).status_code == 400
    assert scim("DELETE", "Users").status_code == 405
    assert scim("GET", f"Users/{uuid4()}").json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert scim("GET", f"Users/{uuid4()}")["content-type"].startswith("application/scim+json")


def test_the_service_describes_itself(scim: Directory) -> None:
    assert scim("GET", "ServiceProviderConfig").json()["patch"]["supported"] is True
    assert {each["id"] for each in scim("GET", "ResourceTypes").json()["Resources"]} == {"User", "Group"}
    assert {each["id"] for each in scim("GET", "Schemas").json()["Resources"]} == {USER, GROUP}
    assert scim("GET", f"Schemas/{USER}").json()["name"] == "User"
    assert scim("GET", "Schemas/nothing").status_code == 404


# ---------------------------------------------------------------- what a token does not reach


def test_addresses_elsewhere_cannot_be_provisioned(
    acme: Tenant, org_b: Tenant, outsider: User, scim: Directory
) -> None:
    """And whether such an account exists makes no difference to the answer."""
    answers = set()
    for email in (org_b.owner.email, outsider.email, "nobody@nowhere.example"):
        answer = scim("POST", "Users", okta_user(email))
        answers.add((answer.status_code, answer.content))
    assert len(answers) == 1
    assert answers.pop()[0] == 400
    assert memberships_of(outsider) == []


def test_a_member_from_elsewhere_loses_the_membership_and_nothing_else(
    acme: Tenant, outsider: User, scim: Directory
) -> None:
    with tenancy.scope(acme.id):
        Membership.objects.create(organization=acme.organization, user=outsider)
    made = scim.make(outsider.email, displayName="Renamed")
    scim.patch(f"Users/{made['id']}", new_address("taken@org-a.example"))
    outsider.refresh_from_db()
    assert (outsider.email, outsider.name) == ("outsider@nowhere.example", "")
    scim.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": False}})
    outsider.refresh_from_db()
    assert (memberships_of(outsider), outsider.is_active) == ([], True)


def test_nobody_is_moved_to_an_address_elsewhere_or_of_another(acme: Tenant, scim: Directory) -> None:
    made = scim.make()
    path = f"Users/{made['id']}"
    scim.patch(path, new_address("ada@evil.example"))
    assert User.objects.filter(email="ada@org-a.example").exists()
    assert not User.objects.filter(email="ada@evil.example").exists()
    taken = scim.patch(path, new_address(acme.admin.email))
    assert taken.status_code == 409


def test_owners_are_out_of_a_directorys_reach(acme: Tenant, scim: Directory) -> None:
    made = scim.make(acme.owner.email)
    assert scim.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": False}}).status_code == 403
    assert scim("DELETE", f"Users/{made['id']}").status_code == 403
    assert role_of(acme.owner.email) == Role.OWNER


def test_a_directory_makes_no_owners(acme: Tenant, scim: Directory) -> None:
    scim.make(roles=[{"value": "owner"}])
    assert role_of("ada@org-a.example") == Role.MEMBER


def test_another_organizations_people_and_groups_are_not_there(acme: Tenant, org_b: Tenant, scim: Directory) -> None:
    verified(org_b, "org-b.example")
    theirs = Directory(org_b)
    user = theirs.make("eve@org-b.example")
    group = theirs("POST", "Groups", {"displayName": "Secret", "members": [{"value": user["id"]}]}).json()
    for kind, id in (("Users", user["id"]), ("Groups", group["id"])):
        for method, body in (("GET", None), ("PUT", okta_user("x@org-a.example")), ("DELETE", None)):
            mine, none = scim(method, f"{kind}/{id}", body), scim(method, f"{kind}/{uuid4()}", body)
            assert mine.status_code in {404, 400}
            assert (mine.status_code, mine.content) == (none.status_code, none.content)
        assert scim.patch(f"{kind}/{id}", {"op": "replace", "value": {"active": False}}).status_code == 404
        assert scim("GET", kind).json()["totalResults"] == 0
    assert scim("POST", "Groups", {"displayName": "g", "members": [{"value": user["id"]}]}).status_code == 400
    assert role_of("eve@org-b.example") == Role.MEMBER


def test_only_the_directorys_token_opens_it(acme: Tenant, scim: Directory, client: Client) -> None:
    client.force_login(acme.owner)
    for headers in ({}, acme.bearer, {"authorization": "Bearer ms_wrong"}, {"authorization": f"Basic {scim.secret}"}):
        answer = client.get("/scim/v2/Users", headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (401, "401")
    assert Client().get("/api/v1/usage", headers={"authorization": f"Bearer {scim.secret}"}).status_code == 401


def test_a_token_is_shown_once_replaced_with_an_overlap_and_ended(acme: Tenant, client: Client) -> None:
    client.force_login(acme.owner)
    first = client.post("/settings/directory/").context["secret"]
    assert first not in client.get("/settings/directory/").content.decode()
    second = client.post("/settings/directory/").context["secret"]

    def works(secret: str) -> bool:
        return tokens.find_directory(secret) is not None

    assert works(first)
    assert works(second)
    with tenancy.scope(acme.id):
        DirectoryToken.objects.filter(ends_at__isnull=False).update(ends_at=timezone.now())
        assert not DirectoryToken.objects.filter(digest=second).exists()
        current = DirectoryToken.objects.get(ends_at__isnull=True)
    assert not works(first)
    client.post(f"/settings/directory/tokens/{current.pk}/end/")
    assert not works(second)


def test_a_person_switched_off_by_the_directory_does_not_come_back_by_single_sign_on(
    acme: Tenant, scim: Directory, provider: Any, connect_oidc: Any, client: Client
) -> None:
    from tests.apps.sso.conftest import through_oidc

    made = scim.make()
    scim.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": False}})
    answer = through_oidc(client, provider, connect_oidc(acme), "ada", email="ada@org-a.example")
    assert answer.status_code == 403
    assert memberships_of(User.objects.get(email="ada@org-a.example")) == []


def test_an_existing_account_is_taken_in_and_not_doubled(acme: Tenant, scim: Directory) -> None:
    user = make_user("known@org-a.example")
    scim.make("Known@org-a.example")
    with tenancy.scope(acme.id):
        assert DirectoryUser.objects.get().user_id == user.pk
    assert User.objects.filter(email__iexact="known@org-a.example").count() == 1
