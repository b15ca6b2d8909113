"""Clients that do not read: little is kept for them, and after a while they are let go.

A server's `send` waits while the connection's write buffer is full, so a stream stops producing; but it would wait for
ever, and closing such a connection in good order would wait as well.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

log = logging.getLogger(__name__)

# A `send` that has waited so long for room: the client has read next to nothing, and can come back with its last id.
STALLED_SECONDS = 60.0
LOOK_SECONDS = 10.0
# What is kept for one connection in this process, and, asked of the kernel, outside of it.
WRITE_BUFFER_BYTES = 32 * 1024
KERNEL_BUFFER_BYTES = 64 * 1024


class SlowClients:
    """Bounds what is buffered for each connection, and cuts one off whose client has stopped reading."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        # An ASGI server's `send` is a method of the connection, or of the request on it; that has the transport.
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is None:
            await self.application(scope, receive, send)
            return
        watch = _Watch(transport, send)
        try:
            await self.application(scope, receive, watch.send)
        finally:
            watch.stop()


class _Watch:
    """One connection: since when a `send` has been waiting."""

    def __init__(self, transport: asyncio.Transport, send: Any) -> None:
        self._transport, self._send = transport, send
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        found = transport.get_extra_info("socket")
        if found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)

    async def send(self, message: dict[str, Any]) -> None:
        self._since = self._loop.time()
        try:
            await self._send(message)
        finally:
            self._since = None

    def _look(self) -> None:
        if self._since is not None and self._loop.time() - self._since > STALLED_SECONDS:
            log.info("a client that does not read was cut off")
            self._transport.abort()
            return
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        self._timer.cancel()
