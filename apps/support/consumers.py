"""Conversations and the list of them over WebSockets, for the desk and for visitors."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from contextlib import aclosing
from functools import partial
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError

from apps.accounts.access import Actor
from apps.accounts.watching import Watch, watching
from apps.core import metrics, shutdown, sse, tenancy
from apps.core.errors import InvalidRequest, NotAuthenticated
from apps.core.ids import uuid7
from apps.core.rooms import Hints
from apps.core.shutdown import Leaving
from apps.core.threads import in_database
from apps.privacy.handshakes import SERVICE_RESTART, actor_of_scope, close_code
from apps.support import glancing
from apps.support.access import READ
from apps.support.following import follow, hints_of
from apps.support.models import Author
from apps.support.services import keystrokes, presence, reading, showing, visiting, visitors
from apps.support.services.hints import EVERYWHERE
from apps.support.services.keystrokes import Typist
from apps.support.services.presence import Seat
from apps.support.services.visitors import Visitor

# How often a client may say that somebody types; it says so every few seconds.
QUIET_SECONDS, SAID_AGAIN_SECONDS = 0.5, 10.0
# So often is looked who is here without a hint: whoever has stopped typing, or has gone without a word. Where nobody
# is, only a hint can have been lost.
PEOPLE_SECONDS, NOBODY_SECONDS = 5.0, 30.0
# How often it is looked whether what the bot is said to write is still being written.
DRAFT_SECONDS = 5.0
# So often is looked whether anything has changed on which a visitor's place depends, and so often they are let in anew
# in any case, which notes that they are still here.
CHECKED_AGAIN_SECONDS, ADMITTED_AGAIN_SECONDS = 10.0, 60.0
LONGEST_MESSAGE = 400
# So long may a visitor's browser take to say who it is.
ADMIT_SECONDS = 10.0


class _Gone(Exception):
    """The client has left in the middle of a frame; ASGI servers say so with an OSError."""


class _Socket(AsyncWebsocketConsumer):
    """What all sockets of the desk share: one task that works, and an end that says why."""

    # No channel layer: hints come from one subscription of the process.
    channel_layer_alias = "none"
    work: asyncio.Task[None] | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        await self.accept()
        self.said_at, self.typing, self.telling = 0.0, False, False
        self.told = asyncio.Event()
        self.first: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.work = asyncio.create_task(self._guarded())

    async def disconnect(self, code: int) -> None:
        if self.work:
            self.work.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.work

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """`{"typing": true}`; what is no such message is ignored, so that a malformed one cannot end the stream."""
        if not text_data or len(text_data) > LONGEST_MESSAGE:
            return
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            said = json.loads(text_data)
            if not self.first.done() and isinstance(said, dict):
                self.first.set_result(said)
            now = time.monotonic()
            if "typing" in said and now - self.said_at >= QUIET_SECONDS:
                self.said_at, self.typing = now, bool(said["typing"])
                self.told.set()

    async def _guarded(self) -> None:
        try:
            with metrics.open_stream("websocket"):
                await self._run()
        except _Gone:
            return
        except Leaving:
            await self.close(SERVICE_RESTART)
        except Exception as unexpected:
            # Whatever it was, a socket that stays open and silent would be worse.
            error = sse.failure(unexpected)
            with contextlib.suppress(OSError, _Gone):
                await self._send({"type": "error", **error.body()})
                await self.close(close_code(error))

    async def _run(self) -> None:
        raise NotImplementedError

    async def _send(self, frame: dict[str, Any]) -> None:
        try:
            await self.send(text_data=json.dumps(frame, ensure_ascii=False))
        except OSError as error:
            raise _Gone from error

    def _after(self) -> int:
        text = parse_qs(self.scope["query_string"].decode("latin-1")).get("after", ["0"])[-1]
        if not text.isdigit() or len(text) > 9:
            raise InvalidRequest("`after` is the number of the last message that you have.", param="after")
        return int(text)

    async def _recheck(self, *, hinted: bool) -> None:
        """Raises once the reader may not stay; called when somebody has signed out (`hinted`), and now and then."""

    async def _converse(self, seat: Seat, after: int, hints: Hints, watch: Watch | None) -> None:
        """Sends what comes, and says who is here, until the reader leaves or may not stay."""
        await presence.say(seat, typing=False, news=True)
        said = checked = time.monotonic()
        seen, looked = None, float("-inf")
        # None until it was first looked for.
        draft: str | None = None
        drafted = float("-inf")
        try:
            frames = follow(seat.organization_id, seat.conversation_id, after, hints, for_contact=seat.is_contact)
            async with aclosing(frames) as following:
                async for frame in following:
                    if watch is not None:
                        watch.check()
                    if self.typing and time.monotonic() - self.said_at > presence.TYPING_SECONDS:
                        # Whoever types says so every few seconds.
                        self.typing = False
                        self.told.set()
                    if self.told.is_set() or time.monotonic() - said > SAID_AGAIN_SECONDS:
                        news = self.told.is_set()
                        self.told.clear()
                        await presence.say(seat, typing=self.typing, news=news)
                        said = time.monotonic()
                        if news:
                            await self._tell_typing(seat, self.typing)
                    if time.monotonic() - checked > CHECKED_AGAIN_SECONDS:
                        # A hint that somebody has signed out may be lost.
                        await self._recheck(hinted=False)
                        checked = time.monotonic()
                    if frame["type"] == "signed_out":
                        await self._recheck(hinted=True)
                        continue
                    if frame["type"] == showing.DRAFT:
                        draft, drafted = await self._tell_draft(seat, draft), time.monotonic()
                        continue
                    if draft and frame["type"] == "tick" and time.monotonic() - drafted > DRAFT_SECONDS:
                        # Who writes may be gone, and then nobody says that it is not written on.
                        draft, drafted = await self._tell_draft(seat, draft), time.monotonic()
                    quiet = PEOPLE_SECONDS if seen else NOBODY_SECONDS
                    if frame["type"] == "tick" and time.monotonic() - looked < quiet:
                        continue
                    if frame["type"] in ("people", "tick"):
                        looked = time.monotonic()
                        people = await presence.people(seat)
                        if people != seen:
                            seen = people
                            await self._send({"type": "people", "people": people})
                        continue
                    await self._send(frame)
                    if frame["type"] == "messages" and draft != "":
                        # Whoever has just come sees what is being written, and what was written may be stored by now.
                        draft = await self._tell_draft(seat, draft)
        finally:
            if self.telling:
                await asyncio.shield(self._tell_typing(seat, False))
            await asyncio.shield(presence.leave(seat))

    async def _tell_typing(self, seat: Seat, typing: bool) -> None:
        """To webhooks that ask for it; a database that is away ends nothing, and what is lost is a hint."""
        author = Author.CONTACT if seat.is_contact else Author.AGENT
        typist = Typist(seat.organization_id, seat.conversation_id, seat.who, author, self._person(seat))
        self.telling = typing
        with contextlib.suppress(OperationalError, InterfaceError):
            await in_database(partial(keystrokes.tell, typist, typing=typing))

    def _person(self, seat: Seat) -> UUID | None:
        """The contact or member behind the connection; None for a key that is nobody's own."""
        try:
            return UUID(seat.who)
        except ValueError:
            return None

    async def _tell_draft(self, seat: Seat, before: str | None) -> str:
        """Sends what the bot is writing where that is not what was sent before; what it is now."""
        text = await showing.shown(seat.organization_id, seat.conversation_id)
        if text != (before or ""):
            await self._send({"type": showing.DRAFT, "text": text})
        return text


