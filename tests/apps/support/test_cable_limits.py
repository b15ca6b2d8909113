"""Chatwoot's socket when clients ask for too much, something breaks, or access ends in one room of several."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from websockets.exceptions import ConnectionClosed

from apps.accounts.models import ApiKey
from apps.core import shutdown, tenancy, threads
from apps.core.errors import RateLimitExceeded
from apps.core.models import Event
from apps.core.threads import in_database
from apps.support.cable import feed as feeds
from apps.support.cable import rooms, sockets, telling
from apps.support.cable.commands import Allowance, read
from apps.support.cable.feed import Feed, Follower
from apps.support.services.chatwoot import presence, pubsub
from apps.support.services.numbers import Numbers
from config.asgi import application
from tests.helpers.cable import PATIENCE_SECONDS, Cable, Listener, cable, in_thread, visitor_with_token
from tests.helpers.desk import Desk
from tests.helpers.people import audit_of

pytestmark = pytest.mark.django_db(transaction=True)


async def ending(line: Cable) -> tuple[str, bool, int]:
    """What a line that is about to end is told: why, whether to come back, and the close code."""
    told = await line.until(lambda frame: frame.get("type") == "disconnect")
    with pytest.raises(ConnectionClosed) as closed:
        await line.frame()
    assert closed.value.rcvd is not None
    return told["reason"], told["reconnect"], closed.value.rcvd.code


# ---------------------------------------------------------------- what a client may ask for
def test_what_is_said_is_a_command_or_nothing() -> None:
    said = read('{"command": "message", "identifier": "x", "data": "{\\"action\\": \\"update_presence\\"}"}')
    assert said is not None
    assert (said.name, said.identifier, said.action) == ("message", "x", "update_presence")
    for data in ("", "[]", "{", "1"):
        other = read(json.dumps({"command": "message", "identifier": "x", "data": data}))
        assert other is not None and other.action == ""
    for text in ("", "null", '{"command": "subscribe", "identifier": 1}', "[" * 3_000):
        assert read(text) is None


def test_a_minutes_worth_is_the_most_however_long_nothing_was_said() -> None:
    allowance = Allowance(60, now=0.0)
    assert sum(allowance.take(86_400.0) for _ in range(100)) == 60
    assert not allowance.take(86_400.5)
    assert allowance.take(86_401.0)


async def test_a_socket_has_so_many_rooms_and_hears_no_command_that_is_longer(desk: Desk, server: str) -> None:
    _visitor, token = await in_thread(visitor_with_token, desk)
    plain = json.dumps({"channel": "RoomChannel", "pubsub_token": token})
    async with cable(server) as line:
        await line.say("subscribe", plain + " " * sockets.LONGEST_COMMAND)
        for place in range(sockets.MOST_ROOMS + 1):
            await line.say("subscribe", plain + " " * place)
        told = [await line.until(lambda frame: "subscription" in frame.get("type", "")) for _ in range(5)]
        assert [each["type"] for each in told] == ["confirm_subscription"] * 4 + ["reject_subscription"]
        assert [each["identifier"] for each in told] == [plain + " " * place for place in range(5)]
        # One who leaves makes room for another.
        await line.say("unsubscribe", plain)
        await line.say("subscribe", plain + " " * 4)
        again = await line.until(lambda frame: "subscription" in frame.get("type", ""))
        assert (again["type"], again["identifier"]) == ("confirm_subscription", plain + " " * 4)


@asynccontextmanager
async def connected() -> AsyncIterator[ApplicationCommunicator]:
    """A client without a server in between, which sees the application end."""
    headers = [(b"host", b"testserver")]
    scope = {"type": "websocket", "path": "/cable", "query_string": b"", "headers": headers, "subprotocols": []}
    client = ApplicationCommunicator(application, scope)
    await client.send_input({"type": "websocket.connect"})
    assert (await client.receive_output(PATIENCE_SECONDS))["type"] == "websocket.accept"
    assert await told(client) == {"type": "welcome"}
    yield client
    await client.send_input({"type": "websocket.disconnect", "code": 1005})
    # Raises TimeoutError where the application goes on without its client.
    await client.wait(PATIENCE_SECONDS)


async def told(client: ApplicationCommunicator) -> Any:
    """The next frame that is no ping, or the close code."""
    while True:
        found = await client.receive_output(PATIENCE_SECONDS)
        if found["type"] == "websocket.close":
            return found["code"]
        if (frame := json.loads(found["text"]))["type"] != "ping":
            return frame


async def test_who_says_too_much_is_turned_out_and_nothing_of_them_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "COMMANDS_A_MINUTE", 20)
    async with connected() as client:
        # What is no command, or too long for one, is said all the same. More comes than is waited for.
        for _ in range(20):
            await client.send_input({"type": "websocket.receive", "text": "x" * 5_000})
            await client.send_input({"type": "websocket.receive", "bytes": b"x"})
            await client.send_input({"type": "websocket.receive", "text": "{}"})
        assert await told(client) == {"type": "disconnect", "reason": "invalid_request", "reconnect": False}
        assert await told(client) == 4400


class Clock:
    now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


async def test_who_is_in_no_room_is_waited_for_from_when_they_left(
    desk: Desk, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _visitor, token = await in_thread(visitor_with_token, desk)
    clock = Clock()
    monkeypatch.setattr(sockets, "time", clock)
    async with cable(server) as line:
        assert await line.subscribe(token) == "confirm_subscription"
        clock.now += 2 * sockets.ALONE_SECONDS
        await line.say("unsubscribe", json.dumps({"channel": "RoomChannel", "pubsub_token": token}))
        assert await line.subscribe("none of ours") == "reject_subscription"
        assert await line.subscribe(token) == "confirm_subscription"
        await line.say("unsubscribe", json.dumps({"channel": "RoomChannel", "pubsub_token": token}))
        assert await line.subscribe("none of ours") == "reject_subscription"
        clock.now += 2 * sockets.ALONE_SECONDS
        await line.connection.send("{}")
        assert await ending(line) == ("unauthorized", False, 4401)


async def test_a_token_that_is_used_too_often_is_told_to_come_back(
    desk: Desk, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that is rejected never asks again, and nothing is wrong with its token."""
    monkeypatch.setattr(pubsub, "TIMES_A_MINUTE", 1)
    _visitor, token = await in_thread(visitor_with_token, desk)
    async with cable(server) as line, cable(server) as other:
        assert await line.subscribe(token) == "confirm_subscription"
        await other.say("subscribe", json.dumps({"channel": "RoomChannel", "pubsub_token": token}))
        assert await ending(other) == ("remote", True, 1013)


