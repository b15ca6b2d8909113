"""Who may do what: owner, admin, member and outsider; and choosing among one's own organizations only."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.access import memberships_of
from apps.accounts.models import Membership, Role, User
from apps.accounts.permissions import PERMISSIONS, ROLE_PERMISSIONS
from apps.core import tenancy
from apps.core.errors import PermissionDenied
from tests.helpers.people import Tenant, actor_of

ClientOf = Callable[[User], Client]


# What must never widen by accident; the rest is the console's to show.
ONLY_FOR = {
    "organization:delete": {Role.OWNER},
    "ownership:transfer": {Role.OWNER},
    "keys:manage": {Role.OWNER, Role.ADMIN},
    "members:manage": {Role.OWNER, Role.ADMIN},
    "roles:manage": {Role.OWNER, Role.ADMIN},
    "sessions:manage": {Role.OWNER, Role.ADMIN},
    "security:manage": {Role.OWNER, Role.ADMIN},
    "sso:manage": {Role.OWNER, Role.ADMIN},
    "organization:manage": {Role.OWNER, Role.ADMIN},
    "audit:manage": {Role.OWNER, Role.ADMIN},
    "privacy:manage": {Role.OWNER, Role.ADMIN},
    "billing:manage": {Role.OWNER, Role.ADMIN, Role.BILLING},
    "budgets:manage": {Role.OWNER, Role.ADMIN, Role.BILLING},
    "audit:read": {Role.OWNER, Role.ADMIN, Role.AUDITOR},
    "generations:write": {Role.OWNER, Role.ADMIN, Role.AGENT, Role.MEMBER},
}


@pytest.mark.parametrize("permission", sorted(ONLY_FOR))
def test_powerful_permissions_belong_to_few_roles(permission: str) -> None:
    assert {role for role, given in ROLE_PERMISSIONS.items() if permission in given} == ONLY_FOR[permission]


def test_a_person_acts_with_the_permissions_of_their_role(org_a: Tenant) -> None:
    for role, user in ((Role.OWNER, org_a.owner), (Role.ADMIN, org_a.admin), (Role.MEMBER, org_a.member)):
        actor = actor_of(user)
        assert (actor.organization_id, actor.permissions) == (org_a.id, ROLE_PERMISSIONS[role])
    with pytest.raises(PermissionDenied):
        actor_of(org_a.member).require("keys:manage")


def test_every_role_has_permissions_that_exist() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)
    assert all(given <= set(PERMISSIONS) for given in ROLE_PERMISSIONS.values())


def test_an_outsider_has_no_membership_and_no_page(org_a: Tenant, outsider: User, client_of: ClientOf) -> None:
    assert memberships_of(outsider) == []
    client = client_of(outsider)
    for name in ("dashboard", "studio", "history", "api-keys"):
        response = client.get(reverse(name))
        assert response.status_code == 404, name
        assert org_a.organization.name not in response.content.decode()


def test_a_stranger_is_sent_to_sign_in(db: None) -> None:
    for name in ("dashboard", "studio", "history", "api-keys"):
        response = Client().get(reverse(name))
        assert response.status_code == 302
        assert response["location"].startswith(reverse("account_login"))


def name_of_page(client: Client) -> str:
    return str(client.get(reverse("dashboard")).context["organization"].name)


def test_switching_goes_only_into_ones_own(org_a: Tenant, org_b: Tenant, client_of: ClientOf) -> None:
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization=org_b.organization, user=org_a.member)
    client = client_of(org_a.member)
    switch = reverse("switch-organization")
    assert name_of_page(client) == org_a.organization.name
    assert client.post(switch, {"organization": org_b.id}).status_code == 302
    assert name_of_page(client) == org_b.organization.name

    client = client_of(org_a.owner)
    refusals = [client.post(switch, {"organization": wanted}) for wanted in (org_b.id, uuid4(), "", "x\0y", "../")]
    assert {response.status_code for response in refusals} == {404}
    assert name_of_page(client) == org_a.organization.name


def test_a_forged_session_does_not_lead_into_another_organization(
    org_a: Tenant, org_b: Tenant, client_of: ClientOf
) -> None:
    client = client_of(org_a.owner)
    session = client.session
    session["organization_id"] = str(org_b.id)
    session.save()
    assert name_of_page(client) == org_a.organization.name


def test_a_removed_member_is_out_at_once(org_a: Tenant, client_of: ClientOf) -> None:
    client = client_of(org_a.member)
    assert client.get(reverse("dashboard")).status_code == 200
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.member).delete()
    assert client.get(reverse("dashboard")).status_code == 404


def test_a_key_is_created_and_revoked_on_its_page(org_a: Tenant, client_of: ClientOf) -> None:
    client, page = client_of(org_a.owner), reverse("api-keys")
    created = client.post(page, {"name": "from the page", "scopes": ["models:read"]})
    assert created.status_code == 200
    secret = created.context["secret"]
    assert secret in created.content.decode()
    assert secret not in client.get(page).content.decode()
    revoke = reverse("api-key-revoke", args=[created.context["created"].pk])
    assert client.post(revoke, {"name": "another name"}).status_code == 422
    assert "from the page" in client.get(page).content.decode()


def test_another_organizations_key_page_is_missing(org_a: Tenant, org_b: Tenant, client_of: ClientOf) -> None:
    client = client_of(org_a.owner)
    for key_id in (org_b.api_key.pk, uuid4()):
        assert client.get(reverse("api-key-revoke", args=[key_id])).status_code == 404
        assert client.post(reverse("api-key-revoke", args=[key_id]), {"name": "test key"}).status_code == 404


def test_members_see_keys_and_may_not_change_them(org_a: Tenant, client_of: ClientOf) -> None:
    client = client_of(org_a.member)
    assert client.get(reverse("api-keys")).status_code == 200
    refused = client.post(reverse("api-keys"), {"name": "mine", "scopes": ["models:read"]})
    assert refused.status_code == 403
    assert client.get(reverse("api-key-revoke", args=[org_a.api_key.pk])).status_code == 403
