"""“Single sign-on required” and “second factor required” hold, whichever way somebody tries to come in."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.test import Client
from django.utils import timezone

from apps.accounts.assurance import FOREIGN_KEY, MARKS_KEY
from apps.accounts.models import Membership, Role, SecurityPolicy, SingleSignOn, User
from apps.core import tenancy
from apps.sso import services
from apps.sso.models import Connection
from tests.apps.sso.conftest import Connect, confirm, leave_for, through_oidc, verified
from tests.apps.sso.policies import assert_inside, assert_outside, by_password, by_password_of, demand
from tests.helpers.oidc_provider import Provider
from tests.helpers.people import PASSWORD, Tenant, make_tenant

SignIn = Callable[[Any], Client]


# ---------------------------------------------------------------- every way around single sign-on


def test_a_password_does_not_get_in(strict: Tenant) -> None:
    for user in (strict.owner, strict.admin, strict.member):
        assert_outside(by_password(user))


def test_single_sign_on_gets_in(strict: Tenant, connection: Connection, provider: Provider, client: Client) -> None:
    through_oidc(client, provider, connection, "m", email=strict.member.email)
    assert_inside(client)


def test_a_session_of_before_does_not_get_in(acme: Tenant, connection: Connection) -> None:
    client = by_password(acme.member)
    assert_inside(client)
    demand(acme, sso_required=True)
    assert_outside(client)


def test_a_password_reset_does_not_get_in(strict: Tenant) -> None:
    user = strict.member
    client = Client()
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    page = client.get(f"/accounts/password/reset/key/{key}/", follow=True)
    new = "another horse battery staple"
    client.post(page.request["PATH_INFO"], {"password1": new, "password2": new})
    user.refresh_from_db()
    assert user.check_password(new)
    assert client.post("/accounts/login/", {"login": user.email, "password": new}).status_code == 302
    assert_outside(client)


def test_an_invitation_does_not_get_in(strict: Tenant, client_of: SignIn, outsider: User) -> None:
    """Whoever is made a member still has to come through the organization's own door."""
    with tenancy.scope(strict.id):
        Membership.objects.create(organization=strict.organization, user=outsider, role=Role.ADMIN)
    assert_outside(client_of(outsider))


