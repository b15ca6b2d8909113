"""Signing in through a real OpenID Connect provider, and every way in which its answer can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.test import Client

from apps.accounts.access import memberships_of
from apps.accounts.models import AuditEntry, Membership, Role, User
from apps.core import tenancy
from apps.core.errors import InvalidRequest, MillraceError, OutboundRefused, SsoRefused
from apps.sso import services
from apps.sso.models import Connection, Identity
from tests.apps.sso.conftest import CLIENT_SECRET, Connect, back, confirm, leave_for, person, through_oidc
from tests.helpers.oidc_provider import Provider
from tests.helpers.people import Tenant


def test_a_new_person_becomes_a_member(acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client) -> None:
    connection = connect_oidc(acme, default_role=Role.AUDITOR)
    answer = through_oidc(client, provider, connection, "ada", email="Ada@org-a.example", name="Ada Lovelace")
    assert (answer.status_code, answer["location"]) == (302, "/dashboard/")
    user = User.objects.get(email="ada@org-a.example")
    [membership] = memberships_of(user)
    assert (user.name, membership.organization_id, membership.role) == ("Ada Lovelace", acme.id, Role.AUDITOR)
    assert not user.has_usable_password()
    assert client.get("/dashboard/").context["organization"] == acme.organization
    with tenancy.scope(acme.id):
        actions = set(AuditEntry.objects.values_list("action", flat=True))
        assert {"sso.signed_in", "membership.created", "sso.connection_created"} <= actions
        assert CLIENT_SECRET not in str(list(AuditEntry.objects.values()))


def test_the_request_is_protected_and_the_secret_sent_as_the_provider_likes(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    connection = connect_oidc(acme)
    query = parse_qs(urlsplit(leave_for(client, connection)).query)
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert all(len(query[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))
    assert through_oidc(client, provider, connection, "ada", email="ada@org-a.example").status_code == 302
    assert "client_secret" not in provider.token_requests[-1]


def test_the_secret_is_sealed_in_the_database(acme: Tenant, connect_oidc: Connect) -> None:
    connection = connect_oidc(acme)
    with tenancy.scope(acme.id):
        stored = Connection.objects.values_list("client_secret", flat=True).get(pk=connection.pk)
    assert stored.startswith("v1.")
    assert CLIENT_SECRET not in stored


def test_somebody_known_is_the_same_person_whatever_their_address_becomes(
    acme: Tenant, provider: Provider, connect_oidc: Connect
) -> None:
    connection = connect_oidc(acme)
    through_oidc(Client(), provider, connection, "ada", email="ada@org-a.example")
    again = through_oidc(Client(), provider, connection, "ada", email="ada.king@org-a.example")
    assert again.status_code == 302
    with tenancy.scope(acme.id):
        assert Identity.objects.get().email == "ada.king@org-a.example"
    assert not User.objects.filter(email="ada.king@org-a.example").exists()


def test_an_existing_account_is_linked_by_its_verified_domain(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    confirm(acme.member)
    through_oidc(client, provider, connect_oidc(acme), "m", email=acme.member.email)
    acme.member.refresh_from_db()
    assert acme.member.has_usable_password()
    assert client.session["_auth_user_id"] == str(acme.member.pk)


def test_a_stranger_who_took_the_address_first_loses_what_they_could_sign_in_with(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client, client_of: Callable[[Any], Client]
) -> None:
    from tests.helpers.people import make_user

    squatted = make_user("new@org-a.example")
    squatter = client_of(squatted)
    SocialAccount.objects.create(user=squatted, provider="github", uid="squatter")
    through_oidc(client, provider, connect_oidc(acme), "n", email="new@org-a.example")
    squatted.refresh_from_db()
    assert not squatted.has_usable_password()
    assert not SocialAccount.objects.filter(user=squatted).exists()
    assert squatter.get("/dashboard/").status_code == 302
    assert client.get("/dashboard/").status_code == 200


def test_groups_give_a_role_by_the_first_rule_that_fits(
    acme: Tenant, provider: Provider, connect_oidc: Connect
) -> None:
    connection = connect_oidc(acme)
    services.create_rule(acme.actor, "Admins", Role.ADMIN)
    services.create_rule(acme.actor, "Finance", Role.BILLING)
    provider.change = lambda claims: claims | {"groups": ["finance", "everybody"]}
    through_oidc(Client(), provider, connection, "ada", email="ada@org-a.example")
    user = User.objects.get(email="ada@org-a.example")
    assert memberships_of(user)[0].role == Role.BILLING
    provider.change = lambda claims: claims | {"groups": ["Finance", "admins"]}
    through_oidc(Client(), provider, connection, "ada")
    assert memberships_of(user)[0].role == Role.ADMIN


def test_no_group_makes_an_owner_something_else(acme: Tenant, provider: Provider, connect_oidc: Connect) -> None:
    services.create_rule(acme.actor, "all", Role.MEMBER)
    provider.change = lambda claims: claims | {"groups": ["all"]}
    through_oidc(Client(), provider, connect_oidc(acme), "o", email=acme.owner.email)
    assert memberships_of(acme.owner)[0].role == Role.OWNER


# ---------------------------------------------------------------- for whom a provider may speak


@pytest.mark.parametrize(
    "email",
    [
        "owner@org-b.example",
        "outsider@nowhere.example",
        "ada@sub.org-a.example",
        "ada@org-a.example.evil.example",
        "ada@evil.example@org-a.example.evil.example",
        "org-a.example",
        "@org-a.example",
        "",
    ],
)
def test_addresses_elsewhere_are_refused(
    acme: Tenant, org_b: Tenant, outsider: User, provider: Provider, connect_oidc: Connect, client: Client, email: str
) -> None:
    connection = connect_oidc(acme)
    before = User.objects.count()
    answer = through_oidc(client, provider, connection, "x", email=email)
    assert answer.status_code == 403
    assert "_auth_user_id" not in client.session
    assert User.objects.count() == before
    with tenancy.scope(acme.id):
        assert AuditEntry.objects.filter(action="sso.refused").exists()


def test_an_address_that_the_provider_has_not_verified_is_refused(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    connection = connect_oidc(acme)
    answer = through_oidc(client, provider, connection, "x", email="ada@org-a.example", email_verified=False)
    assert answer.status_code == 403


def test_whoever_moved_their_account_elsewhere_is_no_longer_vouched_for(
    acme: Tenant, provider: Provider, connect_oidc: Connect
) -> None:
    connection = connect_oidc(acme)
    through_oidc(Client(), provider, connection, "ada", email="ada@org-a.example")
    User.objects.filter(email="ada@org-a.example").update(email="ada@private.example")
    assert through_oidc(Client(), provider, connection, "ada").status_code == 403


def test_two_organizations_cannot_speak_for_each_others_people(
    acme: Tenant, org_b: Tenant, provider: Provider, connect_oidc: Connect
) -> None:
    """The same provider and subject, connected by the other organization, is nobody there."""
    through_oidc(Client(), provider, connect_oidc(acme), "ada", email="ada@org-a.example")
    theirs = connect_oidc(org_b)
    browser = Client()
    assert through_oidc(browser, provider, theirs, "ada").status_code == 403
    assert "_auth_user_id" not in browser.session


def test_without_just_in_time_membership_strangers_stay_out(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    connection = connect_oidc(acme, creates_members=False)
    assert through_oidc(client, provider, connection, "x", email="new@org-a.example").status_code == 403
    assert not memberships_at("new@org-a.example")
    assert through_oidc(Client(), provider, connection, "m", email=acme.member.email).status_code == 302


def memberships_at(email: str) -> list[Membership]:
    user = User.objects.filter(email=email).first()
    return memberships_of(user) if user else []


def test_an_account_that_is_switched_off_stays_off(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    user = person("gone@org-a.example")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert through_oidc(client, provider, connect_oidc(acme), "g", email=user.email).status_code == 403


# ---------------------------------------------------------------- the way there and back


def test_a_callback_without_its_beginning_is_refused(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    """Somebody else's code, put into this browser (login CSRF), signs nobody in."""
    connection = connect_oidc(acme)
    location = provider.approve(leave_for(Client(), connection), "mallory")
    assert back(client, location).status_code == 403
    assert "_auth_user_id" not in client.session


