"""Signing in with another service, against a real OpenID Connect provider: new people, links, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client
from django.urls import include, path, reverse

from apps.accounts import social
from apps.accounts.access import memberships_of
from apps.accounts.models import User
from config.urls import handler403, handler404, handler500  # noqa: F401 - a URLconf of its own needs them
from config.urls import urlpatterns as own
from tests.helpers import oidc
from tests.helpers.people import PASSWORD, Tenant, add_app, make_user, verify

urlpatterns = [
    *own,
    path("accounts/3rdparty/", include("allauth.socialaccount.urls")),
    path("accounts/", include("allauth.socialaccount.providers.openid_connect.urls")),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

LOGIN = {"provider_id": "main"}


@pytest.fixture
def idp(settings: Any) -> Iterator[oidc.Provider]:
    with oidc.provider() as provider:
        service = social.Service(
            "openid_connect", "Acme", "client", "secret", provider.url, True, {"server_url": provider.url}
        )
        settings.SOCIALACCOUNT_PROVIDERS = {service.id: service.configuration()}
        yield provider


def sign_in(idp: oidc.Provider, client: Client | None = None, process: str = "", **claims: Any) -> tuple[Client, Any]:
    """Goes to the provider and comes back as whoever has the claims."""
    client = client or Client()
    idp.claims = {"sub": "42", "email": "ada@example.com", "email_verified": True} | claims
    there = client.post(reverse("openid_connect_login", kwargs=LOGIN) + (f"?process={process}" if process else ""))
    assert there.url.startswith(f"{idp.url}/authorize")
    asked = parse_qs(urlsplit(there.url).query)
    assert "code_challenge" in asked
    back = {"code": "code", "state": asked["state"][0]}
    return client, client.get(reverse("openid_connect_callback", kwargs=LOGIN), back)


def is_in(client: Client) -> bool:
    return client.get(reverse("dashboard")).status_code == 200


def test_a_newcomer_gets_an_account_with_an_organization(idp: oidc.Provider) -> None:
    client, _answer = sign_in(idp)
    assert is_in(client)
    user = User.objects.get(email="ada@example.com")
    assert not user.has_usable_password()
    assert len(memberships_of(user)) == 1
    assert EmailAddress.objects.get(user=user).verified
    assert "code_verifier" in idp.exchanges[0]
    again, _answer = sign_in(idp, email="moved@example.com")
    assert is_in(again)
    assert User.objects.count() == 1


def test_an_account_is_linked_where_both_sides_have_verified_the_address(idp: oidc.Provider) -> None:
    user = verify(make_user("ada@example.com"))
    client, _answer = sign_in(idp)
    assert client.session["_auth_user_id"] == str(user.pk)
    assert SocialAccount.objects.get().user == user
    assert any("connected" in message.subject.lower() for message in mail.outbox)


@pytest.mark.parametrize("verified_here", [True, False])
def test_no_account_is_linked_where_one_side_has_not(idp: oidc.Provider, settings: Any, verified_here: bool) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    user = make_user("ada@example.com")
    if verified_here:
        verify(user)
    client, _answer = sign_in(idp, email_verified=not verified_here)
    assert "_auth_user_id" not in client.session
    assert not SocialAccount.objects.exists()
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_service_whose_addresses_prove_nothing_links_nothing(idp: oidc.Provider, settings: Any) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["email_authentication"] = False
    verify(make_user("ada@example.com"))
    client, _answer = sign_in(idp)
    assert "_auth_user_id" not in client.session
    assert not SocialAccount.objects.exists()


def test_the_second_factor_is_asked_for_all_the_same(idp: oidc.Provider) -> None:
    user = verify(make_user("ada@example.com"))
    add_app(user)
    client, answer = sign_in(idp)
    assert answer.url == reverse("mfa_authenticate")
    assert not is_in(client)


def test_an_answer_to_another_question_is_refused(idp: oidc.Provider) -> None:
    idp.claims = {"sub": "42", "email": "ada@example.com", "email_verified": True}
    client = Client()
    client.post(reverse("openid_connect_login", kwargs=LOGIN))
    answer = client.get(reverse("openid_connect_callback", kwargs=LOGIN), {"code": "code", "state": "made-up"})
    assert not User.objects.exists()
    assert "did not confirm you" in answer.text


def test_connecting_asks_for_a_fresh_proof_and_shows_on_ones_page(idp: oidc.Provider, org_a: Tenant) -> None:
    client = Client()
    client.force_login(verify(org_a.owner))
    sign_in(idp, client, process="connect", email="elsewhere@example.com")
    page = client.get(reverse("socialaccount_connections"))
    assert SocialAccount.objects.get().user == org_a.owner
    assert 'class="subnav"' in page.text
    assert "Disconnect" in page.text


def test_the_pages_are_in_our_design(idp: oidc.Provider) -> None:
    page = Client().get(reverse("account_login"))
    assert "Continue with Acme" in page.text
    for name in ("socialaccount_login_cancelled", "socialaccount_login_error"):
        assert 'class="entrance-card"' in Client().get(reverse(name)).text
    assert "Continue with Acme" in Client().get(reverse("openid_connect_login", kwargs=LOGIN)).text


def test_nothing_is_on_until_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert social.configured() == []
    monkeypatch.setenv("OIDC_CLIENT_ID", "x")
    assert social.configured() == []
    monkeypatch.setenv("OIDC_ISSUER", "https://id.example/realms/a/")
    monkeypatch.setenv("MICROSOFT_CLIENT_ID", "y")
    found = {service.id: service for service in social.configured()}
    assert set(found) == {"openid_connect", "microsoft"}
    assert found["openid_connect"].origin == "https://id.example"
    assert not any(service.proves_email for service in found.values())
