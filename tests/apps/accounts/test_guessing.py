"""A thousand wrong passwords: the guesser is locked out, the owner is not, and nobody else notices."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from apps.accounts import signin
from apps.core import attempts
from tests.helpers.people import PASSWORD, Tenant, add_app, make_user

LOCKED = "Too many failed login attempts"
WRONG = "are not correct"


def tries(client: Client, email: str, password: str, address: str = "192.0.2.1") -> Any:
    return client.post(reverse("account_login"), {"login": email, "password": password}, REMOTE_ADDR=address)


def outcome(response: Any) -> str:
    if response.status_code == 302:
        return "in"
    assert response.status_code == 200
    return "locked" if LOCKED in response.text else "wrong" if WRONG in response.text else response.text


@pytest.fixture(autouse=True)
def no_limit_on_requests(settings: Any) -> None:
    """The limit on sign-in requests of one address comes on top; here the locks on guesses are what is tested."""
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login": ""}


STILL = 1_000_000_000


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock runs out while a slow machine makes its tries."""
    still = attempts._BEGIN.replace("local now = time[1] + time[2] / 1000000", f"local now = {STILL}")
    assert still != attempts._BEGIN
    monkeypatch.setattr(attempts, "_BEGIN", still)


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each password that is hashed."""
    from django.contrib.auth.hashers import MD5PasswordHasher

    made: list[str] = []
    before = MD5PasswordHasher.encode

    def encode(self: Any, password: str, salt: str) -> str:
        made.append(password)
        return before(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", encode)
    return made


def test_a_thousand_wrong_passwords_lock_the_guesser_and_nobody_else(
    org_a: Tenant, org_b: Tenant, hashes: list[str]
) -> None:
    owner = Client()
    assert outcome(tries(owner, org_a.owner.email, PASSWORD, "198.51.100.7")) == "in"
    owner.post(reverse("account_logout"))
    guesser = Client()
    hashes.clear()
    seen = [outcome(tries(guesser, org_a.owner.email, f"guess {n}")) for n in range(1000)]
    assert seen == ["wrong"] * 5 + ["locked"] * 995
    assert len(hashes) == 5, "a refused try costs no hash"
    # Not even the right password helps the guesser.
    assert outcome(tries(guesser, org_a.owner.email, PASSWORD)) == "locked"
    # The owner signs in: where the account is known, and with a new browser at another address.
    assert outcome(tries(owner, org_a.owner.email, PASSWORD, "198.51.100.7")) == "in"
    assert outcome(tries(Client(), org_a.owner.email, PASSWORD, "198.51.100.99")) == "in"
    # Others sign in, even from the guesser's own address.
    for person in (org_a.member, org_b.owner):
        assert outcome(tries(Client(), person.email, PASSWORD)) == "in"


def test_many_guessers_lock_the_account_for_unknown_browsers_only(org_a: Tenant) -> None:
    owner = Client()
    assert outcome(tries(owner, org_a.owner.email, PASSWORD, "198.51.100.7")) == "in"
    owner.post(reverse("account_logout"))
    seen = [outcome(tries(Client(), org_a.owner.email, f"guess {n}", f"203.0.113.{n}")) for n in range(100)]
    assert seen == ["wrong"] * 20 + ["locked"] * 80
    assert outcome(tries(Client(), org_a.owner.email, PASSWORD, "192.0.2.77")) == "locked"
    assert outcome(tries(owner, org_a.owner.email, PASSWORD, "198.51.100.7")) == "in"
    assert outcome(tries(Client(), org_a.member.email, PASSWORD, "203.0.113.5")) == "in"


def test_one_guesser_at_many_accounts_is_locked_by_address(db: None) -> None:
    emails = [f"person{n}@example.com" for n in range(120)]
    seen = [outcome(tries(Client(), email, "guess")) for email in emails]
    assert seen == ["wrong"] * 100 + ["locked"] * 20
    make_user("other@example.com")
    assert outcome(tries(Client(), "other@example.com", PASSWORD, "192.0.2.2")) == "in"


def test_a_known_browser_is_no_free_pass(org_a: Tenant) -> None:
    thief = Client()
    assert outcome(tries(thief, org_a.owner.email, PASSWORD)) == "in"
    thief.post(reverse("account_logout"))
    seen = [outcome(tries(thief, org_a.owner.email, f"guess {n}")) for n in range(8)]
    assert seen == ["wrong"] * 5 + ["locked"] * 3
    # Knowing one account gives nothing at another.
    seen = [outcome(tries(thief, org_a.member.email, f"guess {n}")) for n in range(8)]
    assert seen == ["wrong"] * 5 + ["locked"] * 3


def test_a_forged_cookie_is_no_known_browser(org_a: Tenant) -> None:
    client = Client()
    client.cookies["millrace_browser"] = "e30:1abc:forged"
    seen = [outcome(tries(client, org_a.owner.email, f"guess {n}")) for n in range(7)]
    assert seen == ["wrong"] * 5 + ["locked"] * 2


def test_an_account_that_does_not_exist_is_locked_like_one_that_does(org_a: Tenant) -> None:
    for n in range(8):
        there = tries(Client(), org_a.owner.email, f"guess {n}")
        nowhere = tries(Client(), "nobody@nowhere.example", f"guess {n}")
        assert (outcome(there), there.status_code) == (outcome(nowhere), nowhere.status_code)


def test_spelling_the_address_differently_buys_no_try(org_a: Tenant) -> None:
    spellings = [org_a.owner.email, org_a.owner.email.upper(), f" {org_a.owner.email}", org_a.owner.email.title()]
    seen = [outcome(tries(Client(), spellings[n % 4], f"guess {n}")) for n in range(7)]
    assert seen == ["wrong"] * 5 + ["locked"] * 2


def test_one_ipv6_customer_is_one_guesser(org_a: Tenant) -> None:
    seen = [outcome(tries(Client(), org_a.owner.email, f"{n}", f"2001:db8:1:2::{n + 1:x}")) for n in range(7)]
    assert seen == ["wrong"] * 5 + ["locked"] * 2


def test_the_lock_holds_while_redis_is_away(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    import redis as redis_py

    nobody = redis_py.Redis(port=1, socket_connect_timeout=0.2, retry=None)
    monkeypatch.setattr(attempts, "quick_redis_client", lambda: nobody)
    monkeypatch.setattr(attempts, "_breaker", attempts.Breaker(seconds=60))
    monkeypatch.setattr(attempts, "_local", attempts._Local())
    seen = [outcome(tries(Client(), org_a.owner.email, f"guess {n}")) for n in range(8)]
    assert seen == ["wrong"] * 5 + ["locked"] * 3
    assert outcome(tries(Client(), org_a.member.email, PASSWORD)) == "in"


def test_a_reset_by_mail_opens_a_locked_account(org_a: Tenant, settings: Any) -> None:
    client = Client()
    for n in range(6):
        tries(client, org_a.owner.email, f"guess {n}")
    assert outcome(tries(client, org_a.owner.email, PASSWORD)) == "locked"
    from apps.accounts.mails import password_reset

    message = password_reset(org_a.owner.email)
    assert message is not None
    link = next(word for word in message.body.split() if "/password/reset/key/" in word)
    path = "/" + link.split("/", 3)[3]
    form = client.get(path, follow=True, REMOTE_ADDR="192.0.2.1")
    new = "another quiet mill by the sea"
    answer = client.post(form.request["PATH_INFO"], {"password1": new, "password2": new}, REMOTE_ADDR="192.0.2.1")
    assert answer.status_code == 302
    assert outcome(tries(client, org_a.owner.email, new)) == "in"
    assert any("reset" in message.subject.lower() for message in mail.outbox)


def test_wrong_second_codes_are_limited(org_a: Tenant) -> None:
    add_app(org_a.owner)
    client = Client()
    assert tries(client, org_a.owner.email, PASSWORD).url == reverse("mfa_authenticate")
    seen = [client.post(reverse("mfa_authenticate"), {"code": f"{n:06}"}).text for n in range(8)]
    assert [("too many" in page.lower() or "Too many" in page) for page in seen] == [False] * 5 + [True] * 3


def test_locks_grow_and_are_forgotten(redis: Any) -> None:
    lock = attempts.Lock("somebody", free=2, first=60, longest=200)
    waits = []
    for _ in range(6):
        assert attempts.begin([lock]) == 0
        until = float(redis.hget(lock.name, "until") or STILL)
        waits.append(round(until - STILL))
        redis.hdel(lock.name, "until")
    assert waits == [0, 60, 120, 200, 200, 200]
    assert 0 < redis.ttl(lock.name) <= 86_400
    attempts.forgive([lock])
    assert not redis.exists(lock.name)


def test_a_thousand_at_once_are_no_more_than_one_after_the_other(redis: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    lock = attempts.Lock("somebody", free=5)
    with ThreadPoolExecutor(max_workers=20) as pool:
        waits = list(pool.map(lambda _: attempts.begin([lock]), range(300)))
    assert waits.count(0) == 5


def test_the_cookie_knows_only_the_last_few_accounts(org_a: Tenant, rf: Any) -> None:
    from django.http import HttpResponse

    request = rf.get("/")
    for n in range(8):
        response = HttpResponse()
        signin.remember_browser(request, response, f"p{n}@example.com")
        request.COOKIES = {name: morsel.value for name, morsel in response.cookies.items()}
    known = [n for n in range(8) if signin.knows(request, f"p{n}@example.com")]
    assert known == [3, 4, 5, 6, 7]
