"""Who has a document open, and where in it, over a WebSocket; and hints that its text or its margin has changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any
from uuid import UUID

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from redis.exceptions import RedisError

from apps.accounts.access import Actor
from apps.accounts.watching import Watch, watching
from apps.core import sse
from apps.core.connections import stream_client
from apps.core.ids import uuid7
from apps.core.threads import in_database
from apps.privacy.handshakes import actor_of_scope, close_code
from apps.studio.rooms import Hints, rooms
from apps.studio.services import documents
from apps.studio.services.documents.presence import PRESENT_SECONDS, channel_of, people_key

# How often a client may say where it is; it says so every few seconds.
QUIET_SECONDS = 0.5
LONGEST_MESSAGE, LAST_LINE = 200, 1_000_000
LOOK_SECONDS = 3.0


class DocumentConsumer(AsyncWebsocketConsumer):
    """`/ws/documents/<id>/`: takes `{"line": n}` and sends `people`, `changed` and `margin`.

    Close codes are those of generations: 4401, 4403, 4404, and 4410 where access has ended meanwhile.
    """

    # No channel layer: see the consumer of generations.
    channel_layer_alias = "none"
    work: asyncio.Task[None] | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        await self.accept()
        self.line, self.said_at, self.id = 0, 0.0, uuid7().hex
        self.moved = asyncio.Event()
        self.seen: list[dict[str, Any]] | None = None
        self.work = asyncio.create_task(self._run())

    async def disconnect(self, code: int) -> None:
        if self.work:
            self.work.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.work

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Where the client's caret is; what is no such message is ignored."""
        now = time.monotonic()
        if not text_data or len(text_data) > LONGEST_MESSAGE or now - self.said_at < QUIET_SECONDS:
            return
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            line = json.loads(text_data).get("line")
            if isinstance(line, int) and 0 < line <= LAST_LINE:
                self.line, self.said_at = line, now
                self.moved.set()

    async def _run(self) -> None:
        try:
            id: UUID = self.scope["url_route"]["kwargs"]["id"]
            actor = await in_database(_reader_of, self.scope, id)
            with (
                watching(actor, documents.READ) as watch,
                rooms().entered(channel_of(actor.organization_id, id)) as hints,
            ):
                await self._stay(actor, id, hints, watch)
        except Exception as unexpected:
            error = sse.failure(unexpected)
            with contextlib.suppress(OSError):
                await self._send({"type": "error", **error.body()})
                await self.close(close_code(error))

    async def _stay(self, actor: Actor, id: UUID, hints: Hints, watch: Watch | None) -> None:
        place = (actor.organization_id, id)
        try:
            await self._tell(actor, *place, joined=True)
            while True:
                if watch is not None:
                    watch.check()
                await self._next(actor, place, hints)
        finally:
            await asyncio.shield(self._leave(*place))

    async def _next(self, actor: Actor, place: tuple[UUID, UUID], hints: Hints) -> None:
        """Waits for a hint, or for a while, and says where the client is where it has moved."""
        try:
            hint = await asyncio.wait_for(hints.get(), LOOK_SECONDS)
        except TimeoutError:
            hint = {}
        if self.moved.is_set():
            self.moved.clear()
            await self._tell(actor, *place)
        if hint.get("type") == "people" or not hint:
            people = await self._people(actor, *place)
            if people != self.seen:
                self.seen = people
                await self._send({"type": "people", "people": people})
        elif hint.get("by") != str(actor.user_id) or hint.get("type") == "margin":
            await self._send({name: value for name, value in hint.items() if name != "by"})

    async def _tell(self, actor: Actor, organization_id: UUID, id: UUID, *, joined: bool = False) -> None:
        facts = {"name": actor.name.partition("@")[0], "user": str(actor.user_id or ""), "line": self.line}
        with contextlib.suppress(RedisError, OSError):
            pipe = stream_client().pipeline(transaction=False)
            pipe.hset(people_key(organization_id, id), self.id, json.dumps(facts | {"at": time.time()}))
            pipe.expire(people_key(organization_id, id), PRESENT_SECONDS * 2)
            if joined:
                pipe.publish(channel_of(organization_id, id), json.dumps({"type": "people"}))
            await pipe.execute()

    async def _people(self, actor: Actor, organization_id: UUID, id: UUID) -> list[dict[str, Any]]:
        """Everybody here, each once, with the line they were last at."""
        try:
            found = await stream_client().hgetall(people_key(organization_id, id))
        except (RedisError, OSError):
            return []
        pairs = found.items() if isinstance(found, dict) else zip(found[::2], found[1::2], strict=True)
        since, people = time.time() - PRESENT_SECONDS, {}
        for key, text in pairs:
            each = json.loads(text)
            me = key.decode() == self.id or (bool(each["user"]) and each["user"] == str(actor.user_id))
            if each["at"] > since:
                people[each["user"] or key] = {"name": each["name"], "line": each["line"] or None, "me": me}
        return list(people.values())

    async def _leave(self, organization_id: UUID, id: UUID) -> None:
        with contextlib.suppress(RedisError, OSError):
            pipe = stream_client().pipeline(transaction=False)
            pipe.hdel(people_key(organization_id, id), self.id)
            pipe.publish(channel_of(organization_id, id), json.dumps({"type": "people"}))
            await pipe.execute()

    async def _send(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(frame, ensure_ascii=False))


def _reader_of(scope: dict[str, Any], id: UUID) -> Actor:
    actor = actor_of_scope(scope)
    documents.get(actor, id)
    return actor