def test_a_token_says_so_many_times_that_somebody_is_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub, "PRESENCES_A_MINUTE", 2)
    named = pubsub.read(visitor_with_token(desk)[1])
    assert named is not None
    for _ in range(2):
        pubsub.charge_presence(named)
    with pytest.raises(RateLimitExceeded):
        pubsub.charge_presence(named)


# ---------------------------------------------------------------- access
async def test_access_that_ends_in_one_room_ends_none_of_the_others(desk: Desk, server: str) -> None:
    listener, (visitor, token) = await in_thread(Listener, desk), await in_thread(visitor_with_token, desk)
    async with cable(server) as line:
        assert await line.subscribe(listener.token, **listener.who) == "confirm_subscription"
        assert await line.subscribe(token) == "confirm_subscription"
        await in_thread(listener.revoke, desk)
        turned_out = await line.until(lambda frame: frame.get("type") == "reject_subscription")
        assert json.loads(turned_out["identifier"])["pubsub_token"] == listener.token
        await in_thread(desk.begin, visitor, "Hello")
        assert (await line.event("message.created"))["content"] == "Hello"
        assert line.heard("conversation.created")[0].get("meta") is None


async def test_who_listens_stands_in_the_audit_log_and_uses_their_key(desk: Desk, server: str) -> None:
    listener = await in_thread(Listener, desk)

    def keys() -> Any:
        with tenancy.scope(desk.tenant.id):
            return ApiKey.objects.filter(last_used_at=None).count()

    def forget() -> None:
        with tenancy.scope(desk.tenant.id):
            ApiKey.objects.update(last_used_at=None)

    await in_database(forget)
    before = await in_database(keys)
    async with cable(server) as line:
        assert await line.subscribe(listener.token, **listener.who) == "confirm_subscription"
    assert await in_database(keys) == before - 1
    [entry] = await in_database(audit_of, desk.tenant, "support_desk.followed")
    assert entry.api_key_id is not None


def test_whoever_may_not_answer_any_more_is_not_there(desk: Desk) -> None:
    listener = Listener(desk)
    named = pubsub.read(listener.token)
    assert named is not None
    actor = pubsub.admit_key(named, "127.0.0.1")
    listener.revoke(desk)
    rooms._note_agent(named, actor)
    assert presence.told_to_desk(desk.tenant.id)["users"] == {}


# ---------------------------------------------------------------- what breaks
async def test_a_server_that_stops_says_so() -> None:
    async with connected() as client:
        shutdown.leave()
        try:
            assert await told(client) == {"type": "disconnect", "reason": "server_restart", "reconnect": True}
            assert await told(client) == 1012
        finally:
            shutdown.stay()


