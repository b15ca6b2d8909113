"""The WebSocket: the same frames as everywhere, for members and programs of the organization and nobody else."""

from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from apps.accounts import services as accounts
from apps.core import shutdown, streams, threads
from apps.core.jobs import Status
from apps.core.streams import DELTA, END, Entry
from apps.privacy import handshakes
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from apps.studio.services import Outcome
from tests.helpers.people import Tenant
from tests.helpers.sockets import Socket, connected, cookie_of
from tests.helpers.studio import ask, finish, start

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "Grüße 你好"


@pytest.fixture
def finished(org_a: Tenant, model: ModelVersion, redis: Any) -> Generation:
    ask(org_a)
    generation = start()
    pipe = redis.pipeline()
    for seq, text in enumerate(TEXT.split(" ")):
        streams.append(pipe, generation.pk, 1, seq + 1, Entry("", DELTA, f" {text}" if seq else text, (seq,), seq))
    streams.append(pipe, generation.pk, 1, 3, Entry("", END))
    pipe.execute()
    assert finish(generation, Outcome(Status.SUCCEEDED, TEXT, "stop", 10, 2))
    return generation


def told(frames: list[dict[str, Any]]) -> str:
    return "".join(frame["text"] for frame in frames if frame["type"] == "delta")


async def test_a_program_reads_with_its_key(org_a: Tenant, finished: Generation) -> None:
    async with connected(finished.pk, **org_a.bearer) as socket:
        frames, code = await socket.everything()
    assert (told(frames), frames[-1]["type"], code) == (TEXT, "done", 1000)
    assert frames[-1]["generation"]["text"] == TEXT


async def test_a_member_reads_with_the_session(org_a: Tenant, finished: Generation) -> None:
    cookie = await sync_to_async(cookie_of)(org_a.member)
    async with connected(finished.pk, cookie=cookie, origin="http://testserver") as socket:
        frames, code = await socket.everything()
    assert (told(frames), code) == (TEXT, 1000)


async def test_a_session_that_has_not_accepted_the_terms_reads_nothing(
    org_a: Tenant, finished: Generation, settings: Any
) -> None:
    settings.TERMS_VERSION = "2026-01"
    cookie = await sync_to_async(cookie_of)(org_a.member)
    async with connected(finished.pk, cookie=cookie, origin="http://testserver") as socket:
        [frame], code = await socket.everything()
    assert (frame["error"]["code"], code) == ("consent_required", 4403)


async def test_a_reader_comes_back_behind_what_it_has_seen(org_a: Tenant, finished: Generation) -> None:
    async with connected(finished.pk, "after=1-1", **org_a.bearer) as socket:
        frames, _ = await socket.everything()
    assert told(frames) == " 你好"


async def test_what_a_client_sends_is_ignored(org_a: Tenant, model: ModelVersion) -> None:
    generation = await sync_to_async(ask)(org_a)
    async with connected(generation.pk, **org_a.bearer) as socket:
        for text in ("{not json", '{"type": "cancel"}', "x" * 10_000):
            await socket.say(text=text)
        await socket.say(bytes=b"\xff\x00")
        frame = await socket.frame()
        assert isinstance(frame, dict)
        assert frame["status"] == "queued"


async def test_another_organizations_generation_is_missing(
    org_a: Tenant, org_b: Tenant, outsider: Any, finished: Generation
) -> None:
    answers = []
    for id in (finished.pk, uuid4()):
        async with connected(id, **org_b.bearer) as socket:
            answers.append(await socket.everything())
    assert answers[0] == answers[1]
    [frame], code = answers[0]
    assert (frame["type"], frame["error"]["code"], code) == ("error", "not_found", 4404)
    for user, expected in ((org_b.owner, 4404), (outsider, 4401)):
        cookie = await sync_to_async(cookie_of)(user)
        async with connected(finished.pk, cookie=cookie, origin="http://testserver") as socket:
            frames, code = await socket.everything()
        assert (told(frames), code) == ("", expected)


@pytest.mark.parametrize("header", [None, "Bearer mr_wrong", "Basic abc", "Bearer "])
async def test_without_a_usable_key_nothing_is_told(finished: Generation, header: str | None) -> None:
    headers = {"authorization": header} if header is not None else {}
    async with connected(finished.pk, **headers) as socket:
        frames, code = await socket.everything()
    assert ([frame["type"] for frame in frames], code) == (["error"], 4401)


async def test_a_key_without_the_scope_is_forbidden(org_a: Tenant, finished: Generation) -> None:
    _, secret = await sync_to_async(accounts.create_api_key)(org_a.actor, "models only", ["models:read"])
    async with connected(finished.pk, authorization=f"Bearer {secret}") as socket:
        frames, code = await socket.everything()
    assert (frames[0]["error"]["code"], code) == ("permission_denied", 4403)


async def test_a_senseless_position_is_a_bad_request(org_a: Tenant, finished: Generation) -> None:
    async with connected(finished.pk, "after=yesterday", **org_a.bearer) as socket:
        frames, code = await socket.everything()
    assert (frames[-1]["error"]["param"], code) == ("after", 4400)


async def test_another_site_cannot_use_a_members_session(org_a: Tenant, finished: Generation) -> None:
    cookie = await sync_to_async(cookie_of)(org_a.member)
    socket = Socket(finished.pk, "", {"origin": "https://evil.example", "cookie": cookie})
    assert not await socket.shake_hands()


async def test_an_address_without_a_stream_is_refused(org_a: Tenant) -> None:
    assert not await Socket("not-an-id", "", org_a.bearer).shake_hands()


async def test_a_malformed_origin_is_refused(org_a: Tenant, finished: Generation) -> None:
    assert not await Socket(finished.pk, "", org_a.bearer | {"origin": "http://["}).shake_hands()


async def test_a_database_that_is_away_says_try_again(
    org_a: Tenant, finished: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise OperationalError("no connection")

    monkeypatch.setattr(handshakes, "actor_of_header", away)
    # Restored afterwards: the failure is remembered for a moment.
    monkeypatch.setattr(threads._Breaker, "until", 0.0)
    async with connected(finished.pk, **org_a.bearer) as socket:
        frames, code = await socket.everything()
    assert ([frame["error"]["code"] for frame in frames], code) == (["service_unavailable"], 1013)


async def test_a_server_that_restarts_says_so(org_a: Tenant, model: ModelVersion) -> None:
    generation = await sync_to_async(ask)(org_a)
    async with connected(generation.pk, **org_a.bearer) as socket:
        assert isinstance(await socket.frame(), dict)
        shutdown.leave()
        try:
            assert await socket.frame() == 1012
        finally:
            shutdown.stay()
