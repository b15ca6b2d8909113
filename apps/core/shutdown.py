"""Leaving in good order: streams are told when the server has been asked to stop.

The server waits for open answers, so those that never end by themselves must watch for it. ASGI has no event for this
moment (its lifespan's shutdown comes after the wait), so the signal is listened to.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.urls import get_resolver

from apps.core.collecting import keep_what_is_here
from apps.core.errors import ServiceUnavailable
from apps.core.hub import hub

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Leaving(ServiceUnavailable):
    """This process stops; another one goes on from the last id that the reader has seen."""

    def __init__(self) -> None:
        super().__init__("The server is being restarted; come back.", retry_after=1)


class _Process:
    """When this process was asked to stop, on the event loop's clock, and what is called then."""

    leaving_since: float | None = None
    wakers: set[Callable[[], None]] = set()


def leave() -> None:
    """Called in the event loop when the process shall end."""
    if _Process.leaving_since is None:
        _Process.leaving_since = asyncio.get_running_loop().time()
        hub().wake_all()
        for wake in list(_Process.wakers):
            wake()


@contextmanager
def woken_by_it(wake: Callable[[], None]) -> Iterator[None]:
    """Within the block `wake` is called when the process is asked to stop: who waits for something else says goodbye
    before the server closes its connection, a tenth of a second later.
    """
    _Process.wakers.add(wake)
    try:
        yield
    finally:
        _Process.wakers.discard(wake)


def stay() -> None:
    """Takes `leave` back, for tests."""
    _Process.leaving_since = None


def check(grace: float) -> float | None:
    """Raises Leaving when the process has been stopping for `grace` seconds; returns when that will be, if it is."""
    if _Process.leaving_since is None:
        return None
    until = _Process.leaving_since + grace
    if asyncio.get_running_loop().time() >= until:
        raise Leaving
    return until


async def lifespan(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI lifespan of the web process: listens to the signals beside the server, which keeps its own handlers."""
    await receive()
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            _listen(number, loop)
    # Every page is imported with its address, else by the first request.
    get_resolver().url_patterns  # noqa: B018
    keep_what_is_here()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _listen(number: signal.Signals, loop: asyncio.AbstractEventLoop) -> None:
    servers = signal.getsignal(number)

    def told(received: int, frame: FrameType | None) -> None:
        try:
            loop.call_soon_threadsafe(leave)
        finally:  # a loop that is closed already refuses, and the server must hear of the signal all the same
            if callable(servers):
                servers(received, frame)

    signal.signal(number, told)
