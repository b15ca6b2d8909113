"""Second factors through the real pages: set up, asked for at sign-in, used once, and guarded by a fresh proof."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts import services
from apps.accounts.models import BrowserSession, FactorSecret, User
from tests.helpers.people import PASSWORD, Tenant


def code_of(secret: str, periods: int = 0) -> str:
    counter = next(iter(yield_hotp_counters_from_time())) + periods
    return str(format_hotp_value(hotp_value(secret, counter)))


def set_up_app(client: Client) -> tuple[str, list[str]]:
    """Switches the authenticator app on; its secret and the recovery codes as the pages show them."""
    page = client.get(reverse("mfa_activate_totp"))
    secret = re.search(r'id="totp-secret">([A-Z2-7]+)<', page.text)
    assert secret
    answer = client.post(reverse("mfa_activate_totp"), {"code": code_of(secret[1])})
    assert answer.url == reverse("mfa_view_recovery_codes")
    codes = re.search(r'id="codes"[^>]*>([\d\s]+)<', client.get(answer.url).text)
    assert codes
    return secret[1], codes[1].split()


@pytest.fixture
def owner(org_a: Tenant) -> tuple[Client, User]:
    client = Client()
    client.post(reverse("account_login"), {"login": org_a.owner.email, "password": PASSWORD})
    return client, org_a.owner


def begin(email: str) -> Client:
    """A browser in which the password was right, and the second factor is asked for."""
    client = Client()
    answer = client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    assert answer.url == reverse("mfa_authenticate")
    assert client.get(reverse("dashboard")).status_code == 302
    return client


def enter(client: Client, code: str) -> bool:
    client.post(reverse("mfa_authenticate"), {"code": code})
    return client.get(reverse("dashboard")).status_code == 200


def test_an_app_is_set_up_and_asked_for(transactional_db: None, owner: tuple[Client, User]) -> None:
    client, person = owner
    secret, codes = set_up_app(client)
    assert len(set(codes)) == 10
    assert [message.subject for message in mail.outbox] == ["Authenticator App Activated"]
    browser = begin(person.email)
    assert enter(browser, code_of(secret, 1)) or enter(browser, code_of(secret, 2)) or enter(browser, code_of(secret))


def test_a_code_works_once(owner: tuple[Client, User], monkeypatch: pytest.MonkeyPatch) -> None:
    client, person = owner
    secret, _codes = set_up_app(client)
    later = time.time() + 90
    monkeypatch.setattr(time, "time", lambda: later)
    code = code_of(secret)
    assert enter(begin(person.email), code)
    assert not enter(begin(person.email), code)


def test_a_recovery_code_works_once_and_is_shown_once(owner: tuple[Client, User]) -> None:
    client, person = owner
    _secret, codes = set_up_app(client)
    again = client.get(reverse("mfa_view_recovery_codes")).text
    assert not any(code in again for code in codes)
    assert client.get(reverse("mfa_download_recovery_codes")).status_code == 403
    assert enter(begin(person.email), codes[3])
    assert not enter(begin(person.email), codes[3])
    assert enter(begin(person.email), codes[4])


def test_new_recovery_codes_replace_the_old(owner: tuple[Client, User]) -> None:
    client, person = owner
    _secret, old = set_up_app(client)
    client.post(reverse("mfa_generate_recovery_codes"))
    assert not enter(begin(person.email), old[0])


def test_secrets_lie_sealed(owner: tuple[Client, User]) -> None:
    client, person = owner
    secret, codes = set_up_app(client)
    stored = str(list(Authenticator.objects.values())) + str(list(FactorSecret.objects.values()))
    assert secret not in stored
    assert not any(code in stored for code in codes)
    assert FactorSecret.objects.count() == 2
    client.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.filter(user=person, type="totp").exists()
    FactorSecret.objects.update(created_at=timezone.now() - timedelta(days=1))
    services.forget_loose_secrets()
    left = {row.data.get("seed") for row in Authenticator.objects.filter(user=person)} - {None}
    assert {str(id) for id in FactorSecret.objects.values_list("pk", flat=True)} == left


def test_a_factor_pointed_at_another_persons_secret_opens_nothing(owner: tuple[Client, User], org_b: Tenant) -> None:
    """Whoever can write rows, but holds no key, enrols an app of their own and points the victim's factor at it."""
    client, person = owner
    set_up_app(client)
    attacker = Client()
    attacker.post(reverse("account_login"), {"login": org_b.owner.email, "password": PASSWORD})
    secret, _codes = set_up_app(attacker)
    own = Authenticator.objects.get(user=org_b.owner, type="totp")
    Authenticator.objects.filter(user=person, type="totp").update(data=own.data)
    for moved_too in (False, True):
        if moved_too:
            FactorSecret.objects.filter(pk=own.data["secret"]).update(user=person)
        browser = begin(person.email)
        browser.raise_request_exception = False
        assert browser.post(reverse("mfa_authenticate"), {"code": code_of(secret)}).status_code == 500
        assert browser.get(reverse("dashboard")).status_code == 302