async def test_what_cannot_be_told_is_logged_once_and_all_come_back(
    desk: Desk, server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any) -> Any:
        raise RuntimeError("cannot be told")

    visitor, token = await in_thread(visitor_with_token, desk)
    async with cable(server) as one, cable(server) as other:
        for line in (one, other):
            assert await line.subscribe(token) == "confirm_subscription"
        monkeypatch.setattr(telling, "told_of", broken)
        await in_thread(desk.begin, visitor, "Hello")
        for line in (one, other):
            assert await ending(line) == ("remote", True, 1013)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["events of the desk not read"]


async def test_all_who_are_as_far_behind_are_told_by_one_reading(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """More has happened at once than is kept: each by themselves would read as often as there are sockets."""
    monkeypatch.setattr(feeds, "KEPT", 3)
    monkeypatch.setattr(feeds, "AT_A_TIME", 4)
    talk = await in_thread(desk.begin, None, "")
    position = await in_database(feeds.position_of, desk.tenant.id)
    for place in range(8):
        await in_thread(desk.says, talk, f"Word {place}")
    readings: list[int] = []
    read_rows = feeds._read

    def counted(organization_id: Any, after: int) -> Any:
        readings.append(after)
        return read_rows(organization_id, after)

    feed = Feed(desk.tenant.id)
    followers = [Follower(feed, position, lambda: None) for _ in range(4)]
    feed.position = feed.forgotten = position
    feed._followers = set(followers)
    await feed._look([])
    monkeypatch.setattr(feeds, "_read", counted)
    heard: list[list[str]] = [[] for _ in followers]
    while any(follower.position < feed.position for follower in followers):
        for texts, found in zip(heard, await asyncio.gather(*(each.take() for each in followers)), strict=True):
            texts += [json.loads(each.for_desk)["data"].get("content", "") for each in found]
    assert [text for text in heard[0] if text.startswith("Word")] == [f"Word {place}" for place in range(8)]
    assert all(texts == heard[0] for texts in heard)
    assert readings and len(readings) == len(set(readings))
    # What all have taken is not kept.
    await feed._look([])
    assert not feed._kept


def test_only_those_are_woken_who_hear_something_of_it() -> None:
    feed, woken, (mine, other) = Feed(uuid4()), list[str](), (uuid4(), uuid4())

    def follows(name: str, position: int, session: UUID | None) -> Follower:
        feed._followers.add(found := Follower(feed, position, lambda: woken.append(name), session))
        return found

    follows("desk", 4, None)
    follows("mine", 4, mine)
    others = follows("other", 4, other)
    follows("behind", 3, other)
    feed.position = 5
    feed._pass_on([telling.Told(5, "for the desk", "for the contact", frozenset({mine}))], 4)
    assert sorted(woken) == ["behind", "desk", "mine"]
    assert others.position == 5


def test_many_events_are_told_with_as_many_questions_as_one(desk: Desk) -> None:
    position = feeds.position_of(desk.tenant.id)
    for place in range(5):
        desk.says(desk.begin(desk.visitor(name=f"Ada {place}"), "Hello"), "There?")

    def questions(most: int) -> tuple[int, int]:
        with tenancy.scope(desk.tenant.id):
            events = list(Event.objects.filter(position__gt=position).order_by("position")[:most])
            telling.told_of(events, Numbers(desk.tenant.id))
            with CaptureQueriesContext(connection) as asked:
                told = telling.told_of(events, Numbers(desk.tenant.id))
        return len(told), len(asked)

    (few, one), (many, all) = questions(4), questions(100)
    assert 0 < few < many
    assert all <= one


async def test_a_database_that_fails_is_not_asked_without_a_pause(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any) -> Any:
        raise OperationalError("no connection")

    monkeypatch.setattr(feeds, "_read", away)
    # Restored afterwards: the failure is remembered for a moment.
    monkeypatch.setattr(threads._Breaker, "until", 0.0)
    feed = Feed(desk.tenant.id)
    feed.position = feed.forgotten = 5
    socket = sockets.CableConsumer()
    socket.rooms, socket.woken = {}, asyncio.Event()
    named = pubsub.Named("k", desk.tenant.id, desk.tenant.id)
    room = rooms.Room("x", named, Follower(feed, 0, socket.woken.set), ExitStack())
    await socket._tell(room, is_due=False)
    assert not socket.woken.is_set()


async def test_whoever_is_behind_what_was_removed_goes_on(desk: Desk) -> None:
    feed = Feed(desk.tenant.id)
    feed.position = feed.forgotten = 5_000
    follower = Follower(feed, 4_000, lambda: None)
    assert await follower.take() == []
    assert follower.position == 5_000
