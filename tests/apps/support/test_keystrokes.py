"""That somebody types, told to webhooks that ask for it: once when it begins, once when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.conf import settings

from apps.accounts.models import User
from apps.core import tenancy
from apps.core.models import Event
from apps.core.threads import in_database
from apps.support.models import Author, Contact
from apps.support.services import contacts, keystrokes, presence
from apps.support.services.keystrokes import Typist
from apps.webhooks import services as webhooks
from apps.webhooks.models import Format
from tests.helpers import webhooks as hooks
from tests.helpers.account_api import Program
from tests.helpers.agent_bots import connect
from tests.helpers.desk import Browser, Desk
from tests.helpers.sockets import connected, cookie_of
from tests.helpers.webhooks import receiving

pytestmark = pytest.mark.django_db(transaction=True)
BOTH = ["support_typing.on", "support_typing.off"]


@pytest.fixture(autouse=True)
def _receivers_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)


def told(desk: Desk) -> list[str]:
    with tenancy.scope(desk.tenant.id):
        rows = Event.objects.filter(type__startswith="support_typing.").order_by("position")
        return [row.type.rpartition(".")[2] for row in rows]


def asked_for(desk: Desk, url: str = "https://hook.example/", **more: Any) -> None:
    webhooks.create_endpoint(desk.tenant.actor, url, **{"format": Format.CHATWOOT, "types": BOTH} | more)


def test_a_visitor_and_a_program_type_with_chatwoots_bodies(desk: Desk) -> None:
    program = Program(desk)
    browser, place = Browser.talking(desk)
    number = int(place.rpartition("/")[2])
    with receiving() as there:
        asked_for(desk, there.url)
        for status in ("on", "on", "on", "off", "off"):
            assert browser("POST", f"{place}/toggle_typing", {"typing_status": status}).status_code == 204
        for status in ("on", "on", "off"):
            body = {"typing_status": status, "is_private": True}
            program.said("POST", f"/conversations/{number}/toggle_typing_status", body)
        hooks.work()
    said = [each.message for each in sorted(there.got, key=lambda got: got.id)]
    assert [each["event"] for each in said] == ["conversation_typing_on", "conversation_typing_off"] * 2
    assert [each["user"]["type"] for each in said] == ["contact", "contact", "user", "user"]
    assert [each["is_private"] for each in said] == [False, False, True, True]
    assert {each["conversation"]["id"] for each in said} == {number}
    assert (said[0]["user"]["name"], said[0]["account"]["id"]) == ("Ada", program.number)


def test_a_bot_that_types_is_named(desk: Desk) -> None:
    with receiving() as there:
        asked_for(desk, there.url)
        bot = connect(desk, there.url)
        talk = desk.begin()
        assert bot(talk, "/toggle_typing_status", {"typing_status": "on"}).status_code == 200
        hooks.work()
    [message] = [each.message for each in there.got if each.message["event"] == "conversation_typing_on"]
    assert (message["user"]["name"], message["user"]["type"]) == ("Helper", "agent_bot")


def test_who_goes_on_typing_is_told_of_once_and_what_nobody_asks_for_is_not_recorded(desk: Desk) -> None:
    talk = desk.begin()
    typist = Typist(desk.tenant.id, talk.pk, "somebody", Author.AGENT)
    assert [keystrokes.tell(typist, typing=on) for on in (True, True, False)] == [False, False, False]
    # All of another format's events are not meant, nor all of the conversations'.
    webhooks.create_endpoint(desk.tenant.actor, "https://all.example/")
    webhooks.create_endpoint(desk.tenant.actor, "https://some.example/", types=["support_conversation.*"])
    assert not keystrokes.tell(typist, typing=True)
    keystrokes.tell(typist, typing=False)
    assert told(desk) == []
    asked_for(desk, types=[])
    assert [keystrokes.tell(typist, typing=on) for on in (True, True, True, False, False, True)] == [
        True, False, False, True, False, True,
    ]  # fmt: skip
    assert told(desk) == ["on", "off", "on"]


def test_who_begins_and_stops_all_the_time_is_told_of_no_more_often(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystrokes, "BEGINNINGS_A_MINUTE", 2)
    asked_for(desk)
    typist = Typist(desk.tenant.id, desk.begin().pk, "hasty", Author.CONTACT)
    for _ in range(6):
        keystrokes.tell(typist, typing=True)
        keystrokes.tell(typist, typing=False)
    # Of whom it was not told that they began it is not told that they stopped.
    assert told(desk) == ["on", "off"] * 2


def test_a_blocked_contact_types_for_nobody_and_another_organization_is_told_nothing(
    desk: Desk, other_desk: Desk
) -> None:
    asked_for(desk)
    asked_for(other_desk)
    browser, place = Browser.talking(desk)
    browser("POST", f"{place}/toggle_typing", {"typing_status": "on"})
    browser("POST", f"{place}/toggle_typing", {"typing_status": "off"})
    assert (told(desk), told(other_desk)) == (["on", "off"], [])
    with tenancy.scope(desk.tenant.id):
        contact = Contact.objects.get()
    contacts.set_blocked(desk.tenant.actor, contact.pk, True)
    browser("POST", f"{place}/toggle_typing", {"typing_status": "on"})
    assert told(desk) == ["on", "off"]


@pytest.mark.parametrize("ends", ["said", "silent", "cut"])
async def test_a_colleague_types_in_a_window_and_has_stopped_however_it_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    if ends == "silent":
        monkeypatch.setattr(presence, "TYPING_SECONDS", 3.0)
    await in_database(asked_for, desk)
    ann = await in_database(desk.agent, "ann")
    conversation = await in_database(desk.begin)
    key = await in_database(lambda: cookie_of(User.objects.get(pk=ann.user_id)))
    async with connected(conversation.pk, "", "support/conversations", cookie=key) as socket:
        await socket.say(text='{"typing": true}')
        await comes_to(desk, ["on", "off"][: 2 if ends == "silent" else 1])
        if ends == "said":
            await comes_to(desk, ["on", "off"], lambda: socket.say(text='{"typing": false}'))
    await comes_to(desk, ["on", "off"])
    assert await in_database(persons, desk) == {str(ann.user_id)}


def persons(desk: Desk) -> set[str]:
    with tenancy.scope(desk.tenant.id):
        return {row.data["person"] for row in Event.objects.filter(type__startswith="support_typing.")}


async def comes_to(desk: Desk, wanted: list[str], meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
    async with asyncio.timeout(60):
        while await in_database(told, desk) != wanted:
            if meanwhile is not None:
                await meanwhile()
            await asyncio.sleep(0.05)


def test_inboxes_are_told_of_as_chatwoot_does(desk: Desk) -> None:
    program = Program(desk)
    with receiving() as there:
        asked_for(desk, there.url, types=["support_inbox.created", "support_inbox.changed"])
        made = program.said("POST", "/inboxes", {"name": "Shop", "channel": {"type": "api"}})
        program.said("PATCH", f"/inboxes/{made['id']}", {"greeting_message": "Hi"})
        hooks.work()
    created, changed = (each.message for each in sorted(there.got, key=lambda got: got.id))
    assert (created["event"], created["id"], created["channel_type"]) == ("inbox_created", made["id"], "Channel::Api")
    assert (changed["event"], changed["greeting_message"]) == ("inbox_updated", "Hi")
    assert changed["changed_attributes"] == [{"greeting_message": {"current_value": "Hi"}}]
