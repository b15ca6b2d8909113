"""Nobody learns who has an account: not by words, not by status, not by the work that an answer takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail as django_mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts import mails
from apps.accounts.models import User
from apps.core.models import Mail
from tests.helpers.people import PASSWORD, Tenant, make_user, verify

NOBODY = "nobody@nowhere.example"


@dataclass(frozen=True)
class Work:
    """What an answer took and said, as far as a stranger could measure it."""

    status: int
    where: str
    text: str
    hashes: int
    queries: int


@pytest.fixture(autouse=True)
def with_mail(settings: Any) -> None:
    """As on a server: addresses must be confirmed, and mails are rows."""
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.EMAIL_BACKEND = "apps.core.mail.Outbox"
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"confirm_email": ""}


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Work]]:
    """`measure(path, form)`: the answer that a fresh browser gets, and the work behind it."""
    made: list[str] = []
    before = MD5PasswordHasher.encode

    def encode(self: Any, password: str, salt: str) -> str:
        made.append(password)
        return before(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", encode)

    def run(path: str, form: dict[str, str]) -> Work:
        client = Client()
        made.clear()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = client.post(path, form)
        asked = [query["sql"] for query in queries if not re.match(r"(RELEASE |ROLLBACK TO )?SAVEPOINT", query["sql"])]
        page = client.get(response.url) if response.status_code == 302 else response
        text = page.text.replace(form.get("email") or form.get("login") or "-", "ADDRESS")
        text = re.sub(r'(csrf[^"]*"|value="|data-csrf=")[\w-]{32,}', "TOKEN", text)
        return Work(response.status_code, getattr(response, "url", ""), text, len(made), len(asked))

    yield run


def people(org_a: Tenant) -> dict[str, str]:
    """An address of each kind of account, and one of none."""
    verify(org_a.owner)
    unconfirmed, closed, outside = (make_user(f"{name}@x.example") for name in ("unconfirmed", "closed", "outside"))
    User.objects.filter(pk=closed.pk).update(is_active=False)
    outside.set_unusable_password()
    outside.save()
    return {
        "nobody": NOBODY,
        "confirmed": org_a.owner.email,
        "unconfirmed": unconfirmed.email,
        "closed": closed.email,
        "without password": outside.email,
    }


def same(found: dict[str, Work]) -> None:
    first = next(iter(found.values()))
    for kind, work in found.items():
        assert work == first, kind


def test_a_wrong_password_tells_nothing(org_a: Tenant, measure: Callable[..., Work]) -> None:
    path = reverse("account_login")
    found = {kind: measure(path, {"login": email, "password": "wrong"}) for kind, email in people(org_a).items()}
    same(found)
    assert found["nobody"].hashes == 1
    assert "are not correct" in found["nobody"].text


def test_asking_for_a_reset_tells_nothing(org_a: Tenant, measure: Callable[..., Work]) -> None:
    path = reverse("account_reset_password")
    found = {kind: measure(path, {"email": email}) for kind, email in people(org_a).items()}
    same(found)
    assert found["nobody"].hashes == 0
    assert Mail.objects.count() == len(found), "each gets a mail, which a worker writes"


def test_what_a_reset_mail_says_is_for_the_mailbox_alone(org_a: Tenant) -> None:
    said = {}
    for kind, email in people(org_a).items():
        message = mails.password_reset(email)
        assert message is not None
        assert message.to == [email]
        said[kind] = "/password/reset/key/" in message.body
    assert said == {
        "nobody": False,
        "confirmed": True,
        "unconfirmed": True,
        "closed": False,
        "without password": True,
    }


def test_signing_up_tells_nothing(org_a: Tenant, measure: Callable[..., Work]) -> None:
    path = reverse("account_signup")
    found = {}
    before = User.objects.count()
    for kind, email in people(org_a).items():
        before = User.objects.count() if kind != "nobody" else before + 5
        form = {"email": email, "password1": "a quiet mill by the river", "password2": "a quiet mill by the river"}
        found[kind] = measure(path, form)
        assert User.objects.filter(email__endswith=".invalid").count() == 0
    said = {kind: (work.status, work.where, work.text, work.hashes) for kind, work in found.items()}
    assert len(set(said.values())) == 1
    assert found["nobody"].hashes == 1
    assert len({work.queries for work in found.values()}) == 1, found
    assert User.objects.filter(email=NOBODY).count() == 1


def test_only_the_mailbox_learns_that_the_address_was_taken(org_a: Tenant, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    form = {"password1": "a quiet mill by the river", "password2": "a quiet mill by the river"}
    for email in (org_a.owner.email, NOBODY):
        Client().post(reverse("account_signup"), form | {"email": email})
    taken, free = django_mail.outbox
    assert (taken.to, free.to) == ([org_a.owner.email], [NOBODY])
    assert "There is one already" in taken.body
    assert "Confirm it here" in free.body
    org_a.owner.refresh_from_db()
    assert org_a.owner.check_password(PASSWORD)


def test_a_second_wish_for_an_address_does_not_keep_its_owner_out(org_a: Tenant) -> None:
    client = Client()
    client.force_login(org_a.owner)
    client.post(reverse("account_email"), {"email": NOBODY, "action_add": ""})
    form = {"email": NOBODY, "password1": "a quiet mill by the river", "password2": "a quiet mill by the river"}
    Client().post(reverse("account_signup"), form)
    assert User.objects.filter(email=NOBODY).count() == 1


def test_changing_to_a_taken_address_tells_nothing(org_a: Tenant, org_b: Tenant) -> None:
    answers = {}
    for kind, email in (("free", NOBODY), ("taken", org_b.owner.email)):
        client = Client()
        client.force_login(org_a.owner if kind == "free" else org_a.admin)
        response = client.post(reverse("account_email"), {"email": email, "action_add": ""})
        answers[kind] = (response.status_code, getattr(response, "url", ""))
    assert answers["free"] == answers["taken"]
    assert Mail.objects.count() == 2


def test_a_passkey_of_nobody_answers_like_a_wrong_one(db: None) -> None:
    client = Client()
    options = client.get(reverse("mfa_login_webauthn"), headers={"accept": "application/json"}).json()
    assert options["request_options"]["publicKey"].get("allowCredentials", []) == []
    answer = client.post(reverse("mfa_login_webauthn"), {"credential": '{"id": "x", "response": {}}'})
    assert (answer.status_code, answer.url) == (302, reverse("account_login"))
