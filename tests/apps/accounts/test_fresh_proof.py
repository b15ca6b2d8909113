"""What gives power over an organization, or takes it away, asks whoever signed in long ago to prove who they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts import services
from apps.accounts.models import CustomRole, Invitation, Membership, Role, ServiceAccount
from apps.core import tenancy
from tests.helpers.people import Tenant, member_of

SignIn = Callable[[Any], Client]
API = "/api/v1/organization"


@pytest.fixture
def role(org_a: Tenant) -> CustomRole:
    return services.create_role(org_a.actor, "Readers", ["models:read"])


@pytest.fixture
def account(org_a: Tenant) -> ServiceAccount:
    return services.create_service_account(org_a.actor, "Nightly", "member")


@pytest.fixture
def stale(org_a: Tenant, client_of: SignIn, settings: Any) -> Client:
    """The owner, whose sign-in was long ago."""
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    return client_of(org_a.owner)


def state_of(tenant: Tenant) -> list[Any]:
    with tenancy.scope(tenant.id):
        return [
            sorted(Membership.objects.values_list("pk", "role")),
            sorted(CustomRole.objects.values_list("name", "permissions")),
            sorted(ServiceAccount.objects.values_list("name", "role")),
            Invitation.objects.count(),
        ]


def test_pages_change_nothing(org_a: Tenant, stale: Client, role: CustomRole, account: ServiceAccount) -> None:
    member = member_of(org_a, org_a.member)
    before = state_of(org_a)
    for path, form in (
        (reverse("member", args=[member.pk]), {"role": "owner"}),
        (reverse("member-remove", args=[member.pk]), {"name": org_a.member.email}),
        (reverse("invitations"), {"email": "ada@example.com", "role": "owner"}),
        (reverse("role-new"), {"name": "Mine", "permissions": ["models:read"]}),
        (reverse("role", args=[role.pk]), {"name": "Readers", "permissions": ["sso:manage"]}),
        (reverse("role-delete", args=[role.pk]), {}),
        (reverse("service-accounts"), {"name": "New", "role": "admin"}),
        (reverse("service-account", args=[account.pk]), {"name": "Nightly", "role": "admin"}),
    ):
        answer = stale.post(path, form)
        assert answer.status_code == 302, path
        assert answer.url.startswith(reverse("account_reauthenticate")), path
    assert state_of(org_a) == before


def test_the_api_changes_nothing_for_an_old_session(
    org_a: Tenant, stale: Client, role: CustomRole, account: ServiceAccount
) -> None:
    member = member_of(org_a, org_a.member)
    before = state_of(org_a)
    for method, path, body in (
        ("PATCH", f"/members/{member.pk}", {"role": "owner"}),
        ("DELETE", f"/members/{member.pk}", {}),
        ("POST", "/invitations", {"email": "ada@example.com", "role": "owner"}),
        ("POST", "/roles", {"name": "Mine", "permissions": ["models:read"]}),
        ("PATCH", f"/roles/{role.pk}", {"permissions": ["sso:manage"]}),
        ("DELETE", f"/roles/{role.pk}", {}),
        ("POST", "/service-accounts", {"name": "New", "role": "admin"}),
        ("PATCH", f"/service-accounts/{account.pk}", {"role": "admin"}),
    ):
        answer = stale.generic(method, f"{API}{path}", json.dumps(body), "application/json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "reauthentication_required"), path
    assert state_of(org_a) == before


def test_whoever_is_offered_the_organization_proves_who_they_are_before_they_own_it(
    org_a: Tenant, client_of: SignIn, settings: Any
) -> None:
    member = member_of(org_a, org_a.member)
    services.offer_ownership(org_a.actor, member.pk, org_a.organization.name)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    client = client_of(org_a.member)
    assert client.post(f"{API}/transfer/accept").json()["error"]["code"] == "reauthentication_required"
    answer = client.post(reverse("ownership-answer"), {"answer": "accept"})
    assert answer.url.startswith(reverse("account_reauthenticate"))
    assert member_of(org_a, org_a.member).role == Role.MEMBER
    assert client.post(reverse("ownership-answer"), {"answer": "decline"}).status_code == 302
    assert services.pending_transfer(org_a.actor) is None


def test_a_key_that_manages_members_is_its_own_proof(org_a: Tenant, settings: Any) -> None:
    _key, secret = services.create_api_key(org_a.actor, "hr", ["members:manage", "members:read"])
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    bearer = {"authorization": f"Bearer {secret}"}
    member = member_of(org_a, org_a.member)
    refused = Client().delete(f"{API}/members/{member.pk}", headers=bearer)
    assert refused.json()["error"]["code"] == "permission_denied", "a member may do more than this key"
    with tenancy.scope(org_a.id):
        nothing = CustomRole.objects.create(organization_id=org_a.id, name="Guests", permissions=["members:read"])
        Membership.objects.filter(pk=member.pk).update(role=Role.CUSTOM, custom_role=nothing)
    assert Client().delete(f"{API}/members/{member.pk}", headers=bearer).status_code == 200
