"""Real time that loses nothing: what is followed equals what is fetched, however often the line breaks."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from apps.core import tenancy
from apps.core.threads import in_database
from apps.support import consumers
from apps.support.bodies import conversation_body, message_body
from apps.support.following import follow, hints_of
from apps.support.models import ContactSession, Conversation
from apps.support.services import (
    assignment,
    contacts,
    conversations,
    cursors,
    merging,
    messages,
    presence,
    reading,
    showing,
    visitors,
)
from apps.support.services.storing import STATE, Draft
from tests.helpers.desk import Desk
from tests.helpers.people import acting, audit_of
from tests.helpers.sockets import Socket, connected, cookie_of

WRITERS, EACH = 5, 40


class Reader:
    """A client that follows a conversation, and comes back with the last number it has whenever its line breaks."""

    def __init__(self, desk: Desk, conversation: Conversation, seed: int, breaks: bool = True) -> None:
        self.desk, self.conversation = desk, conversation
        self.random = random.Random(seed)
        self.breaks = breaks
        self.messages: list[dict[str, Any]] = []
        self.breaks_had = 0

    @property
    def last(self) -> int:
        return self.messages[-1]["sequence"] if self.messages else 0

    async def read_until(self, total: "asyncio.Future[int]") -> None:
        """Reads until it has everything that was written when all writers had ended."""
        while not self._has_all(total):
            await self._connection(total)
            self.breaks_had += 1
            await asyncio.sleep(self.random.random() / 50)

    def _has_all(self, total: "asyncio.Future[int]") -> bool:
        return total.done() and self.last >= total.result()

    async def _connection(self, total: "asyncio.Future[int]") -> None:
        organization = self.desk.tenant.id
        frames_left = self.random.randint(1, 6) if self.breaks else 1_000_000
        with hints_of(organization, self.conversation.pk) as hints:
            async with aclosing(follow(organization, self.conversation.pk, self.last, hints)) as frames:
                async for frame in frames:
                    if frame["type"] == "messages":
                        self.messages += frame["data"]
                        frames_left -= 1
                    if self._has_all(total) or frames_left <= 0:
                        return


@pytest.mark.django_db(transaction=True)
async def test_five_writers_and_broken_lines_give_one_order_everywhere(desk: Desk) -> None:
    conversation = await in_database(desk.begin, None, "")
    agents = [await in_database(desk.agent, f"agent{number}") for number in range(WRITERS - 1)]
    readers = [Reader(desk, conversation, seed) for seed in range(4)] + [Reader(desk, conversation, 99, breaks=False)]
    total: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def write(number: int) -> None:
        rand = random.Random(number)
        for index in range(EACH):
            client_id, text = f"w{number}-{index}", f"Writer {number}, message {index}"
            # A client that has got no answer sends again: the same message, however often.
            for _ in range(1 + (rand.random() < 0.3)):
                if number == WRITERS - 1:
                    await in_database(desk.says, conversation, text, client_id)
                else:
                    draft = Draft(text, client_id)
                    await in_database(messages.reply, agents[number], conversation.pk, draft)

    reading_on = [asyncio.create_task(reader.read_until(total)) for reader in readers]
    await asyncio.gather(*(write(number) for number in range(WRITERS)))
    last = (await in_database(desk.again, conversation)).last_sequence
    total.set_result(last)
    await asyncio.gather(*reading_on)
    stored = await in_database(desk.history, conversation)
    said = [row for row in stored if row.kind in ("incoming", "outgoing")]
    assert len(said) == WRITERS * EACH
    assert len({row.client_id for row in said}) == WRITERS * EACH
    assert [row.sequence for row in stored] == list(range(1, last + 1))
    expected = [(row.sequence, str(row.pk)) for row in stored]
    for reader in readers:
        assert [(each["sequence"], each["id"]) for each in reader.messages] == expected
    assert all(reader.breaks_had > 5 for reader in readers[:4])
    # Each writer's own messages stand in the order in which they were sent.
    for number in range(WRITERS):
        mine = [row.client_id for row in said if (row.client_id or "").startswith(f"w{number}-")]
        assert mine == [f"w{number}-{index}" for index in range(EACH)]


def state_from(history: list[dict[str, Any]]) -> dict[str, Any]:
    """What the activities of a conversation add up to."""
    state: dict[str, Any] = {}
    for each in history:
        for name, (before, after) in each["details"].get("changes", {}).items():
            assert state.get(name) == before, f"{name} was {state.get(name)} and not {before}"
            state[name] = after
    return state


@pytest.mark.django_db
def test_replayed_events_equal_a_fresh_fetch(bot_desk: Desk) -> None:
    """Whoever has followed from the beginning knows what whoever asks now is told: all messages, and the state."""
    ann = bot_desk.agent("ann")
    conversation = bot_desk.begin()
    bot_desk.bot_says(conversation, "Which card?")
    bot_desk.hand_over(conversation)
    messages.reply(ann, conversation.pk, Draft("I see."))
    conversations.change_conversation(ann, conversation.pk, {"priority": 2, "subject": "Card", "attributes": {"a": 1}})
    messages.note(ann, conversation.pk, Draft("A note"))
    assignment.assign(ann, conversation.pk, {"agent": None})
    conversations.set_status(ann, conversation.pk, "resolved")
    bot_desk.says(conversation, "Again")
    conversations.take_over(ann, conversation.pk)
    replayed: list[dict[str, Any]] = []
    while True:
        stretch = reading.messages_after(ann, conversation.pk, replayed[-1]["sequence"] if replayed else 0, limit=3)
        replayed += [message_body(each) for each in stretch.messages]
        if not stretch.has_more:
            break
    with tenancy.scope(bot_desk.tenant.id):
        fetched = [message_body(each) for each in reading.stretch(reading.find(conversation.pk), 0).messages]
        row = reading.find(conversation.pk)
        body = conversation_body(row)
    assert replayed == fetched
    assert len(replayed) == row.last_sequence
    names = [name.removesuffix("_id") for name in STATE]
    assert state_from(replayed) == {name: body[name] for name in names}


@pytest.mark.django_db
def test_a_contact_follows_what_was_said_and_neither_notes_nor_activities(desk: Desk) -> None:
    ann = desk.agent("ann")
    conversation = desk.begin()
    messages.note(ann, conversation.pk, Draft("Do not tell"))
    messages.reply(ann, conversation.pk, Draft("Hello"))
    with tenancy.scope(desk.tenant.id):
        found = reading.stretch(reading.find(conversation.pk), 0, visible=True)
    assert [each.content for each in found.messages] == ["Hello", "Hello"]
    body = message_body(found.messages[1], for_contact=True)
    assert not {"details", "provenance", "masked"} & set(body)


# ---------------------------------------------------------------- sockets


async def frame_of(socket: Socket, kind: str) -> dict[str, Any]:
    """The next frame of a kind; a socket that is closed instead says why."""
    for _ in range(50):
        frame = await socket.frame()
        assert isinstance(frame, dict), f"closed with {frame}"
        if frame["type"] == kind:
            return frame
    raise AssertionError(f"no frame {kind}")


def cookie(desk: Desk, name: str) -> str:
    from apps.accounts.models import User

    return cookie_of(User.objects.get(email__startswith=f"{name}@"))


@pytest.mark.django_db(transaction=True)
async def test_a_socket_replays_from_where_its_reader_was_and_goes_on(desk: Desk) -> None:
    ann = await in_database(desk.agent, "ann")
    conversation = await in_database(desk.begin)
    key = await in_database(cookie, desk, "ann")
    async with connected(conversation.pk, "after=1", "support/conversations", cookie=key) as socket:
        first = await frame_of(socket, "messages")
        assert next(each["sequence"] for each in first["data"]) == 2
        await in_database(messages.reply, ann, conversation.pk, Draft("While you look"))
        said: list[str] = []
        while "While you look" not in said:
            said += [each["content"] for each in (await frame_of(socket, "messages"))["data"]]
    assert len(await in_database(audit_of, desk.tenant, "support_conversation.viewed")) == 1
    last = (await in_database(desk.again, conversation)).last_sequence
    # Away for a while: 20 messages, all there and in order when it comes back.
    for number in range(20):
        await in_database(desk.says, conversation, f"m{number}")
    async with connected(conversation.pk, f"after={last}", "support/conversations", cookie=key) as socket:
        found = await frame_of(socket, "messages")
    assert [each["content"] for each in found["data"]] == [f"m{number}" for number in range(20)]


@pytest.mark.django_db(transaction=True)
async def test_colleagues_see_who_is_there_and_who_types(desk: Desk) -> None:
    for name in ("ann", "bob"):
        await in_database(desk.agent, name)
    conversation = await in_database(desk.begin)
    keys = [await in_database(cookie, desk, name) for name in ("ann", "bob")]
    async with connected(conversation.pk, "", "support/conversations", cookie=keys[0]) as ann:
        async with connected(conversation.pk, "", "support/conversations", cookie=keys[1]) as bob:
            here = await frame_of(ann, "people")
            while not here["people"]:
                here = await frame_of(ann, "people")
            assert here["people"] == [{"name": "bob", "contact": False, "typing": False}]
            await bob.say(text='{"typing": true}')
            while not here["people"][0]["typing"]:
                here = await frame_of(ann, "people")
        while here["people"]:
            here = await frame_of(ann, "people")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("somebody", "nobody"), [(3_600.0, 3_600.0), (0.0, 3_600.0)])
async def test_a_quiet_socket_does_not_ask_each_second_who_is_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, somebody: float, nobody: float
) -> None:
    """Where nobody else is there, only a hint that was lost could be missed."""
    monkeypatch.setattr(consumers, "PEOPLE_SECONDS", somebody)
    monkeypatch.setattr(consumers, "NOBODY_SECONDS", nobody)
    had: list[str] = []
    ticked = asyncio.Event()
    real_follow, real_people = consumers.follow, presence.people

    async def following(*places: Any, **more: Any) -> AsyncGenerator[dict[str, Any]]:
        async with aclosing(real_follow(*places, **more)) as frames:
            async for frame in frames:
                had.append(frame["type"])
                if had.count("tick") == 4:
                    ticked.set()
                yield frame

    async def people(seat: presence.Seat) -> list[dict[str, Any]]:
        had.append("asked")
        return await real_people(seat)

    monkeypatch.setattr(consumers, "follow", following)
    monkeypatch.setattr(presence, "people", people)
    await in_database(desk.agent, "ann")
    conversation = await in_database(desk.begin)
    key = await in_database(cookie, desk, "ann")
    async with connected(conversation.pk, "", "support/conversations", cookie=key):
        await ticked.wait()
    assert 1 <= had.count("asked") <= had.count("people") + 1


@pytest.mark.django_db(transaction=True)
async def test_who_may_not_read_is_refused(desk: Desk, other_desk: Desk) -> None:
    conversation = await in_database(desk.begin)
    member = await in_database(lambda: cookie_of(acting_user(desk)))
    other = await in_database(cookie_of, other_desk.tenant.owner)
    for key, code in (("", 4401), (member, 4403), (other, 4404)):
        headers = {"cookie": key} if key else {}
        async with connected(conversation.pk, "", "support/conversations", **headers) as socket:
            frames, closed = await socket.everything()
        assert closed == code
        assert frames[0]["type"] == "error"


def acting_user(desk: Desk) -> Any:
    assert "support:read" not in acting(desk.tenant, desk.tenant.member).permissions
    return desk.tenant.member


@pytest.mark.django_db(transaction=True)
async def test_the_list_says_which_conversation_has_changed(desk: Desk) -> None:
    key = await in_database(cookie_of, desk.tenant.owner)
    async with connected("list", "", "support", cookie=key) as socket:
        assert (await frame_of(socket, "changed")) == {"type": "changed"}
        conversation = await in_database(desk.begin)
        frame = await frame_of(socket, "changed")
        while "conversation" not in frame:
            frame = await frame_of(socket, "changed")
        assert frame["conversation"] == str(conversation.pk)


@pytest.mark.django_db(transaction=True)
async def test_a_visitor_says_who_they_are_with_the_first_frame_until_they_sign_out(desk: Desk) -> None:
    visitor, secret = await in_database(visitors.arrive, desk.inbox.token, "203.0.113.9", {"name": "Ada"})
    conversation = await in_database(desk.begin, visitor)
    place = f"{desk.inbox.token}/{conversation.pk}"
    async with connected(place, "", "support/widget") as socket:
        await socket.say(text='{"secret": "wrong"}')
        assert (await socket.everything())[1] == 4401
    async with connected(place, "", "support/widget") as socket:
        await socket.say(text=f'{{"secret": "{secret}"}}')
        found = await frame_of(socket, "messages")
        assert [each["content"] for each in found["data"]] == ["Hello"]
        await in_database(visitors.sign_out, visitor)
        _frames, code = await socket.everything()
        assert code == 4401


@pytest.mark.django_db(transaction=True)
async def test_a_window_is_led_to_where_its_conversation_goes_on(desk: Desk) -> None:
    visitor, secret = await in_database(visitors.arrive, desk.inbox.token, "203.0.113.9", {"name": "Ada"})
    one, other = [await in_database(desk.begin, visitor) for _ in range(2)]
    await in_database(merging.merge, desk.tenant.actor, one.pk, other.pk)
    async with connected(f"{desk.inbox.token}/{one.pk}", "", "support/widget") as socket:
        await socket.say(text=f'{{"secret": "{secret}"}}')
        moved = await frame_of(socket, "moved")
    assert (moved["number"], moved["uuid"]) == (other.number, str(other.pk))


@pytest.mark.django_db(transaction=True)
async def test_a_window_whose_hint_was_lost_is_closed_as_well(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "CHECKED_AGAIN_SECONDS", 0.5)
    visitor, secret = await in_database(visitors.arrive, desk.inbox.token, "203.0.113.9", {"name": "Ada"})
    conversation = await in_database(desk.begin, visitor)
    async with connected(f"{desk.inbox.token}/{conversation.pk}", "", "support/widget") as socket:
        await socket.say(text=f'{{"secret": "{secret}"}}')
        await frame_of(socket, "messages")
        await in_database(end_unheard, desk, visitor)
        _frames, code = await socket.everything()
    assert code == 4401


def end_unheard(desk: Desk, visitor: visitors.Visitor) -> None:
    with tenancy.scope(desk.tenant.id):
        ContactSession.objects.filter(pk=visitor.session.pk).update(ended_at=timezone.now())


@pytest.mark.django_db(transaction=True)
async def test_a_contact_is_told_how_far_the_desk_has_read_and_not_who(desk: Desk) -> None:
    agents = [await in_database(desk.agent, name) for name in ("ann", "bob")]
    visitor = await in_database(desk.visitor)
    conversation = await in_database(desk.begin, visitor)
    for agent, seen in zip(agents, (1, 2), strict=True):
        await in_database(partial(cursors.acknowledge, agent, conversation.pk, seen=seen))
    await in_database(cursors_by_contact, desk, conversation, visitor)
    with hints_of(desk.tenant.id, conversation.pk) as hints:
        async with aclosing(follow(desk.tenant.id, conversation.pk, 0, hints, for_contact=True)) as frames:
            found = [await anext(frames), await anext(frames)][1]
    own = {"member": None, "contact": str(visitor.contact.pk), "acknowledged": 2, "seen": 2}
    assert found["cursors"] == [own, own | {"contact": None}]


def cursors_by_contact(desk: Desk, conversation: Conversation, visitor: visitors.Visitor) -> None:
    with tenancy.scope(desk.tenant.id):
        cursors.acknowledge_by_contact(conversation, visitor.contact, acknowledged=2, seen=2)


@pytest.mark.django_db(transaction=True)
async def test_a_browser_without_proof_follows_no_conversation_of_another_browser(desk: Desk) -> None:
    visitor, secret = await in_database(visitors.arrive, desk.inbox.token, "203.0.113.9", {"name": "Ada"})
    other = await in_database(desk.visitor)
    conversation = await in_database(desk.begin, other, "A secret")
    await in_database(contacts.merge, desk.tenant.actor, other.contact.pk, visitor.contact.pk)
    async with connected(f"{desk.inbox.token}/{conversation.pk}", "", "support/widget") as socket:
        await socket.say(text=f'{{"secret": "{secret}"}}')
        frames, code = await socket.everything()
    assert code == 4404
    assert "messages" not in [frame["type"] for frame in frames]


@pytest.mark.django_db(transaction=True)
async def test_what_the_bot_writes_is_shown_to_both_sides_until_somebody_acts(
    bot_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "DRAFT_SECONDS", 0.1)
    visitor, secret = await in_database(visitors.arrive, bot_desk.inbox.token, "203.0.113.9", {"name": "Ada"})
    conversation = await in_database(bot_desk.begin, visitor)
    key = await in_database(cookie_of, bot_desk.tenant.owner)
    place = f"{bot_desk.inbox.token}/{conversation.pk}"
    async with connected(conversation.pk, "", "support/conversations", cookie=key) as agent:
        await frame_of(agent, "messages")
        await in_database(showing.show, conversation, "Two days [1].")
        assert (await frame_of(agent, "draft"))["text"] == "Two days [1]."
        async with connected(place, "", "support/widget") as contact:
            await contact.say(text=f'{{"secret": "{secret}"}}')
            assert (await frame_of(contact, "draft"))["text"] == "Two days [1]."
            await in_database(showing.show, conversation, "Two days [1]. Twelve euros [1].")
            assert (await frame_of(contact, "draft"))["text"].endswith("Twelve euros [1].")
            # What nobody goes on writing, its worker being lost, vanishes by itself.
            with monkeypatch.context() as lost:
                lost.setattr(showing, "KEPT_SECONDS", 2)
                await in_database(showing.show, conversation, "One.")
            assert [(await frame_of(contact, "draft"))["text"] for _ in range(2)] == ["One.", ""]
            await in_database(showing.show, conversation, "Two.")
            assert (await frame_of(contact, "draft"))["text"] == "Two."
            await in_database(conversations.take_over, bot_desk.tenant.actor, conversation.pk)
            assert (await frame_of(contact, "draft"))["text"] == ""
            # A worker that has not noticed yet shows nothing more.
            await in_database(showing.show, conversation, "Too late [1].")
            assert await showing.shown(bot_desk.tenant.id, conversation.pk) == ""
