"""`/cable`: a socket that speaks Action Cable's protocol, in which clients of Chatwoot subscribe to a room.

The protocol: https://docs.anycable.io/misc/action_cable_protocol. A subscription begins with what happens behind its
confirmation; what was before, clients read over REST.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from typing import Any

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import InterfaceError, OperationalError

from apps.core import metrics, shutdown, sse
from apps.core.errors import AccessRevoked, MillraceError, RateLimitExceeded, ServiceUnavailable
from apps.core.shutdown import Leaving
from apps.privacy.handshakes import BAD_REQUEST, NOT_AUTHENTICATED, SERVICE_RESTART, TRY_AGAIN, close_code
from apps.support.cable import commands, rooms, telling
from apps.support.cable.commands import Allowance, Command
from apps.support.cable.rooms import Room

PROTOCOL = "actioncable-v1-json"
# Clients take a line for dead that has said nothing for twice as long. So often is also looked who may stay.
PING_SECONDS = 3.0
# Whoever is in no room for so long is not waited for.
ALONE_SECONDS = 30.0
MOST_ROOMS, MOST_WAITING, LONGEST_COMMAND = 4, 16, 4_000
COMMANDS_A_MINUTE = 240


@dataclass(frozen=True, slots=True)
class _End:
    """The socket ends: why, as the protocol says it, with which code, and whether the client is to come back."""

    reason: str
    code: int
    come_back: bool


class CableConsumer(AsyncWebsocketConsumer):
    # No channel layer: what is told comes from one reader of the process.
    channel_layer_alias = "none"
    work: asyncio.Task[None] | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        await self.accept(PROTOCOL if PROTOCOL in self.scope.get("subprotocols", ()) else None)
        self.rooms: dict[str, Room] = {}
        self.commands: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self.woken, self.sending = asyncio.Event(), asyncio.Lock()
        self.alone_since, self.is_over = time.monotonic(), False
        self.allowance = Allowance(COMMANDS_A_MINUTE, time.monotonic())
        self.work = asyncio.create_task(self._guarded())

    async def disconnect(self, code: int) -> None:
        if self.work:
            self.work.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.work

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """A client that says more than is worked off is not read meanwhile; what is no command counts as well."""
        if not self.is_over:
            await self.commands.put(text_data if text_data and len(text_data) <= LONGEST_COMMAND else "")
            self.woken.set()

    # ---------------------------------------------------------------- the socket's one task
    async def _guarded(self) -> None:
        end: _End | None
        pinging = asyncio.create_task(self._ping())
        try:
            with metrics.open_stream("websocket"), shutdown.woken_by_it(self.woken.set):
                end = await self._run()
        except OSError:
            # The client has left in the middle of a frame.
            end = None
        except Exception as unexpected:
            end = _end_of(unexpected)
        finally:
            pinging.cancel()
            for room in self.rooms.values():
                room.leave()
            self._hear_no_more()
        if end is not None:
            with contextlib.suppress(OSError):
                await self._send({"type": "disconnect", "reason": end.reason, "reconnect": end.come_back})
                await self.close(end.code)

    def _hear_no_more(self) -> None:
        """Whoever waits for room for what the client has said, waits no longer; else the connection never ended."""
        self.is_over = True
        while not self.commands.empty():
            self.commands.get_nowait()

    async def _run(self) -> _End:
        """Works until the socket is to end, and says how."""
        await self._send({"type": "welcome"})
        checked = time.monotonic()
        while True:
            shutdown.check(0.0)
            self.woken.clear()
            while not self.commands.empty():
                if not self.allowance.take(time.monotonic()):
                    return _End("invalid_request", BAD_REQUEST, come_back=False)
                await self._obey(commands.read(self.commands.get_nowait()))
            is_due = time.monotonic() - checked >= PING_SECONDS
            if is_due:
                checked = time.monotonic()
            for room in list(self.rooms.values()):
                await self._tell(room, is_due=is_due)
            if not self.rooms and time.monotonic() - self.alone_since > ALONE_SECONDS:
                return _End("unauthorized", NOT_AUTHENTICATED, come_back=False)
            await self._wait()

    async def _wait(self) -> None:
        """Until something has happened, or it is time to look; without a task or an exception for each time."""
        ending = asyncio.get_running_loop().call_later(PING_SECONDS, self.woken.set)
        try:
            await self.woken.wait()
        finally:
            ending.cancel()

    async def _ping(self) -> None:
        """Beside the rest, which may wait for the database; the client's line would be taken for dead."""
        with contextlib.suppress(OSError):
            while True:
                await asyncio.sleep(PING_SECONDS)
                await self._send({"type": "ping", "message": int(time.time())})

    async def _tell(self, room: Room, *, is_due: bool) -> None:
        try:
            if is_due or room.follower.is_doubted:
                room.follower.is_doubted = False
                # A database that is away for a moment ends nothing.
                with contextlib.suppress(OperationalError, InterfaceError):
                    await room.recheck()
            room.check()
            for told in await room.follower.take():
                room.check()
                if text := room.message_of(told):
                    await self._say(room, text)
        except (OperationalError, InterfaceError):
            # Tried anew when the feed has found the database again, or with the next look.
            return
        except AccessRevoked:
            await self._turn_out(room)

    # ---------------------------------------------------------------- commands
    async def _obey(self, said: Command | None) -> None:
        if said is None:
            return
        room = self.rooms.get(said.identifier)
        # A client that has not heard yet that it is in a room asks for it again.
        if said.name == "subscribe" and room is None:
            await self._subscribe(said.identifier)
        elif said.name == "unsubscribe" and room is not None:
            self._leave(room)
        elif said.name == "message" and said.action == "update_presence" and room is not None:
            await self._tell_presence(room, said=True)

    async def _subscribe(self, identifier: str) -> None:
        if len(self.rooms) >= MOST_ROOMS:
            await self._send({"identifier": identifier, "type": "reject_subscription"})
            return
        try:
            room = await rooms.enter(self.scope, identifier, self.woken.set)
        except (OperationalError, InterfaceError) as error:
            raise ServiceUnavailable("The database does not answer; come back.", retry_after=5) from error
        except MillraceError as error:
            # A client that is rejected never asks again.
            if error.should_retry or error.status >= 500:
                raise
            await self._send({"identifier": identifier, "type": "reject_subscription"})
            return
        self.rooms[identifier] = room
        await self._send({"identifier": identifier, "type": "confirm_subscription"})
        await self._tell_presence(room, said=False)

    def _leave(self, room: Room) -> None:
        del self.rooms[room.identifier]
        room.leave()
        self.alone_since = time.monotonic()

    async def _turn_out(self, room: Room) -> None:
        """Of one room among several: the others are somebody else's, whose access has not ended."""
        if len(self.rooms) == 1:
            raise AccessRevoked
        self._leave(room)
        await self._send({"identifier": room.identifier, "type": "reject_subscription"})

    async def _tell_presence(self, room: Room, *, said: bool) -> None:
        """Nothing to one who says too often that they are there, or may not any more, which is found out elsewhere."""
        with contextlib.suppress(OperationalError, InterfaceError, RateLimitExceeded, AccessRevoked):
            room.check()
            await self._say(room, telling.message("presence.update", await room.presence(said=said)))

    # ---------------------------------------------------------------- sending
    async def _say(self, room: Room, text: str) -> None:
        """A message that is JSON already, since others hear the same."""
        identifier = json.dumps(room.identifier, ensure_ascii=False)
        await self._send_text(f'{{"identifier": {identifier}, "message": {text}}}')

    async def _send(self, frame: dict[str, Any]) -> None:
        await self._send_text(json.dumps(frame, ensure_ascii=False))

    async def _send_text(self, text: str) -> None:
        """One at a time, so that the ping of a client that does not read waits like the rest."""
        async with self.sending:
            await self.send(text_data=text)


def _end_of(error: Exception) -> _End:
    if isinstance(error, Leaving):
        return _End("server_restart", SERVICE_RESTART, come_back=True)
    if isinstance(error, RateLimitExceeded):
        return _End("remote", TRY_AGAIN, come_back=True)
    told = sse.failure(error)
    is_out = isinstance(told, AccessRevoked)
    return _End("unauthorized" if is_out else "remote", close_code(told), come_back=not is_out)
