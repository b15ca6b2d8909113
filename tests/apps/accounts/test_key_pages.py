"""Keys and service accounts on the console's pages and over REST."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts import services
from apps.accounts.models import ApiKey, ServiceAccount
from apps.core import tenancy
from tests.helpers.people import Tenant

API = "/api/v1/organization"
SignIn = Callable[[Any], Client]


@pytest.fixture
def owner(org_a: Tenant, client_of: SignIn) -> Client:
    return client_of(org_a.owner)


def keys_of(tenant: Tenant) -> list[ApiKey]:
    with tenancy.scope(tenant.id):
        return list(ApiKey.objects.order_by("id"))


def send(client: Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    return client.generic(method, f"{API}{path}", json.dumps(body or {}), "application/json")


# ---------------------------------------------------------------- pages


def test_a_key_is_made_with_its_limits_and_shown_once(org_a: Tenant, owner: Client) -> None:
    asked = {"name": "deploy", "scopes": ["models:read"], "lifetime": "30", "allowed_networks": "203.0.113.0/24\n::1"}
    made = owner.post("/keys/", asked)
    assert made.status_code == 200
    key = keys_of(org_a)[-1]
    assert (key.name, key.allowed_networks) == ("deploy", ["203.0.113.0/24", "::1/128"])
    assert key.expires_at is not None
    assert key.prefix in made.text
    assert "mr_" in made.context["secret"]
    again = owner.get("/keys/")
    assert made.context["secret"] not in again.text
    assert "203.0.113.0/24, ::1/128" in again.text
    assert org_a.owner.email in again.text


def test_what_is_no_network_is_said_at_its_field(org_a: Tenant, owner: Client) -> None:
    refused = owner.post("/keys/", {"name": "x", "scopes": ["models:read"], "allowed_networks": "home"})
    assert refused.status_code == 422
    assert refused.context["form"].errors["allowed_networks"]
    assert len(keys_of(org_a)) == 1


def test_a_key_is_rotated_and_both_are_in_the_list(org_a: Tenant, owner: Client) -> None:
    address = reverse("api-key-rotate", args=[org_a.api_key.pk])
    assert org_a.api_key.prefix in owner.get(address).text
    made = owner.post(address, {"overlap": "24"})
    old, new = keys_of(org_a)
    assert made.context["secret"].startswith(new.prefix)
    assert old.prefix in made.text
    assert new.prefix in made.text
    assert services.admit_api_key(org_a.key, "")
    refused = owner.post(address, {"overlap": "24"})
    assert refused.status_code == 422


def test_a_service_account_is_made_given_a_key_and_switched_off(org_a: Tenant, owner: Client) -> None:
    assert owner.post(reverse("service-accounts"), {"name": "Robot", "role": "member"}).status_code == 302
    with tenancy.scope(org_a.id):
        account = ServiceAccount.objects.get()
    owner.post("/keys/", {"name": "robots", "scopes": ["models:read"], "owner": account.pk})
    page = reverse("service-account", args=[account.pk])
    assert "robots" in owner.get(page).text
    assert owner.post(page, {"name": "Robot", "role": "auditor", "description": "Reads"}).status_code == 302
    owner.post(reverse("service-account-switch", args=[account.pk]), {"on": "0"})
    with tenancy.scope(org_a.id):
        account.refresh_from_db()
    assert (account.role, account.disabled_at is None) == ("auditor", False)
    assert "switched off" in owner.get(reverse("service-accounts")).text
    owner.post(reverse("service-account-switch", args=[account.pk]), {"on": "1"})
    with tenancy.scope(org_a.id):
        account.refresh_from_db()
    assert account.disabled_at is None


def test_a_member_sees_keys_and_manages_none(org_a: Tenant, client_of: SignIn) -> None:
    member = client_of(org_a.member)
    page = member.get("/keys/")
    assert page.status_code == 200
    assert "Rotate" not in page.text
    for address in (
        reverse("service-accounts"),
        reverse("api-key-rotate", args=[org_a.api_key.pk]),
        reverse("api-key-revoke", args=[org_a.api_key.pk]),
    ):
        assert member.get(address).status_code == 403
    assert member.post("/keys/", {"name": "mine", "scopes": ["models:read"]}).status_code == 403
    assert len(keys_of(org_a)) == 1


# ---------------------------------------------------------------- REST


def test_keys_are_made_rotated_and_revoked_over_rest(org_a: Tenant, owner: Client) -> None:
    asked = {"name": "ci", "scopes": ["models:read"], "allowed_networks": ["127.0.0.0/8"]}
    made = send(owner, "POST", "/keys", asked)
    assert made.status_code == 201
    body = made.json()
    called = Client().get("/api/v1/models", headers={"authorization": f"Bearer {body['secret']}"})
    assert called.status_code == 200
    shown = owner.get(f"{API}/keys/{body['id']}").json()
    assert (shown["last_used_address"], shown["owner"]) == ("127.0.0.1", org_a.owner.email)
    assert "secret" not in shown
    rotated = send(owner, "POST", f"/keys/{body['id']}/rotate", {"overlap_seconds": 60}).json()
    assert rotated["replaces"] == body["id"]
    assert [key["id"] for key in owner.get(f"{API}/keys").json()["data"]][:2] == [rotated["id"], body["id"]]
    assert owner.delete(f"{API}/keys/{rotated['id']}").status_code == 204
    assert owner.get(f"{API}/keys/{rotated['id']}").json()["revoked_at"]


def test_service_accounts_over_rest(org_a: Tenant, owner: Client) -> None:
    made = send(owner, "POST", "/service-accounts", {"name": "Robot", "role": "member"})
    assert made.status_code == 201
    id = made.json()["id"]
    changed = send(owner, "PATCH", f"/service-accounts/{id}", {"name": "R2", "role": "auditor", "enabled": False})
    assert (changed.json()["name"], changed.json()["role"], changed.json()["enabled"]) == ("R2", "auditor", False)
    assert [each["id"] for each in owner.get(f"{API}/service-accounts").json()["data"]] == [id]
    assert send(owner, "POST", "/service-accounts", {"name": "God", "role": "owner"}).status_code == 400


def test_a_key_manages_no_keys(org_a: Tenant) -> None:
    for method, path in (("GET", "/keys"), ("POST", "/keys"), ("POST", "/service-accounts")):
        refused = Client().generic(method, f"{API}{path}", b"{}", "application/json", headers=org_a.bearer)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")


def test_making_a_key_needs_a_fresh_proof(org_a: Tenant, owner: Client, settings: Any) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    refused = send(owner, "POST", "/keys", {"name": "ci", "scopes": ["models:read"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "reauthentication_required")
    assert send(owner, "POST", f"/keys/{org_a.api_key.pk}/rotate").status_code == 403
    assert len(keys_of(org_a)) == 1


def test_another_organizations_key_and_account_are_not_there(org_a: Tenant, org_b: Tenant, owner: Client) -> None:
    theirs = services.create_service_account(org_b.actor, "Theirs", "member")
    for method, path in (
        ("GET", f"/keys/{org_b.api_key.pk}"),
        ("DELETE", f"/keys/{org_b.api_key.pk}"),
        ("POST", f"/keys/{org_b.api_key.pk}/rotate"),
        ("GET", f"/service-accounts/{theirs.pk}"),
        ("PATCH", f"/service-accounts/{theirs.pk}"),
    ):
        assert send(owner, method, path).status_code == 404
    assert owner.get(reverse("service-account", args=[theirs.pk])).status_code == 404
    assert services.admit_api_key(org_b.key, "")
