"""Sessions end by themselves, are shown to their owner, and end at once when they are told to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts import services
from apps.accounts.models import BrowserSession
from tests.helpers.people import PASSWORD, Tenant

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"


def sign_in(email: str, agent: str = FIREFOX, password: str = PASSWORD) -> Client:
    client = Client(headers={"user-agent": agent})
    answer = client.post(reverse("account_login"), {"login": email, "password": password})
    assert answer.status_code == 302, answer.text
    return client


def row_of(client: Client) -> BrowserSession:
    return BrowserSession.objects.get(session_key=client.cookies[settings.SESSION_COOKIE_NAME].value)


def is_in(client: Client) -> bool:
    return client.get(reverse("dashboard")).status_code == 200


def test_a_session_says_whose_it_is_and_from_where(org_a: Tenant) -> None:
    client = sign_in(org_a.owner.email)
    row = row_of(client)
    assert (row.user_id, row.address, row.agent) == (org_a.owner.pk, "127.0.0.1", FIREFOX)
    page = client.get(reverse("sessions")).text
    assert "Firefox on Linux" in page
    assert "127.0.0.1" in page
    assert row.session_key not in page


def test_signing_in_gives_the_session_a_new_key(org_a: Tenant) -> None:
    client = Client()
    client.get(reverse("account_login"))
    client.post(reverse("account_login"), {"login": "nobody@example.com", "password": "x"})
    session = client.session
    session["before"] = 1
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    client.post(reverse("account_login"), {"login": org_a.owner.email, "password": PASSWORD})
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != session.session_key
    assert not BrowserSession.objects.filter(session_key=session.session_key).exists()


def test_an_idle_session_has_ended(org_a: Tenant) -> None:
    client = sign_in(org_a.owner.email)
    idle = timedelta(seconds=settings.SESSION_IDLE_SECONDS)
    assert row_of(client).expire_date - timezone.now() <= idle
    BrowserSession.objects.update(expire_date=timezone.now())
    assert not is_in(client)


def test_use_keeps_a_session_up_to_its_last_day(org_a: Tenant) -> None:
    client = sign_in(org_a.owner.email)
    long_ago = timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE - 60)
    hour_ago = timezone.now() - timedelta(hours=1)
    BrowserSession.objects.update(
        started_at=long_ago, seen_at=hour_ago, expire_date=timezone.now() + timedelta(hours=1)
    )
    assert is_in(client)
    row = row_of(client)
    assert row.seen_at > hour_ago
    assert row.expire_date - timezone.now() < timedelta(seconds=61)


def test_use_is_noted_once_a_minute_and_asks_nothing_more(org_a: Tenant, django_assert_num_queries: Any) -> None:
    client = sign_in(org_a.owner.email)
    key = row_of(client).session_key
    before = row_of(client).seen_at
    with django_assert_num_queries(1):
        services_load(key)
    assert row_of(client).seen_at == before
    BrowserSession.objects.update(seen_at=before - timedelta(minutes=2))
    with django_assert_num_queries(2):
        services_load(key)
    assert row_of(client).seen_at > before


def services_load(key: str) -> None:
    from apps.accounts.sessions import SessionStore

    assert SessionStore(key).load()["_auth_user_id"]


def test_one_of_several_sessions_is_signed_out(org_a: Tenant) -> None:
    here, there = sign_in(org_a.owner.email), sign_in(org_a.owner.email)
    handle = services.session_handle(row_of(there).session_key)
    assert here.post(reverse("sessions"), {"session": handle}).status_code == 302
    assert (is_in(here), is_in(there)) == (True, False)


def test_all_others_are_signed_out_at_once(org_a: Tenant) -> None:
    here, *others = [sign_in(org_a.owner.email) for _ in range(3)]
    stranger = sign_in(org_a.member.email)
    here.post(reverse("sessions"))
    assert [is_in(client) for client in (here, *others, stranger)] == [True, False, False, True]


def test_nobody_ends_somebody_elses_session(org_a: Tenant, outsider: Any) -> None:
    victim, attacker = sign_in(org_a.owner.email), sign_in(outsider.email)
    handle = services.session_handle(row_of(victim).session_key)
    attacker.post(reverse("sessions"), {"session": handle})
    attacker.post(reverse("sessions"), {"session": row_of(victim).session_key})
    assert is_in(victim)
    assert attacker.get(reverse("sessions")).text.count('name="session"') == 1


def test_signing_this_browser_out_ends_on_the_sign_in_page(org_a: Tenant) -> None:
    client = sign_in(org_a.owner.email)
    handle = services.session_handle(row_of(client).session_key)
    assert client.post(reverse("sessions"), {"session": handle}).url == reverse("account_login")
    assert not is_in(client)


def test_signing_out_removes_the_session(org_a: Tenant) -> None:
    client = sign_in(org_a.owner.email)
    key = row_of(client).session_key
    client.post(reverse("account_logout"))
    assert not BrowserSession.objects.filter(session_key=key).exists()


def test_a_changed_password_signs_every_other_browser_out(org_a: Tenant) -> None:
    here, there = sign_in(org_a.owner.email), sign_in(org_a.owner.email)
    new = "a quiet mill by the river"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert here.post(reverse("account_change_password"), form).status_code == 302
    assert (is_in(here), is_in(there)) == (True, False)
    assert BrowserSession.objects.filter(user=org_a.owner).count() == 1


def test_a_deactivated_person_is_out(org_a: Tenant) -> None:
    client = sign_in(org_a.owner.email)
    org_a.owner.is_active = False
    org_a.owner.save()
    assert not is_in(client)


async def test_an_asynchronous_request_reads_and_notes_the_same_session(transactional_db: None) -> None:
    from asgiref.sync import sync_to_async

    from tests.helpers.people import make_user

    user = await sync_to_async(make_user)("ada@example.com")
    client = AsyncClient()
    await client.aforce_login(user)
    await BrowserSession.objects.aupdate(seen_at=timezone.now() - timedelta(hours=1))
    session = await client.asession()
    assert await session.aget("_auth_user_id") == str(user.pk)
    row = await BrowserSession.objects.aget()
    assert timezone.now() - row.seen_at < timedelta(minutes=1)


def test_the_cookies_are_guarded(org_a: Tenant) -> None:
    client = sign_in(org_a.owner.email)
    for name in (settings.SESSION_COOKIE_NAME, settings.KNOWN_BROWSER_COOKIE_NAME):
        cookie = client.cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