def test_a_callback_works_once(acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client) -> None:
    connection = connect_oidc(acme)
    provider.set_user("ada", email="ada@org-a.example")
    location = provider.approve(leave_for(client, connection), "ada")
    assert back(client, location).status_code == 302
    assert back(client, location).status_code == 403


def test_a_code_of_one_browser_is_worth_nothing_in_another(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    """PKCE: the stolen code comes with the victim's challenge, and the thief has another verifier."""
    connection = connect_oidc(acme)
    provider.set_user("ada", email="ada@org-a.example")
    stolen = parse_qs(urlsplit(provider.approve(leave_for(Client(), connection), "ada")).query)["code"][0]
    own = parse_qs(urlsplit(leave_for(client, connection)).query)["state"][0]
    answer = client.get(f"/sso/oidc/{connection.pk}/callback/", {"code": stolen, "state": own})
    assert answer.status_code == 403


def test_a_state_of_another_connection_is_refused(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    first, second = connect_oidc(acme), connect_oidc(acme, name="Other")
    provider.set_user("ada", email="ada@org-a.example")
    query = urlsplit(provider.approve(leave_for(client, first), "ada")).query
    assert client.get(f"/sso/oidc/{second.pk}/callback/?{query}").status_code == 403


def test_an_answer_of_another_issuer_is_refused(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    connection = connect_oidc(acme)
    location = provider.approve(leave_for(client, connection), "ada")
    assert back(client, f"{location}&iss=https://evil.example").status_code == 403


def test_what_the_provider_refuses_is_said(acme: Tenant, connect_oidc: Connect, client: Client) -> None:
    connection = connect_oidc(acme)
    state = parse_qs(urlsplit(leave_for(client, connection)).query)["state"][0]
    answer = client.get(f"/sso/oidc/{connection.pk}/callback/", {"error": "access_denied", "state": state})
    assert answer.status_code == 403
    assert "access_denied" in answer.content.decode()


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_the_way_back_stays_with_us(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client, next: str
) -> None:
    connection = connect_oidc(acme)
    provider.set_user("ada", email="ada@org-a.example")
    location = provider.approve(leave_for(client, connection, next), "ada")
    assert back(client, location)["location"] == "/dashboard/"


def test_a_connection_that_is_off_takes_nobody(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    connection = connect_oidc(acme)
    provider.set_user("ada", email="ada@org-a.example")
    location = provider.approve(leave_for(client, connection), "ada")
    services.switch_connection(acme.actor, connection.pk, False)
    assert back(client, location).status_code == 403
    assert client.get(f"/sso/start/{connection.pk}/").status_code == 404


# ---------------------------------------------------------------- connecting


def test_a_provider_must_call_itself_what_it_is_called(acme: Tenant, provider: Provider) -> None:
    provider.document = lambda document: document | {"issuer": "https://evil.example"}
    with pytest.raises(SsoRefused):
        services.create_oidc(acme.actor, services.Mapping("Okta"), provider.issuer, "millrace", "")


def test_endpoints_on_forbidden_addresses_are_refused(acme: Tenant, provider: Provider, settings: Any) -> None:
    provider.document = lambda document: document | {"token_endpoint": "file:///etc/passwd"}
    with pytest.raises(OutboundRefused):
        services.create_oidc(acme.actor, services.Mapping("Okta"), provider.issuer, "millrace", "")
    settings.OUTBOUND_ALLOW_PRIVATE = False
    with pytest.raises(OutboundRefused):
        services.create_oidc(acme.actor, services.Mapping("Okta"), provider.issuer, "millrace", "")


def test_a_provider_makes_no_owners(acme: Tenant, provider: Provider) -> None:
    for role in (Role.OWNER, Role.CUSTOM, "root"):
        with pytest.raises(InvalidRequest):
            services.create_oidc(
                acme.actor, services.Mapping("Okta", default_role=role), provider.issuer, "millrace", ""
            )


def test_a_token_endpoint_that_leads_elsewhere_later_is_not_asked(
    acme: Tenant, provider: Provider, connect_oidc: Connect, client: Client
) -> None:
    """The discovery document may change after the connection was made: it is checked whenever it is read."""
    connection = connect_oidc(acme)
    cache.clear()
    provider.document = lambda document: document | {"token_endpoint": "http://169.254.169.254/token"}
    location = provider.approve(leave_for(client, connection), "ada")
    assert back(client, location).status_code == 422


def test_nobody_else_sees_or_changes_a_connection(acme: Tenant, org_b: Tenant, connect_oidc: Connect) -> None:
    connection = connect_oidc(acme)
    for attempt in (
        lambda: services.get_connection(org_b.actor, connection.pk),
        lambda: services.switch_connection(org_b.actor, connection.pk, False),
        lambda: services.delete_connection(org_b.actor, connection.pk),
        lambda: services.change_connection(org_b.actor, connection.pk, services.Mapping("x")),
    ):
        with pytest.raises(MillraceError) as refusal:
            attempt()
        assert refusal.value.status == 404
