"""Which passwords are refused, and how they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from tests.helpers.people import PASSWORD, Tenant

ARGON2 = ["apps.accounts.hashers.Argon2id", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]


def refusals(password: str, **user: str) -> set[str]:
    try:
        validate_password(password, User(**{"email": "ada.lovelace@example.com"} | user))
    except ValidationError as error:
        return {item.code for item in error.error_list}
    return set()


@pytest.mark.parametrize(
    "password",
    [
        "a quiet mill by the river",
        "жёлтый трамвай номер семь",
        "83920174659102",
        "  spaces before, after and  between  ",
        "correct-horse" * 8,
        "河边安静的磨坊与水车三十年",
    ],
    ids=str,
)
def test_any_characters_make_a_password(password: str) -> None:
    assert refusals(password) == set()


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("too short", "password_too_short"),
        ("qwertyuiop", "password_breached"),
        ("1234567890", "password_breached"),
        ("Iloveyou123", "password_breached"),
        ("chocolate1!", "password_breached"),
        ("millrace2026!", "password_context"),
        ("ada.lovelace@example", "password_too_similar"),
    ],
    ids=str,
)
def test_what_attackers_try_first_is_refused(password: str, code: str) -> None:
    assert code in refusals(password)


class _Service(BaseHTTPRequestHandler):
    asked: list[str] = []
    status, body = 200, ""

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        self.send_response(type(self).status)
        self.end_headers()
        self.wfile.write(type(self).body.encode())

    def log_message(self, *args: Any) -> None:
        """Not into the test's output."""


@contextmanager
def service(body: str = "", status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A range service on this machine, and what it was asked."""
    handler = type("Handler", (_Service,), {"asked": [], "body": body, "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/range/", handler.asked
        server.shutdown()


def test_a_service_is_asked_for_five_digits_only(settings: Any) -> None:
    password = "a quiet mill by the river"
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    with service(f"{'0' * 35}:3\r\n{digest[5:]}:17\r\n") as (url, asked):
        settings.PWNED_PASSWORDS_URL = url
        assert refusals(password) == {"password_breached"}
        assert asked == [f"/range/{digest[:5]}"]
    with service(f"{digest[5:]}:0\r\n") as (url, _asked):
        settings.PWNED_PASSWORDS_URL = url
        assert refusals(password) == set(), "a padding line counts nothing"


@pytest.mark.parametrize("status", [500, 404, 0])
def test_a_service_that_fails_blocks_nobody(settings: Any, status: int) -> None:
    with service("x", status or 200) as (url, _asked):
        settings.PWNED_PASSWORDS_URL = url
    settings.PWNED_PASSWORDS_URL = url if status else "http://127.0.0.1:1/range"
    assert refusals("a quiet mill by the river") == set()


def test_no_service_is_asked_unless_it_is_named(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.accounts import passwords

    def never(*args: Any, **options: Any) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(passwords.httpx, "get", never)
    assert settings.PWNED_PASSWORDS_URL == ""
    assert refusals("a quiet mill by the river") == set()


def test_passwords_are_kept_as_argon2id(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ARGON2
    stored = make_password(PASSWORD)
    assert stored.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert check_password(PASSWORD, stored)
    assert not check_password(PASSWORD + " ", stored)


def test_an_older_hash_is_made_anew_at_sign_in(settings: Any, org_a: Tenant) -> None:
    settings.PASSWORD_HASHERS = ARGON2
    User.objects.filter(pk=org_a.owner.pk).update(password=PBKDF2PasswordHasher().encode(PASSWORD, "salt1234", 1000))
    client = Client()
    answer = client.post(reverse("account_login"), {"login": org_a.owner.email, "password": PASSWORD})
    assert answer.status_code == 302
    org_a.owner.refresh_from_db()
    assert org_a.owner.password.startswith("argon2$argon2id$")
    assert client.get(reverse("dashboard")).status_code == 200


def test_changing_asks_for_the_present_password(org_a: Tenant) -> None:
    client = Client()
    client.force_login(org_a.owner)
    new = "a quiet mill by the river"
    form = {"oldpassword": "wrong", "password1": new, "password2": new}
    assert client.post(reverse("account_change_password"), form).status_code == 200
    org_a.owner.refresh_from_db()
    assert org_a.owner.check_password(PASSWORD)
