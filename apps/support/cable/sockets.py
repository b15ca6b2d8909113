"""`/cable`: a socket that speaks Action Cable's protocol, in which clients of Chatwoot subscribe to a room.

The protocol: https://docs.anycable.io/misc/action_cable_protocol. A subscription begins with what happens behind its
confirmation; what was before, clients read over REST.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import InterfaceError, OperationalError

from apps.core import metrics, shutdown, sse
from apps.core.errors import AccessRevoked, MillraceError, ServiceUnavailable
from apps.core.shutdown import Leaving
from apps.privacy.handshakes import BAD_REQUEST, NOT_AUTHENTICATED, SERVICE_RESTART, close_code
from apps.support.cable import rooms
from apps.support.cable.rooms import Room

PROTOCOL = "actioncable-v1-json"
# Clients take a line for dead that has said nothing for twice as long.
PING_SECONDS = 3.0
# Whoever has subscribed to nothing for so long is not waited for.
ALONE_SECONDS = 30.0
MOST_ROOMS, MOST_WAITING, LONGEST_COMMAND = 4, 16, 4_000
COMMANDS_A_MINUTE = 240


class _End(Exception):
    """The socket ends: why, as the protocol says it, with which code, and whether the client is to come back."""

    def __init__(self, reason: str, code: int, *, come_back: bool) -> None:
        super().__init__(reason)
        self.reason, self.code, self.come_back = reason, code, come_back


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
        self.began, self.taken = time.monotonic(), 0
        self.work = asyncio.create_task(self._guarded())

    async def disconnect(self, code: int) -> None:
        if self.work:
            self.work.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.work

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """What is no command is ignored; a client that says more than is worked off is not read meanwhile."""
        if text_data and len(text_data) <= LONGEST_COMMAND:
            await self.commands.put(text_data)
            self.woken.set()

    # ---------------------------------------------------------------- the socket's one task
    async def _guarded(self) -> None:
        pinging = asyncio.create_task(self._ping())
        try:
            with metrics.open_stream("websocket"):
                await self._run()
        except _End as end:
            await self._end(end)
        except Leaving:
            await self._end(_End("server_restart", SERVICE_RESTART, come_back=True))
        except OSError:
            # The client has left in the middle of a frame.
            return
        except Exception as unexpected:
            error = sse.failure(unexpected)
            is_out = isinstance(error, AccessRevoked)
            await self._end(_End("unauthorized" if is_out else "remote", close_code(error), come_back=not is_out))
        finally:
            pinging.cancel()
            for room in self.rooms.values():
                room.leave()

    async def _end(self, end: _End) -> None:
        with contextlib.suppress(OSError):
            await self._send({"type": "disconnect", "reason": end.reason, "reconnect": end.come_back})
            await self.close(end.code)

    async def _run(self) -> None:
        await self._send({"type": "welcome"})
        checked = time.monotonic()
        while True:
            shutdown.check(0.0)
            self.woken.clear()
            while not self.commands.empty():
                await self._obey(self.commands.get_nowait())
            is_due = time.monotonic() - checked >= PING_SECONDS
            if is_due:
                checked = time.monotonic()
                if not self.rooms and time.monotonic() - self.began > ALONE_SECONDS:
                    raise _End("unauthorized", NOT_AUTHENTICATED, come_back=False)
            for room in list(self.rooms.values()):
                await self._tell(room, is_due=is_due)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.woken.wait()

    async def _ping(self) -> None:
        """Beside the rest, which may wait for the database; the client's line would be taken for dead."""
        with contextlib.suppress(OSError):
            while True:
                await asyncio.sleep(PING_SECONDS)
                await self._send({"type": "ping", "message": int(time.time())})

    async def _tell(self, room: Room, *, is_due: bool) -> None:
        room.check()
        if is_due or room.follower.is_doubted:
            room.follower.is_doubted = False
            # A database that is away for a moment ends nothing.
            with contextlib.suppress(OperationalError, InterfaceError):
                await room.recheck()
        try:
            found = await room.follower.take()
        except (OperationalError, InterfaceError):
            self.woken.set()
            return
        for told in found:
            room.check()
            body = room.body_of(told)
            if body is not None:
                await self._say(room.identifier, message={"event": told.name, "data": body})

    # ---------------------------------------------------------------- commands
    async def _obey(self, text: str) -> None:
        self._charge()
        try:
            said = json.loads(text)
            command, identifier = said["command"], said["identifier"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if not isinstance(identifier, str):
            return
        if command == "subscribe":
            await self._subscribe(identifier)
        elif command == "unsubscribe" and identifier in self.rooms:
            self.rooms.pop(identifier).leave()
        elif command == "message" and identifier in self.rooms:
            await self._act(self.rooms[identifier], said.get("data"))

    def _charge(self) -> None:
        """Evenly over the time that the socket is open, with a minute's worth at once."""
        self.taken += 1
        if self.taken > COMMANDS_A_MINUTE * (1 + (time.monotonic() - self.began) / 60):
            raise _End("invalid_request", BAD_REQUEST, come_back=False)

    async def _subscribe(self, identifier: str) -> None:
        if identifier in self.rooms:
            # A client that has not heard yet asks again.
            return
        if len(self.rooms) >= MOST_ROOMS:
            await self._say(identifier, type="reject_subscription")
            return
        try:
            room = await rooms.enter(self.scope, identifier, self.woken.set)
        except (OperationalError, InterfaceError) as error:
            raise ServiceUnavailable("The database does not answer; come back.", retry_after=5) from error
        except MillraceError as error:
            if error.status >= 500:
                raise
            await self._say(identifier, type="reject_subscription")
            return
        self.rooms[identifier] = room
        await self._say(identifier, type="confirm_subscription")
        await self._tell_presence(room, said=False)

    async def _act(self, room: Room, data: Any) -> None:
        """`update_presence`; there is no other act, and what else is said is passed over."""
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            action = json.loads(data).get("action")
            if action == "update_presence":
                room.check()
                await self._tell_presence(room, said=True)

    async def _tell_presence(self, room: Room, *, said: bool) -> None:
        with contextlib.suppress(OperationalError, InterfaceError):
            data = await room.presence(said=said)
            await self._say(room.identifier, message={"event": "presence.update", "data": data})

    # ---------------------------------------------------------------- sending
    async def _say(self, identifier: str, **more: Any) -> None:
        await self._send({"identifier": identifier} | more)

    async def _send(self, frame: dict[str, Any]) -> None:
        """One at a time, so that the ping of a client that does not read waits like the rest."""
        async with self.sending:
            await self.send(text_data=json.dumps(frame, ensure_ascii=False, default=str))
