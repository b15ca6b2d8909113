"""Whoever loses access loses their open streams with it, and what they had asked for goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts import watching
from apps.accounts.access import Credential
from apps.accounts.models import ApiKey, BrowserSession, Membership
from apps.accounts.services.security import Demands, set_policy
from apps.accounts.services.standing import permissions_now
from apps.core import revocation, tenancy
from apps.core.revocation import Notice
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from tests.apps.studio.test_consumers import Socket, connected, cookie_of
from tests.helpers.live import live_server
from tests.helpers.people import Tenant, add_person, member_of
from tests.helpers.studio import ask, states
from tests.helpers.worker import HandWorker, working

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/generations"
HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def waiting(org_a: Tenant, model: ModelVersion) -> Generation:
    """A generation that no worker takes."""
    return ask(org_a)


@contextlib.asynccontextmanager
async def following(user: Any, generation: Generation) -> AsyncIterator[Socket]:
    """The person's open WebSocket, which has shown its first frame."""
    cookie = await sync_to_async(cookie_of)(user)
    async with connected(generation.pk, cookie=cookie, origin="http://testserver") as socket:
        frame = await socket.frame()
        assert isinstance(frame, dict)
        assert frame["type"] == "status", frame
        yield socket


async def end_of(socket: Socket) -> tuple[str, int]:
    """The code of the last frame's error and the close code, as soon as they come."""
    async with asyncio.timeout(20):
        frames, code = await _everything(socket)
    return frames[-1]["error"]["code"], code


async def _everything(socket: Socket) -> tuple[list[dict[str, Any]], int]:
    frames = []
    while True:
        with contextlib.suppress(TimeoutError):
            if isinstance(frame := await socket.frame(), int):
                return frames, frame
            frames.append(frame)


REVOKED = ("access_revoked", 4410)


# ---------------------------------------------------------------- WebSockets


async def test_a_removed_member_loses_the_socket(org_a: Tenant, waiting: Generation) -> None:
    member = await sync_to_async(member_of)(org_a, org_a.member)
    async with following(org_a.member, waiting) as socket:
        await sync_to_async(accounts.remove_member)(org_a.actor, member.pk)
        assert await end_of(socket) == REVOKED
    assert await sync_to_async(states)(org_a) == {"queued": 1}


async def test_a_role_that_may_not_read_ends_the_socket_and_one_that_may_does_not(
    org_a: Tenant, waiting: Generation
) -> None:
    other = await sync_to_async(add_person)(org_a, "other")
    members = [await sync_to_async(member_of)(org_a, user) for user in (org_a.member, other)]
    async with following(org_a.member, waiting) as loses, following(other, waiting) as keeps:
        await sync_to_async(accounts.change_role)(org_a.actor, members[1].pk, "auditor")
        await sync_to_async(accounts.change_role)(org_a.actor, members[0].pk, "billing")
        assert await end_of(loses) == REVOKED
        await sync_to_async(accounts.remove_member)(org_a.actor, members[1].pk)
        assert await end_of(keeps) == REVOKED


async def test_a_session_that_is_signed_out_loses_its_socket(org_a: Tenant, waiting: Generation) -> None:
    async with following(org_a.member, waiting) as socket:
        await sync_to_async(accounts.end_sessions)(org_a.member.pk)
        assert await end_of(socket) == REVOKED


async def test_a_new_password_ends_what_was_opened_with_the_old_one(
    org_a: Tenant, waiting: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.1)
    async with following(org_a.member, waiting) as socket:
        org_a.member.set_password("another long password of theirs")
        await org_a.member.asave()
        assert await end_of(socket) == REVOKED


async def test_a_demand_that_the_session_does_not_meet_ends_its_socket(org_a: Tenant, waiting: Generation) -> None:
    demands = Demands(
        sso_required=False, mfa_required=True, grace_days=0, sso_session_hours=24, keys_need_sso_days=None
    )
    async with following(org_a.member, waiting) as socket:
        await sync_to_async(set_policy)(org_a.actor, demands, vouched=False)
        assert await end_of(socket) == REVOKED


async def test_a_session_that_the_organization_ends_loses_its_socket(org_a: Tenant, waiting: Generation) -> None:
    async with following(org_a.member, waiting) as socket:
        await sync_to_async(accounts.end_member_sessions)(org_a.actor, org_a.member.pk)
        assert await end_of(socket) == REVOKED