def test_another_organizations_connection_does_not_get_in(
    strict: Tenant, org_b: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    """Somebody of both, whom the other organization vouches for, is asked again."""
    with tenancy.scope(strict.id):
        Membership.objects.create(organization=strict.organization, user=org_b.member)
    verified(org_b, "org-b.example")
    confirm(org_b.member)
    through_oidc(client, provider, connect_oidc(org_b), "b", email=org_b.member.email)
    assert_inside(client)
    client.post("/organizations/switch/", {"organization": str(strict.id)})
    assert_outside(client, "own_sign_in_required")


def test_a_forged_mark_of_another_connection_does_not_count(
    strict: Tenant, org_b: Tenant, connect_oidc: Connect
) -> None:
    theirs = connect_oidc(org_b)
    client = by_password(strict.member)
    session = client.session
    session[MARKS_KEY] = {str(strict.id): {"connection": str(theirs.pk), "at": time.time(), "mfa": True}}
    session.save()
    assert_outside(client)


def test_a_connection_that_is_switched_off_takes_its_sessions_along(
    strict: Tenant, connection: Connection, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    through_oidc(client, provider, connection, "m", email=strict.member.email)
    connect_oidc(strict, name="Second")
    services.switch_connection(strict.actor, connection.pk, False)
    assert client.get("/dashboard/")["location"].startswith("/sso/step-up/")


def test_single_sign_on_wears_off(strict: Tenant, connection: Connection, provider: Provider, client: Client) -> None:
    through_oidc(client, provider, connection, "m", email=strict.member.email)
    session = client.session
    session[MARKS_KEY][str(strict.id)]["at"] -= 24 * 3600 + 1
    session.save()
    assert client.get("/api/v1/usage").json()["error"]["code"] == "sso_required"


def test_stepping_up_keeps_the_session_and_goes_on(strict: Tenant, connection: Connection, provider: Provider) -> None:
    client = by_password(strict.member)
    before = client.session.session_key
    page = client.get(client.get("/history/")["location"])
    assert connection.name in page.content.decode()
    provider.set_user("m", email=strict.member.email)
    from tests.apps.sso.conftest import back

    answer = back(client, provider.approve(leave_for(client, connection, "/history/"), "m"))
    assert answer["location"] == "/history/"
    assert client.session.session_key != before
    assert FOREIGN_KEY not in client.session
    assert_inside(client)


def test_only_the_organization_that_demands_it_asks(
    strict: Tenant, org_b: Tenant, client_of: SignIn, connection: Connection
) -> None:
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization=org_b.organization, user=strict.member)
    client = by_password(strict.member)
    assert_outside(client)
    client.post("/organizations/switch/", {"organization": str(org_b.id)})
    assert_inside(client)
    client.post("/organizations/switch/", {"organization": str(strict.id)})
    assert_outside(client)


def test_organizations_without_a_policy_ask_nothing(strict: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    assert_inside(client_of(org_b.member))


def test_a_demand_holds_after_its_days_of_grace(acme: Tenant, connection: Connection) -> None:
    demand(acme, sso_required=True, grace_days=3)
    client = by_password(acme.member)
    assert_inside(client)
    with tenancy.scope(acme.id):
        SecurityPolicy.objects.update(sso_required_from=timezone.now() - timedelta(seconds=1))
    assert_outside(client)


# ---------------------------------------------------------------- programs


def test_keys_live_on_unless_the_policy_ties_them_to_people(
    strict: Tenant, connection: Connection, provider: Provider, client: Client
) -> None:
    assert client.get("/api/v1/usage", headers=strict.bearer).status_code == 200
    demand(strict, sso_required=True, keys_need_sso_days=7)
    refused = client.get("/api/v1/usage", headers=strict.bearer)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "sso_required")
    through_oidc(client, provider, connection, "o", email=strict.owner.email)
    assert Client().get("/api/v1/usage", headers=strict.bearer).status_code == 200
    with tenancy.scope(strict.id):
        SingleSignOn.objects.update(last_at=timezone.now() - timedelta(days=8))
    assert Client().get("/api/v1/usage", headers=strict.bearer).status_code == 403


def test_keys_of_other_organizations_are_not_touched(strict: Tenant, org_b: Tenant, client: Client) -> None:
    demand(strict, sso_required=True, keys_need_sso_days=1)
    assert client.get("/api/v1/usage", headers=org_b.bearer).status_code == 200


# ---------------------------------------------------------------- second factors


def with_second_factor(client: Client, user: User) -> None:
    """What allauth notes once a second factor was given."""
    session = client.session
    session["account_authentication_methods"] = [{"method": "mfa", "type": "totp", "at": time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()


def test_without_a_second_factor_nobody_gets_in(acme: Tenant) -> None:
    demand(acme, mfa_required=True)
    client = by_password_of(acme.member)
    assert_outside(client, "mfa_required")


def test_a_second_factor_of_ones_own_gets_in(acme: Tenant) -> None:
    demand(acme, mfa_required=True)
    client = by_password_of(acme.member)
    with_second_factor(client, acme.member)
    assert_inside(client)


def test_a_second_factor_of_somebody_else_does_not(acme: Tenant) -> None:
    demand(acme, mfa_required=True)
    client = by_password_of(acme.member)
    with_second_factor(client, acme.owner)
    assert_outside(client, "mfa_required")


@pytest.mark.parametrize(("trusts", "amr", "inside"), [(True, ["pwd", "mfa"], True), (True, ["pwd"], False)])
def test_the_providers_word_counts_where_the_connection_says_so(
    acme: Tenant,
    connect_oidc: Connect,
    provider: Provider,
    client: Client,
    trusts: bool,
    amr: list[str],
    inside: bool,
) -> None:
    confirm(acme.member)
    connection = connect_oidc(acme, trusts_mfa=trusts)
    demand(acme, mfa_required=True)
    provider.change = lambda claims: claims | {"amr": amr}
    through_oidc(client, provider, connection, "m", email=acme.member.email)
    assert (client.get("/dashboard/").status_code == 200) is inside


def test_the_providers_word_does_not_count_by_itself(
    acme: Tenant, connection: Connection, provider: Provider, client: Client
) -> None:
    demand(acme, mfa_required=True)
    provider.change = lambda claims: claims | {"amr": ["mfa"]}
    through_oidc(client, provider, connection, "m", email=acme.member.email)
    assert_outside(client, "mfa_required")


# ---------------------------------------------------------------- what a connection's session is worth elsewhere


def test_a_session_that_one_organization_made_opens_no_other(
    acme: Tenant, org_b: Tenant, connection: Connection, provider: Provider, client: Client
) -> None:
    """Whoever runs org_a's provider could sign in as its people: that must not reach what they do elsewhere."""
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization=org_b.organization, user=acme.member)
    through_oidc(client, provider, connection, "m", email=acme.member.email)
    assert_inside(client)
    client.post("/organizations/switch/", {"organization": str(org_b.id)})
    assert_outside(client, "own_sign_in_required")


def test_a_reset_in_such_a_session_opens_nothing_more(
    acme: Tenant, org_b: Tenant, connection: Connection, provider: Provider, client: Client
) -> None:
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization=org_b.organization, user=acme.member)
    through_oidc(client, provider, connection, "m", email=acme.member.email)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password_reset", "at": time.time()}]
    session["account_authentication_methods_user"] = str(acme.member.pk)
    session["organization_id"] = str(org_b.id)
    session.save()
    assert_outside(client, "own_sign_in_required")


def test_ones_own_password_in_such_a_session_opens_the_rest(
    acme: Tenant, org_b: Tenant, connection: Connection, provider: Provider, client: Client
) -> None:
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization=org_b.organization, user=acme.member)
    through_oidc(client, provider, connection, "m", email=acme.member.email)
    client.post("/organizations/switch/", {"organization": str(org_b.id)})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert_inside(client)


def test_policies_cost_the_same_for_many_organizations(
    acme: Tenant, client_of: SignIn, django_assert_num_queries: Any
) -> None:
    from django.db import connection as database
    from django.test.utils import CaptureQueriesContext

    client = client_of(acme.member)
    client.get("/history/")
    with CaptureQueriesContext(database) as one:
        client.get("/history/")
    for number in range(3):
        other = make_tenant(f"other-{number}")
        with tenancy.scope(other.id):
            Membership.objects.create(organization=other.organization, user=acme.member)
    with CaptureQueriesContext(database) as many:
        client.get("/history/")
    assert len(many) == len(one)
