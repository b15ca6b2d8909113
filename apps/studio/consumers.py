"""A generation's stream over a WebSocket: the frames of `follow`, as JSON."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import get_user
from django.http import HttpRequest

from apps.accounts.access import Actor, actor_of_session
from apps.accounts.authentication import actor_of_header
from apps.core import sse
from apps.core.errors import NotAuthenticated
from apps.studio.services import get_generation
from apps.studio.streaming import follow

# Close codes in the range applications may use: the HTTP status they stand for, behind a 4.
NOT_AUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_REQUEST, TRY_AGAIN = 4401, 4403, 4404, 4400, 1013
CLOSE_CODES = {400: BAD_REQUEST, 401: NOT_AUTHENTICATED, 403: FORBIDDEN, 404: NOT_FOUND, 503: TRY_AGAIN}


class GenerationConsumer(AsyncJsonWebsocketConsumer):
    """`/ws/generations/<id>/?after=<frame id>`; closes with 1000 after `done`.

    Failures before the end are one `{"type": "error", "error": {…}}` frame and a close code of 4000 plus the HTTP
    status, or 1013 when trying again helps.
    """

    # No channel layer: frames come from the stream. A layer would hold one blocking Redis connection for every socket,
    # end the socket when Redis restarts, and at times outlive it.
    channel_layer_alias = "none"
    sender: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()
        self.sender = asyncio.create_task(self._send_frames())

    async def disconnect(self, code: int) -> None:
        if self.sender:
            self.sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.sender

    async def _send_frames(self) -> None:
        # A thread of its own for this socket's database work, as every HTTP request has.
        async with ThreadSensitiveContext():
            await self._follow()

    async def _follow(self) -> None:
        try:
            generation_id: UUID = self.scope["url_route"]["kwargs"]["id"]
            actor = await sync_to_async(_actor_of)(self.scope)
            await sync_to_async(get_generation)(actor, generation_id)
            query = parse_qs(self.scope["query_string"].decode("latin-1"))
            async for frame in follow(actor.organization_id, generation_id, query.get("after", [""])[-1]):
                await self.send_json(frame)
            await self.close(1000)
        except Exception as unexpected:
            # Whatever it was, a socket that stays open and silent would be worse.
            error = sse.failure(unexpected)
            await self.send_json({"type": "error", **error.body()})
            await self.close(CLOSE_CODES.get(error.status, 1011))

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Clients have nothing to say here: cancelling is a POST, like every write."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Messages are ignored unread, so that a malformed one cannot end the stream."""


def _actor_of(scope: dict[str, Any]) -> Actor:
    """The program of the Authorization header, else the member of the session cookie; raises NotAuthenticated."""
    headers = dict(scope["headers"])
    header = headers.get(b"authorization", b"").decode("latin-1")
    actor = actor_of_header(header)
    if actor is None:
        request = HttpRequest()
        request.session = scope["session"]
        request.user = get_user(request)
        actor = actor_of_session(request) if request.user.is_authenticated else None
    if actor is None:
        raise NotAuthenticated("Sign in, or send `Authorization: Bearer KEY` with the handshake.")
    return actor
