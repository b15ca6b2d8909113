"""The simulator as an ASGI application: each request is answered in a thread of its own."""

import asyncio
from collections.abc import Callable
from typing import Any

from deploy.stripe_simulator.api import Answer, Request

# The pages load nothing from elsewhere, run no script and are in nobody's frame.
PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action *; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
LARGEST_BODY = 1 << 20


def application(answer: Callable[[Request], Answer]) -> Any:
    """Return the ASGI application that answers by `answer`."""

    async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > LARGEST_BODY or not message.get("more_body"):
                break
        request = Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode(),
            headers={name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body=body.decode(errors="replace"),
        )
        result = await asyncio.to_thread(answer, request)
        headers = {"content-type": result.content, "x-stripe-simulator": "no real money", **PAGE_HEADERS}
        raw = [
            (name.encode(), value.encode("latin-1", "replace")) for name, value in (headers | result.headers).items()
        ]
        content = result.body.encode() if isinstance(result.body, str) else result.body
        raw.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": result.status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    return serve