def test_a_password_reset_does_not_get_around_the_second_factor(owner: tuple[Client, User]) -> None:
    from apps.accounts.mails import password_reset

    client, person = owner
    set_up_app(client)
    message = password_reset(person.email)
    assert message is not None
    path = "/" + next(word for word in message.body.split() if "/reset/key/" in word).split("/", 3)[3]
    stranger, new = Client(), "a quiet mill by the river"
    form = stranger.get(path, follow=True)
    stranger.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert stranger.get(reverse("dashboard")).status_code == 302
    answer = stranger.post(reverse("account_login"), {"login": person.email, "password": new})
    assert answer.url == reverse("mfa_authenticate")
    assert client.get(reverse("dashboard")).status_code == 302, "every session ended"


def test_the_session_knows_which_methods_were_used(owner: tuple[Client, User], rf: Any) -> None:
    client, person = owner
    _secret, codes = set_up_app(client)
    browser = begin(person.email)
    assert enter(browser, codes[0])
    request = rf.get("/")
    request.session = browser.session
    methods = [(record["method"], record.get("type")) for record in get_authentication_records(request, person)]
    assert methods == [("password", None), ("mfa", "recovery_codes")]


# ---------------------------------------------------------------- a fresh proof

GUARDED = (
    ("get", "mfa_activate_totp"),
    ("get", "mfa_add_webauthn"),
    ("post", "mfa_generate_recovery_codes"),
    ("post", "account_email"),
    ("get", "sessions"),
    ("post", "sessions"),
    ("post", "api-keys"),
)


def grow_old(client: Client) -> None:
    """As if the sign-in and every confirmation were 16 minutes ago."""
    session = client.session
    session["signed_in_at"] = time.time() - 960
    for record in session.get("account_authentication_methods", []):
        record["at"] -= 960
    session.save()


@pytest.mark.parametrize(("method", "name"), GUARDED)
def test_dangerous_acts_ask_for_a_fresh_proof(owner: tuple[Client, User], method: str, name: str) -> None:
    client, _person = owner
    form = {"name": "k", "scopes": ["models:read"], "email": "new@example.com", "action_add": ""}
    grow_old(client)
    answer = getattr(client, method)(reverse(name), form)
    assert answer.status_code == 302
    assert answer.url.startswith(reverse("account_reauthenticate"))
    assert client.post(answer.url, {"password": "wrong"}).status_code == 200
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    done = client.post(answer.url, {"password": PASSWORD}, follow=True)
    assert done.status_code == 200
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != key, "the confirmed session has a new key"
    assert not BrowserSession.objects.filter(session_key=key).exists()
    assert getattr(client, method)(reverse(name), form).status_code in {200, 302}


def test_what_was_sent_goes_on_after_the_proof(owner: tuple[Client, User], org_a: Tenant) -> None:
    client, _person = owner
    grow_old(client)
    answer = client.post(reverse("api-keys"), {"name": "suspended", "scopes": ["models:read"]})
    page = client.post(answer.url, {"password": PASSWORD})
    assert "suspended" in page.text
    assert "mr_" in page.text


def test_a_confirmation_does_not_lengthen_the_session(owner: tuple[Client, User]) -> None:
    client, _person = owner
    grow_old(client)
    before = client.session["signed_in_at"]
    answer = client.get(reverse("sessions"))
    client.post(answer.url, {"password": PASSWORD})
    assert client.session["signed_in_at"] == before


def test_reading_asks_for_no_proof(owner: tuple[Client, User]) -> None:
    client, _person = owner
    grow_old(client)
    for name in ("dashboard", "api-keys", "mfa_index", "account_email"):
        assert client.get(reverse(name)).status_code == 200, name


def test_whoever_has_nothing_to_confirm_with_signs_in_again(org_a: Tenant) -> None:
    org_a.owner.set_unusable_password()
    org_a.owner.save()
    client = Client()
    client.force_login(org_a.owner)
    assert client.get(reverse("sessions")).status_code == 200
    grow_old(client)
    page = client.get(reverse("sessions"))
    assert page.status_code == 403
    assert "fresh sign-in" in page.text or "You may not" in page.text


def test_somebody_elses_passkey_cannot_be_touched(org_a: Tenant, org_b: Tenant) -> None:
    key = Authenticator.objects.create(user=org_b.owner, type="webauthn", data={"name": "theirs", "credential": {}})
    client = Client()
    client.force_login(org_a.owner)
    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        assert client.post(reverse(name, kwargs={"pk": key.pk}), {"name": "mine"}).status_code == 404
    assert Authenticator.objects.filter(pk=key.pk, data__name="theirs").exists()
