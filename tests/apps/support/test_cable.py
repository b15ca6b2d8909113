"""Chatwoot's socket over the real server: Action Cable's protocol, who hears what, and that it ends with access."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus

from apps.core import tenancy
from apps.support.cable import feed as feeds
from apps.support.cable import sockets
from apps.support.models import Agent, ContactSession
from apps.support.services import contacts, conversations, messages, visiting, visitors
from apps.support.services.chatwoot import presence, pubsub
from apps.support.services.storing import Draft
from tests.helpers.account_api import Program
from tests.helpers.cable import PATIENCE_SECONDS, Listener, cable, in_thread, visitor_with_token
from tests.helpers.desk import Browser, Desk
from tests.helpers.sockets import cookie_of

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGE = "message.created"


async def test_the_protocol_is_action_cables(desk: Desk, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PING_SECONDS", 0.1)
    visitor, token = await in_thread(visitor_with_token, desk)
    async with cable(server) as line:
        assert line.connection.subprotocol == "actioncable-v1-json"
        assert await line.subscribe(token) == "confirm_subscription"
        assert (await line.event("presence.update"))["users"] == {}
        ping = await line.frame(pings=True)
        assert ping["type"] == "ping"
        assert abs(ping["message"] - timezone.now().timestamp()) < PATIENCE_SECONDS
        # What is no command changes nothing.
        for text in ("{", "[]", '{"command": "subscribe"}', '{"command": "message", "identifier": "x"}'):
            await line.connection.send(text)
        # Half a character is JSON, and no text that could be answered with.
        await line.connection.send('{"command": "subscribe", "identifier": "\\ud800"}')
        identifier = json.dumps({"channel": "RoomChannel", "pubsub_token": token})
        await line.say("unsubscribe", identifier)
        assert await line.subscribe(token) == "confirm_subscription"
        talk = await in_thread(desk.begin, visitor, "Hello")
        assert (await line.event(MESSAGE))["conversation_id"] == talk.number


async def test_a_client_that_offers_no_protocol_is_served(desk: Desk, server: str) -> None:
    _visitor, token = await in_thread(visitor_with_token, desk)
    async with cable(server, subprotocols=None) as line:
        assert await line.subscribe(token) == "confirm_subscription"


async def test_a_page_of_another_site_is_refused(server: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with cable(server, origin="https://elsewhere.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_a_program_hears_every_message_once_and_in_order(desk: Desk, server: str) -> None:
    listener = await in_thread(Listener, desk)
    async with cable(server) as line:
        assert await line.subscribe(listener.token, **listener.who) == "confirm_subscription"
        talk = await in_thread(desk.begin, None, "")
        made = await line.event("conversation.created")
        assert (made["id"], made["account_id"]) == (talk.number, listener.who["account_id"])
        for place in range(8):
            await in_thread(desk.says, talk, f"Word {place}")
        await line.until(lambda frame: frame.get("message", {}).get("data", {}).get("content") == "Word 7")
        told = line.heard(MESSAGE)
        assert [each["content"] for each in told] == [f"Word {place}" for place in range(8)]
        assert {(each["message_type"], each["private"], each["conversation_id"]) for each in told} == {
            (0, False, talk.number)
        }
        listed = await in_thread(listener.program.said, "GET", f"/conversations/{talk.number}/messages")
        assert [each["id"] for each in listed["payload"]] == [each["id"] for each in told]


async def test_what_changes_in_a_conversation_is_told_by_chatwoots_names(desk: Desk, server: str) -> None:
    listener, (visitor, token) = await in_thread(Listener, desk), await in_thread(visitor_with_token, desk)
    ann = await in_thread(desk.agent, "ann")
    talk = await in_thread(desk.begin, visitor, "Hello")
    async with cable(server) as line, cable(server) as theirs:
        await line.subscribe(listener.token, **listener.who)
        await theirs.subscribe(token)
        await in_thread(conversations.set_status, ann, talk.pk, "resolved")
        assert (await line.event("conversation.status_changed"))["status"] == "resolved"
        told = await theirs.event("conversation.status_changed")
        assert (told["id"], told["status"]) == (talk.number, "resolved")
        assert not {"meta", "labels", "priority", "unread_count"} & set(told)
        await in_thread(
            listener.program.said, "POST", f"/conversations/{talk.number}/toggle_status", {"status": "open"}
        )
        body = {"assignee_id": (await in_thread(listener.program.said, "GET", "/agents"))[0]["id"]}
        await in_thread(listener.program.said, "POST", f"/conversations/{talk.number}/assignments", body)
        assert (await line.event("assignee.changed"))["meta"]["assignee"]["id"] == body["assignee_id"]
        await in_thread(contacts.change, desk.tenant.actor, visitor.contact.pk, {"name": "Bea"})
        assert (await line.event("contact.updated"))["name"] == "Bea"
        assert {"conversation.updated", "conversation.status_changed"} <= {
            frame["message"]["event"] for frame in line.frames if "message" in frame
        }
        # Contacts are told of neither.
        await in_thread(desk.says, talk, "The end")
        await theirs.event(MESSAGE)
        heard = {frame["message"]["event"] for frame in theirs.frames if "message" in frame}
        assert heard == {"presence.update", "conversation.status_changed", MESSAGE}


async def test_a_contact_hears_answers_and_no_note(desk: Desk, server: str) -> None:
    listener, (visitor, token) = await in_thread(Listener, desk), await in_thread(visitor_with_token, desk)
    ann, talk = await in_thread(desk.agent, "ann"), await in_thread(desk.begin, visitor, "Hello")
    async with cable(server) as desks, cable(server) as theirs:
        await desks.subscribe(listener.token, **listener.who)
        await theirs.subscribe(token)
        await in_thread(messages.note, ann, talk.pk, Draft("Between us"))
        await in_thread(messages.reply, ann, talk.pk, Draft("Good day"))
        answer = await theirs.event(MESSAGE)
        assert (answer["content"], answer["message_type"], answer["sender"]["name"]) == ("Good day", 1, "ann")
        await desks.until(lambda frame: frame.get("message", {}).get("data", {}).get("content") == "Good day")
    assert [(each["content"], each["private"]) for each in desks.heard(MESSAGE)] == [
        ("Between us", True), ("Good day", False),
    ]  # fmt: skip
    assert "Between us" not in json.dumps(theirs.frames)
    # Its id is that of the public API, by which a client knows it again.
    _row, said = await in_thread(visiting.history, visitor, talk.number)
    assert answer["id"] == said[-1].sequence


async def test_after_a_break_only_what_happens_from_then_on_is_told(desk: Desk, server: str) -> None:
    visitor, token = await in_thread(visitor_with_token, desk)
    talk = await in_thread(desk.begin, visitor, "Hello")
    for text in ("One", "Two", "Three"):
        async with cable(server) as line:
            await line.subscribe(token)
            await in_thread(desk.says, talk, text)
            assert (await line.event(MESSAGE))["content"] == text
        assert len(line.heard(MESSAGE)) == 1
        await in_thread(desk.says, talk, "Nobody listens")


async def test_wrong_tokens_are_rejected_and_nothing_is_said_of_why(desk: Desk, other_desk: Desk, server: str) -> None:
    listener, other = await in_thread(Listener, desk), await in_thread(Listener, other_desk)
    _visitor, token = await in_thread(visitor_with_token, desk)
    kind, place, signature = token.split(".")
    async with cable(server) as line:
        for wrong, params in (
            ("", {}),
            ("x" * 300, {}),
            (f"{kind}.{place}.{signature[::-1]}", {}),
            (f"\ud800.{place}.{signature}", {}),
            (f"k.{place}.{signature}", listener.who),
            (listener.token, {}),
            (listener.token, listener.who | {"user_id": 999}),
            (listener.token, other.who),
            (listener.program.key, listener.who),
        ):
            assert await line.subscribe(wrong, **params) == "reject_subscription", wrong
        await line.say("subscribe", json.dumps({"channel": "Other", "pubsub_token": token}))
        assert (await line.frame())["type"] == "reject_subscription"
        assert await line.subscribe(listener.token, **listener.who) == "confirm_subscription"


async def test_one_hears_nothing_of_another_organization_or_browser(desk: Desk, other_desk: Desk, server: str) -> None:
    other = await in_thread(Listener, other_desk)
    (mine, token), (stranger, strange) = (
        await in_thread(visitor_with_token, desk),
        await in_thread(visitor_with_token, desk),
    )
    async with cable(server) as desks, cable(server) as theirs, cable(server) as own:
        await desks.subscribe(other.token, **other.who)
        await theirs.subscribe(strange)
        await own.subscribe(token)
        await in_thread(desk.begin, mine, "A secret")
        assert (await own.event(MESSAGE))["content"] == "A secret"
        await in_thread(desk.begin, stranger, "Mine")
        assert (await theirs.event(MESSAGE))["content"] == "Mine"
        await in_thread(other_desk.begin, None, "Elsewhere")
        assert (await desks.event(MESSAGE))["content"] == "Elsewhere"
    assert "A secret" not in json.dumps(theirs.frames + desks.frames)


async def ends(line: Any) -> int:
    """The close code of a line that is about to end, which was told not to come back."""
    told = await line.until(lambda frame: frame.get("type") == "disconnect")
    assert (told["reason"], told["reconnect"]) == ("unauthorized", False)
    with pytest.raises(ConnectionClosed) as closed:
        await line.frame()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def test_a_contact_who_signs_out_or_is_erased_hears_nothing_more(desk: Desk, server: str) -> None:
    for end in (visitors.sign_out, lambda who: contacts.erase(desk.tenant.actor, who.contact.pk)):
        visitor, token = await in_thread(visitor_with_token, desk)
        async with cable(server) as line:
            assert await line.subscribe(token) == "confirm_subscription"
            await in_thread(end, visitor)
            assert await ends(line) == 4410
        async with cable(server) as line:
            assert await line.subscribe(token) == "reject_subscription"


async def test_a_key_that_is_revoked_ends_its_sockets(desk: Desk, server: str) -> None:
    listener = await in_thread(Listener, desk)
    async with cable(server) as line:
        assert await line.subscribe(listener.token, **listener.who) == "confirm_subscription"
        await in_thread(listener.revoke, desk)
        assert await ends(line) == 4410
    async with cable(server) as line:
        assert await line.subscribe(listener.token, **listener.who) == "reject_subscription"


async def test_a_members_token_is_of_their_session_alone(desk: Desk, server: str) -> None:
    cookie = await in_thread(cookie_of, desk.tenant.owner)
    client = (await in_thread(Program, desk)).client
    profile = (await in_thread(client.get, "/api/v1/profile", headers={"cookie": cookie})).json()
    who = {"account_id": profile["account_id"], "user_id": profile["id"]}
    async with cable(server, additional_headers={"cookie": cookie}) as line:
        assert await line.subscribe(profile["pubsub_token"], **who) == "confirm_subscription"
    async with cable(server) as line:
        assert await line.subscribe(profile["pubsub_token"], **who) == "reject_subscription"
    another = await in_thread(cookie_of, desk.tenant.owner)
    async with cable(server, additional_headers={"cookie": another}) as line:
        assert await line.subscribe(profile["pubsub_token"], **who) == "reject_subscription"


async def test_typing_is_told_to_the_others_and_of_a_note_not_to_the_contact(desk: Desk, server: str) -> None:
    listener = await in_thread(Listener, desk)
    browser, place = await in_thread(Browser.talking, desk)
    token = (await in_thread(browser, "GET", "/contacts/me")).json()["pubsub_token"]
    number = int(place.rpartition("/")[2])
    path = f"/conversations/{number}/toggle_typing_status"
    async with cable(server) as desks, cable(server) as theirs:
        await desks.subscribe(listener.token, **listener.who)
        await theirs.subscribe(token)
        await in_thread(browser, "POST", f"{place}/toggle_typing", {"typing_status": "on"})
        told = await desks.event("conversation.typing_on")
        assert (told["conversation"]["id"], told["user"]["type"]) == (number, "contact")
        await in_thread(browser, "POST", f"{place}/toggle_typing", {"typing_status": "off"})
        await desks.event("conversation.typing_off")
        other = await in_thread(Program, desk)
        private = {"typing_status": "on", "is_private": True}
        await in_thread(other.said, "POST", path, private)
        await in_thread(other.said, "POST", path, private | {"typing_status": "off"})
        await in_thread(listener.program.said, "POST", path, {"typing_status": "on"})
        told = await theirs.event("conversation.typing_on")
        assert (told["user"]["type"], told["is_private"]) == ("user", False)
    assert len(theirs.heard("conversation.typing_on")) == 1
    assert theirs.heard("conversation.typing_off") == []


async def test_whoever_says_so_is_online(desk: Desk, server: str) -> None:
    listener, (_visitor, token) = await in_thread(Listener, desk), await in_thread(visitor_with_token, desk)
    me = str(listener.who["user_id"])
    async with cable(server) as theirs, cable(server) as line:
        await theirs.subscribe(token)
        await line.subscribe(listener.token, **listener.who)
        # That somebody listens does not say that they answer.
        told = await line.event("presence.update")
        assert (told["users"], len(told["contacts"])) == ({}, 1)
        await line.perform(listener.token, "update_presence", **listener.who)
        assert (await line.event("presence.update"))["users"] == {me: "online"}
        await theirs.event("presence.update")
        await theirs.perform(token, "update_presence")
        told = await theirs.event("presence.update")
        assert (told["users"], "contacts" in told) == ({"0": "online"}, False)


def test_who_has_said_to_be_busy_stays_busy(desk: Desk) -> None:

    ann = desk.agent("ann", online=False)
    with tenancy.scope(desk.tenant.id):
        Agent.objects.update(availability="busy", seen_at=timezone.now())
    presence.note_agent(ann)
    told = presence.told_to_desk(desk.tenant.id)
    assert set(told["users"].values()) == {"busy"}


async def test_who_reads_slowly_misses_nothing_and_holds_up_nobody(
    desk: Desk, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the process does not keep any more is read from the rows."""
    monkeypatch.setattr(feeds, "KEPT", 3)
    monkeypatch.setattr(feeds, "AT_A_TIME", 4)
    listener = await in_thread(Listener, desk)
    talk = await in_thread(desk.begin, None, "")
    holding = asyncio.Event()
    tell = sockets.CableConsumer._tell

    async def slow(self: Any, room: Any, *, is_due: bool) -> None:
        if room.identifier.startswith(" "):
            while not holding.is_set():
                await asyncio.sleep(0.01)
        await tell(self, room, is_due=is_due)

    monkeypatch.setattr(sockets.CableConsumer, "_tell", slow)
    async with cable(server) as quick, cable(server) as late:
        await quick.subscribe(listener.token, **listener.who)
        identifier = " " + json.dumps({"channel": "RoomChannel", "pubsub_token": listener.token} | listener.who)
        await late.say("subscribe", identifier)
        await late.until(lambda frame: frame.get("type") == "confirm_subscription")
        for place in range(12):
            await in_thread(desk.says, talk, f"Word {place}")
        for line in (quick, late):
            await line.until(lambda frame: frame.get("message", {}).get("data", {}).get("content") == "Word 11")
            assert [each["content"] for each in line.heard(MESSAGE)] == [f"Word {place}" for place in range(12)]
            holding.set()


def test_nothing_is_kept_of_a_token_and_another_secret_makes_others(desk: Desk, settings: Any) -> None:
    visitor, token = visitor_with_token(desk)
    assert pubsub.read(token) == pubsub.Named("c", desk.tenant.id, visitor.session.pk)
    with tenancy.scope(desk.tenant.id):
        assert token.encode() not in json.dumps(list(ContactSession.objects.values()), default=str).encode()
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another-secret-of-fifty-characters-and-a-few-more-than-that"
    assert pubsub.read(token) is None
    settings.SECRET_KEY_FALLBACKS = [before]
    assert pubsub.read(token) is not None
