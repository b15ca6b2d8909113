"""Static files served before Django, so that its asynchronous middleware chain stays free of threads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from whitenoise import WhiteNoise

ASGIApplication = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
# A name with the hash of the content, as ManifestStaticFilesStorage gives it, never changes its meaning.
HASHED_NAME = re.compile(r"\.[0-9a-f]{12}\.\w+$")
CHUNK_BYTES = 256 * 1024


class StaticFiles:
    """Answers under STATIC_URL from STATIC_ROOT; everything else goes to `application`.

    WhiteNoise finds the file and its headers; sending is done here. asgiref's WSGI wrapper would call `send` from a
    thread's context, which the server keeps for the next request of the connection and which is dead by then.
    """

    def __init__(self, application: ASGIApplication) -> None:
        self.application = application
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        self.files = WhiteNoise(
            None,
            root=str(settings.STATIC_ROOT),
            prefix=settings.STATIC_URL,
            immutable_file_test=lambda path, url: bool(HASHED_NAME.search(url)),
            add_headers_function=_harden,
            autorefresh=settings.DEBUG,
        )

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"].startswith(settings.STATIC_URL):
            await self._serve(scope, send)
        else:
            await self.application(scope, receive, send)

    async def _serve(self, scope: dict[str, Any], send: Any) -> None:
        found = self.files.find_file(scope["path"]) if self.files.autorefresh else self.files.files.get(scope["path"])
        if found is None:
            await _send_missing(send)
            return
        response = await asyncio.to_thread(found.get_response, scope["method"], _environment(scope))
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        await send({"type": "http.response.start", "status": int(response.status), "headers": headers})
        if response.file is not None:
            with response.file as file:
                while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _environment(scope: dict[str, Any]) -> dict[str, str]:
    """The request's headers under the names that WSGI gives them."""
    return {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
        for name, value in scope["headers"]
    }


async def _send_missing(send: Any) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"There is no such file.\n"})


def _harden(headers: Any, path: str, url: str) -> None:
    headers["x-content-type-options"] = "nosniff"
    headers["cross-origin-resource-policy"] = "same-origin"
