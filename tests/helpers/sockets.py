"""A client of the product's WebSockets, without a server in between."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client

from config.asgi import application


def cookie_of(user: Any) -> str:
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


class Socket:
    """A client of the real ASGI application; `channels.testing` wants another web server installed."""

    def __init__(self, id: Any, query: str, headers: dict[str, str], kind: str = "generations") -> None:
        scope = {
            "type": "websocket",
            "path": f"/ws/{kind}/{id}/",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in ({"host": "testserver"} | headers).items()],
            "subprotocols": [],
        }
        self.application = ApplicationCommunicator(application, scope)

    async def shake_hands(self) -> bool:
        await self.application.send_input({"type": "websocket.connect"})
        answer = await self.application.receive_output(timeout=5)
        return bool(answer["type"] == "websocket.accept")

    async def say(self, **message: Any) -> None:
        await self.application.send_input({"type": "websocket.receive"} | message)

    async def frame(self) -> dict[str, Any] | int:
        """The next frame, or the close code."""
        message = await self.application.receive_output(timeout=5)
        if message["type"] == "websocket.close":
            return int(message["code"])
        found: dict[str, Any] = json.loads(message["text"])
        return found

    async def everything(self) -> tuple[list[dict[str, Any]], int]:
        """All frames until the server closes, and its close code."""
        frames = []
        while not isinstance(frame := await self.frame(), int):
            frames.append(frame)
        return frames, frame


@asynccontextmanager
async def connected(id: Any, query: str = "", kind: str = "generations", **headers: str) -> AsyncIterator[Socket]:
    socket = Socket(id, query, headers, kind)
    assert await socket.shake_hands()
    try:
        yield socket
    finally:
        await socket.application.send_input({"type": "websocket.disconnect", "code": 1001})
        await socket.application.wait(timeout=5)