class ConversationConsumer(_Socket):
    """`/ws/support/conversations/<id>/?after=<sequence>` for the desk: `messages`, `cursors`, `people`, `draft`,
    `beat`. A `draft` replaces the one before; without a text there is none.

    Close codes are those of generations: 4401, 4403, 4404, and 4410 where access has ended meanwhile.
    """

    async def _run(self) -> None:
        id: UUID = self.scope["url_route"]["kwargs"]["id"]
        after = self._after()
        actor = await in_database(_reader_of, self.scope, id)
        seat = Seat(
            actor.organization_id,
            id,
            uuid7().hex,
            str(actor.user_id or actor.name),
            actor.name.partition("@")[0],
            False,
        )
        with watching(actor, READ) as watch, hints_of(actor.organization_id, id) as hints:
            await self._converse(seat, after, hints, watch)


class ListConsumer(_Socket):
    """`/ws/support/list/`: says which conversation has changed, so that the list is looked at anew."""

    async def _run(self) -> None:
        actor = await in_database(_reader_of, self.scope, None)
        with watching(actor, READ) as watch, hints_of(actor.organization_id, EVERYWHERE) as hints:
            await self._send({"type": "changed"})
            told = time.monotonic()
            while True:
                shutdown.check(0.0)
                if watch is not None:
                    watch.check()
                hint = await hints.within(1.0)
                if hint is not None:
                    await self._send(hint)
                    told = time.monotonic()
                elif time.monotonic() - told > settings.STREAM_HEARTBEAT_SECONDS:
                    await self._send({"type": "beat"})
                    told = time.monotonic()


