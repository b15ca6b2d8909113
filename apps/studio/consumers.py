"""A generation's stream over a WebSocket: the frames of `follow`, as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from contextlib import aclosing
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, parse_cookie

from apps.accounts.access import Actor, actor_of_session
from apps.accounts.authentication import actor_of_header
from apps.core import callers, metrics, sse
from apps.core.errors import AccessRevoked, MillraceError, NotAuthenticated, ServiceUnavailable
from apps.core.shutdown import Leaving
from apps.core.threads import in_database
from apps.privacy.services import require_accepted
from apps.studio.streaming import follow

# Close codes in the range applications may use: the HTTP status they stand for, behind a 4.
NOT_AUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_REQUEST, TRY_AGAIN = 4401, 4403, 4404, 4400, 1013
# RFC 6455's registry: the server restarts, and a client that comes back finds another one.
SERVICE_RESTART = 1012
# Whoever had been let in may not stay: removed, signed out, or without the permission.
ACCESS_REVOKED = 4410
CLOSE_CODES = {400: BAD_REQUEST, 401: NOT_AUTHENTICATED, 403: FORBIDDEN, 404: NOT_FOUND, 503: TRY_AGAIN}


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
            await self.close(_close_code(error))

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


def _close_code(error: MillraceError) -> int:
    return ACCESS_REVOKED if isinstance(error, AccessRevoked) else CLOSE_CODES.get(error.status, 1011)


async def _admit(scope: dict[str, Any]) -> Actor:
    """Who asks, once it is certain that they may read generations; which of them, `follow` finds out."""
    try:
        return await in_database(_reader_of, scope)
    except (OperationalError, InterfaceError) as error:
        raise ServiceUnavailable("The database does not answer; come back.", retry_after=5) from error


def _reader_of(scope: dict[str, Any]) -> Actor:
    actor = _actor_of(scope)
    actor.require("generations:read")
    return actor


def _session_of(cookies: str) -> SessionBase:
    """The session that the handshake's cookie names; a new, empty one without it."""
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    return store(parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME))


def _address_of(scope: dict[str, Any], headers: Mapping[bytes, bytes]) -> str:
    client, forwarded = scope.get("client"), headers.get(b"x-forwarded-for", b"").decode("latin-1")
    return callers.address_of({"REMOTE_ADDR": client[0] if client else "", "HTTP_X_FORWARDED_FOR": forwarded})


def _actor_of(scope: dict[str, Any]) -> Actor:
    """The program of the Authorization header, else the member of the session cookie; raises NotAuthenticated."""
    headers = dict(scope["headers"])
    header = headers.get(b"authorization", b"").decode("latin-1")
    actor = actor_of_header(header, _address_of(scope, headers))
    if actor is None:
        request = HttpRequest()
        request.session = _session_of(headers.get(b"cookie", b"").decode("latin-1"))
        request.user = get_user(request)
        if request.user.is_authenticated:
            require_accepted(request.user.pk)
            actor = actor_of_session(request)
    if actor is None:
        raise NotAuthenticated("Sign in, or send `Authorization: Bearer KEY` with the handshake.")
    return actor
