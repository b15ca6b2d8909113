"""A generation's stream over a WebSocket: the frames of `follow`, as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import aclosing
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import InterfaceError, OperationalError

from apps.accounts.access import Actor
from apps.core import metrics, sse
from apps.core.errors import ServiceUnavailable
from apps.core.shutdown import Leaving
from apps.core.threads import in_database
from apps.privacy.handshakes import SERVICE_RESTART, actor_of_scope, close_code
from apps.studio.streaming import follow


class _Gone(Exception):
    """The client has left in the middle of a frame; ASGI servers say so with an OSError."""


class GenerationConsumer(AsyncJsonWebsocketConsumer):
    """`/ws/generations/<id>/?after=<frame id>`; closes with 1000 after `done`.

    Failures before the end are one `{"type": "error", "error": {…}}` frame and a close code of 4000 plus the HTTP
    status, or 1013 when trying again helps; 4410 where access has ended meanwhile. A server that is being restarted
    closes with 1012.
    """

    # No channel layer: frames come from the stream. A layer would hold one blocking Redis connection for every socket,
    # end the socket when Redis restarts, and at times outlive it.
    channel_layer_alias = "none"
    sender: asyncio.Task[None] | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without Channels' change of threads at each message: `in_database` itself returns its connections."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        await self.accept()
        self.sender = asyncio.create_task(self._send_frames())

    async def disconnect(self, code: int) -> None:
        if self.sender:
            self.sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.sender

    async def _send_frames(self) -> None:
        try:
            generation_id: UUID = self.scope["url_route"]["kwargs"]["id"]
            actor = await _admit(self.scope)
            query = parse_qs(self.scope["query_string"].decode("latin-1"))
            async with aclosing(follow(actor, generation_id, query.get("after", [""])[-1])) as frames:
                with metrics.open_stream("websocket") as sent:
                    async for frame in frames:
                        await self._send_frame(frame)
                        sent.inc()
            await self.close(1000)
        except _Gone:
            return
        except Leaving:
            await self.close(SERVICE_RESTART)
        except Exception as unexpected:
            # Whatever it was, a socket that stays open and silent would be worse.
            error = sse.failure(unexpected)
            await self._send_frame({"type": "error", **error.body()})
            await self.close(close_code(error))

    async def _send_frame(self, frame: dict[str, Any]) -> None:
        # Past Channels' own layers, which do nothing here and are passed thousands of times a second.
        try:
            await self.base_send({"type": "websocket.send", "text": json.dumps(frame, ensure_ascii=False)})
        except OSError as error:
            raise _Gone from error

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Clients have nothing to say here: cancelling is a POST, like every write."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Messages are ignored unread, so that a malformed one cannot end the stream."""


async def _admit(scope: dict[str, Any]) -> Actor:
    """Who asks, once it is certain that they may read generations; which of them, `follow` finds out."""
    try:
        return await in_database(_reader_of, scope)
    except (OperationalError, InterfaceError) as error:
        raise ServiceUnavailable("The database does not answer; come back.", retry_after=5) from error


def _reader_of(scope: dict[str, Any]) -> Actor:
    actor = actor_of_scope(scope)
    actor.require("generations:read")
    return actor