class WidgetConsumer(_Socket):
    """`/ws/support/widget/<token>/<id>/?after=<sequence>` for visitors, whose first frame is `{"secret": …}`.

    What opens a conversation stands in no address, which proxies write into their logs.
    """

    standing: Any = None

    async def _run(self) -> None:
        after = self._after()
        try:
            said = await asyncio.wait_for(self.first, ADMIT_SECONDS)
        except TimeoutError:
            raise NotAuthenticated("Say who you are with the first frame.") from None
        places = self.scope["url_route"]["kwargs"]
        self.asked = (places["token"], str(said.get("secret", "")), places["id"])
        visitor, self.place = await in_database(_visitor_of, *self.asked)
        self.browser = (visitor.organization_id, visitor.session.pk, places["id"])
        contact, self.admitted = visitor.contact, time.monotonic()
        await self._tell_if_moved()
        seat = Seat(visitor.organization_id, places["id"], uuid7().hex, str(contact.pk), str(contact), True)
        with hints_of(visitor.organization_id, places["id"]) as hints:
            await self._converse(seat, after, hints, None)

    async def _recheck(self, *, hinted: bool) -> None:
        before = self.place
        # A database that is away for a moment ends nothing, as while following.
        with contextlib.suppress(OperationalError, InterfaceError):
            # What is known is older than what is checked, never newer.
            standing = await glancing.place(*self.browser)
            if not hinted and standing == self.standing and time.monotonic() - self.admitted < ADMITTED_AGAIN_SECONDS:
                return
            _visitor, self.place = await in_database(_visitor_of, *self.asked)
            self.standing, self.admitted = standing, time.monotonic()
        if self.place != before:
            await self._tell_if_moved()

    async def _tell_if_moved(self) -> None:
        """What was merged goes on elsewhere, with numbers of its own: the window follows it there."""
        number, id = self.place
        if id != self.asked[2]:
            await self._send({"type": "moved", "number": number, "uuid": str(id)})


def _reader_of(scope: dict[str, Any], id: UUID | None) -> Actor:
    actor = actor_of_scope(scope)
    actor.require(READ)
    if id is not None:
        reading.view(actor, id)
    return actor


def _visitor_of(token: str, secret: str, id: UUID) -> tuple[Visitor, tuple[int, UUID]]:
    """Who it is, and the number and id of where the conversation that they ask for goes on."""
    visitor = visitors.admit(token, secret)
    with tenancy.scope(visitor.organization_id):
        row = visiting.find(visitor, pk=id)
    return visitor, (row.number, row.pk)