async def test_what_nobody_announced_is_found_by_looking(
    org_a: Tenant, waiting: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is away, or the row was changed behind the application."""
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.1)

    async def silence() -> AsyncIterator[Notice]:
        await asyncio.Event().wait()
        yield Notice()

    monkeypatch.setattr(revocation, "notices", silence)

    def remove() -> None:
        with tenancy.scope(org_a.id):
            Membership.objects.filter(user=org_a.member).delete()

    async with following(org_a.member, waiting) as socket:
        await sync_to_async(remove)()
        assert await end_of(socket) == REVOKED


async def test_others_go_on_reading(org_a: Tenant, org_b: Tenant, waiting: Generation) -> None:
    """Neither a colleague nor another organization notices; both still follow when the removed one is out."""
    theirs = await sync_to_async(ask)(org_b)
    member = await sync_to_async(member_of)(org_a, org_a.member)
    async with (
        following(org_a.member, waiting) as socket,
        following(org_a.admin, waiting) as colleague,
        following(org_b.member, theirs) as stranger,
    ):
        await sync_to_async(accounts.remove_member)(org_a.actor, member.pk)
        assert await end_of(socket) == REVOKED
        worker = await sync_to_async(_run_all)()
        for other in (colleague, stranger):
            frames, code = await _everything(other)
            assert (frames[-1]["type"], code) == ("done", 1000)
    assert worker == 2


def _run_all() -> int:
    for _ in range(2):
        HandWorker.claim().run(["Tea."])
    return 2


# ---------------------------------------------------------------- HTTP


@pytest.fixture
def http(transactional_db: None, model: Any, org_a: Tenant) -> Iterator[httpx.Client]:
    with live_server() as url, httpx.Client(base_url=url, headers=org_a.bearer, timeout=30, trust_env=False) as client:
        yield client


def test_a_revoked_keys_stream_of_events_ends_with_an_error(
    http: httpx.Client, org_a: Tenant, waiting: Generation
) -> None:
    with http.stream("GET", f"{URL}/{waiting.pk}/stream") as response:
        lines = response.iter_lines()
        assert next(lines) == "event: status"
        accounts.revoke_api_key(org_a.actor, org_a.api_key.pk)
        rest = list(lines)
    assert "event: error" in rest
    told = json.loads(rest[rest.index("event: error") + 1].removeprefix("data: "))
    assert told["error"]["code"] == "access_revoked"
    assert states(org_a) == {"queued": 1}


@pytest.mark.parametrize("way", ["service account", "networks", "expiry"])
def test_a_key_that_stops_working_in_any_other_way_loses_its_stream(
    http: httpx.Client, org_a: Tenant, waiting: Generation, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.1)
    account = accounts.create_service_account(org_a.actor, "Robot", "member")
    limits = accounts.KeyLimits(service_account_id=account.pk)
    key, secret = accounts.create_api_key(org_a.actor, "robot", limits=limits)
    headers = {"authorization": f"Bearer {secret}"}
    with http.stream("GET", f"{URL}/{waiting.pk}/stream", headers=headers) as response:
        lines = response.iter_lines()
        assert next(lines) == "event: status"
        if way == "service account":
            accounts.switch_service_account(org_a.actor, account.pk, on=False)
        else:
            change = {"allowed_networks": ["198.51.100.0/24"]} if way == "networks" else {"expires_at": timezone.now()}
            with tenancy.scope(org_a.id):
                ApiKey.objects.filter(pk=key.pk).update(**change)
        rest = list(lines)
    assert "event: error" in rest
    assert "access_revoked" in rest[-2]


def test_a_streamed_answer_ends_with_an_error_and_the_work_goes_on(http: httpx.Client, org_a: Tenant) -> None:
    body = {"model": "default", "messages": HELLO, "stream": True}
    workers: list[HandWorker] = []

    def begin() -> None:
        workers.append(HandWorker.claim())
        workers[0].write("one")

    with working(begin), http.stream("POST", "/v1/chat/completions", json=body) as response:
        lines = response.iter_lines()
        assert '"content": "one"' in "".join(line for _, line in zip(range(4), lines, strict=False))
        accounts.revoke_api_key(org_a.actor, org_a.api_key.pk)
        rest = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert json.loads(rest[-1])["error"]["code"] == "access_revoked"
    assert states(org_a) == {"running": 1}
    workers[0].run(["two"])
    assert states(org_a) == {"succeeded": 1}


def test_a_whole_answer_that_is_waited_for_becomes_a_refusal(http: httpx.Client, org_a: Tenant) -> None:
    def revoke() -> None:
        HandWorker.claim().write("one")
        accounts.revoke_api_key(org_a.actor, org_a.api_key.pk)

    with working(revoke):
        response = http.post("/v1/chat/completions", json={"model": "default", "messages": HELLO})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "access_revoked")
    assert states(org_a) == {"running": 1}


# ---------------------------------------------------------------- looking


def credentials_of(tenant: Tenant, *users: Any) -> list[Credential]:
    for user in users:
        cookie_of(user)
    keys = BrowserSession.objects.filter(user__in=users).values_list("session_key", flat=True)
    return [Credential(tenant.id, session_key=key) for key in keys]


def test_any_number_of_streams_is_asked_about_with_the_same_queries(org_a: Tenant, org_b: Tenant) -> None:
    few = [*credentials_of(org_a, org_a.member), Credential(org_a.id, api_key_id=org_a.api_key.pk)]
    people = [add_person(org_a, f"p{number}") for number in range(6)]
    many = [*few, *credentials_of(org_a, *people), Credential(org_b.id, api_key_id=org_b.api_key.pk)]
    many += credentials_of(org_b, org_b.admin, org_b.member)
    counts = []
    for asked in (few, many):
        with CaptureQueriesContext(connection) as queries:
            found = permissions_now(asked)
        counts.append(len(queries))
        assert all("generations:read" in found[credential] for credential in asked)
    assert counts[0] == counts[1]


def test_a_session_counts_in_its_persons_organizations_only(org_a: Tenant, org_b: Tenant, outsider: Any) -> None:
    [session] = credentials_of(org_b, org_a.member)
    [lost] = credentials_of(org_a, outsider)
    assert permissions_now([session, lost]) == {}


async def test_who_was_named_is_out_also_when_the_database_cannot_say(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Any) -> None:
        raise OperationalError("no connection")

    async def ask(work: Any, *args: Any) -> Any:
        return work(*args)

    monkeypatch.setattr(watching, "permissions_now", away)
    monkeypatch.setattr(watching, "in_database", ask)
    watchman = watching.Watchman()
    named, other = (
        watching.Watch(Credential(org_a.id, owner_id=user.pk, session_key=user.email), "generations:read")
        for user in (org_a.member, org_a.admin)
    )
    watchman._watches = {named, other}
    await watchman._look([Notice(), Notice(org_a.id, org_a.member.pk)])
    assert (named.ended, other.ended) == (True, False)
