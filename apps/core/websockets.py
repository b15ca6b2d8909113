"""A browser may open a WebSocket only from the product's own pages; programs, which send no Origin, bring a key."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host


class OriginCheck:
    """Refuses (HTTP 403) a handshake whose Origin is not the host it asks for, or that host is not served."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if origin and not _is_own(origin, host):
            await receive()
            await send({"type": "websocket.close", "code": 4403})
            return
        await self.application(scope, receive, send)


async def nothing_here(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Refuses a handshake at an address that no consumer has."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


def _is_own(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    same = parts.netloc.lower() == host.lower()
    return same and validate_host((parts.hostname or "").lower(), settings.ALLOWED_HOSTS)
