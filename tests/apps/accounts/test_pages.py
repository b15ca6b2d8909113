"""Pages of accounts: keys, the switch between organizations, signing up."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.test import Client

from apps.accounts import services
from apps.accounts.models import ApiKey, Membership
from apps.core import tenancy
from tests.helpers.people import Tenant

SignIn = Callable[[Any], Client]


def _is_revoked(tenant: Tenant) -> bool:
    with tenancy.scope(tenant.id):
        return bool(ApiKey.objects.get(pk=tenant.api_key.pk).revoked_at)


def test_a_new_secret_is_shown_once(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    page = client.post("/keys/", {"name": "shop", "scopes": ["models:read"]})
    secret = re.search(r'id="secret">(mr_[^<]+)<', page.text)
    assert secret
    found = services.find_api_key(secret[1])
    assert found is not None
    assert (found.name, found.scopes) == ("shop", ["models:read"])
    assert "no-store" in page.headers["cache-control"]
    assert secret[1] not in client.get("/keys/").text


def test_a_key_without_name_or_scope_is_told_at_the_field(org_a: Tenant, client_of: SignIn) -> None:
    page = client_of(org_a.owner).post("/keys/", {"name": ""})
    assert (page.status_code, set(page.context["form"].errors)) == (422, {"name", "scopes"})


def test_a_member_sees_keys_and_cannot_make_or_revoke_them(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.member)
    assert "New key" not in client.get("/keys/").text
    assert client.post("/keys/", {"name": "mine", "scopes": ["models:read"]}).status_code == 403
    response = client.post(f"/keys/{org_a.api_key.pk}/revoke/", {"name": org_a.api_key.name})
    assert (response.status_code, _is_revoked(org_a)) == (403, False)


def test_revoking_asks_for_the_typed_name(org_a: Tenant, client_of: SignIn) -> None:
    client, path = client_of(org_a.admin), f"/keys/{org_a.api_key.pk}/revoke/"
    assert client.get(path).status_code == 200
    assert client.post(path, {"name": "other"}).status_code == 422
    assert not _is_revoked(org_a)
    assert client.post(path, {"name": org_a.api_key.name}).url == "/keys/"
    assert _is_revoked(org_a)


def test_another_organizations_key_is_not_there(org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    client = client_of(org_b.owner)
    for id in (org_a.api_key.pk, uuid4()):
        assert client.post(f"/keys/{id}/revoke/", {"name": org_a.api_key.name}).status_code == 404
    assert not _is_revoked(org_a)
    assert org_a.api_key.prefix not in client.get("/keys/").text


def test_switching_goes_only_to_ones_own_organizations(org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    assert client.post("/organizations/switch/", {"organization": str(org_b.id)}).status_code == 404
    assert client.post("/organizations/switch/", {"organization": "nonsense"}).status_code == 404
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization=org_b.organization, user=org_a.owner)
    assert client.post("/organizations/switch/", {"organization": str(org_b.id)}).url == "/dashboard/"
    assert client.get("/dashboard/").context["organization"] == org_b.organization
    with tenancy.scope(org_b.id):
        Membership.objects.filter(user=org_a.owner).delete()
    assert client.get("/dashboard/").context["organization"] == org_a.organization


def test_the_forms_of_signing_in_are_in_our_design(db: None, client: Client) -> None:
    for path in ("login", "signup", "password/reset", "confirm-email"):
        page = client.get(f"/accounts/{path}/").text
        assert 'class="entrance-card"' in page, path
        assert "style=" not in page, path
