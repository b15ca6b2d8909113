"""Server-sent events (WHATWG HTML, section 9.2) as an answer that ends its source when the reader leaves."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from django.http import StreamingHttpResponse

from apps.core import metrics
from apps.core.errors import MillraceError
from apps.core.threads import release_thread
from apps.core.views import InternalError

log = logging.getLogger(__name__)

HEARTBEAT = b": ping\n\n"


def event(data: Any, *, name: str = "", id: str = "") -> bytes:
    """One event; JSON holds no line break, so the data is always one line. Text goes through unchanged."""
    lines = [f"id: {id}"] if id else []
    lines += [f"event: {name}"] if name else []
    lines.append("data: " + (data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)))
    return ("\n".join(lines) + "\n\n").encode()


def position(id: str) -> bytes:
    """An id without an event: where a reader goes on that is cut off before the next."""
    return f"id: {id}\n\n".encode()


def failure(exception: Exception) -> MillraceError:
    """What to tell a reader in mid-stream, where no status can be sent any more; the unexpected is logged."""
    code = exception.code if isinstance(exception, MillraceError) else InternalError.code
    metrics.ERROR_ANSWERS.labels(code).inc()
    if isinstance(exception, MillraceError):
        return exception
    log.error("a stream broke off", exc_info=exception)
    return InternalError("Something went wrong on our side. It has been logged.")


class EventStream(StreamingHttpResponse):
    """`text/event-stream` from an asynchronous generator of bytes.

    Django would leave the generator to the garbage collector when a reader goes away while a write is pending; here
    it is closed at once, and within the request, so that its `finally` may still use the database.
    """

    def __init__(self, source: AsyncGenerator[bytes], headers: Mapping[str, str] | None = None) -> None:
        # Proxies such as nginx otherwise collect the whole answer before they pass it on.
        named = {"cache-control": "no-store", "x-accel-buffering": "no", **(headers or {})}
        super().__init__(source, content_type="text/event-stream; charset=utf-8", headers=named)
        self.source = source

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await release_thread()
        with metrics.open_stream("sse") as sent:
            async with aclosing(self.source) as parts:
                async for part in parts:
                    yield part
                    sent.inc()
