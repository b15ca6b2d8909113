"""Hints from Redis handed to the open streams of this process: one subscription for all of a kind.

A hint says that something has changed and never what; whoever misses one looks for itself when its connection is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from redis.exceptions import RedisError

from apps.core.connections import stream_client

log = logging.getLogger(__name__)

LISTEN_SECONDS, RECONNECT_SECONDS = 5.0, 1.0
# A stream that reads slowly loses hints, and nothing else.
MOST_WAITING = 32


class Hints(asyncio.Queue[dict[str, Any]]):
    """The hints of one reader, which are waited for by that reader alone."""

    _reader: asyncio.Future[None] | None = None

    async def within(self, seconds: float) -> dict[str, Any] | None:
        """The next hint; None where none comes within so many seconds.

        A thousand readers wait anew every second. With `asyncio.wait_for` each would have a task, and with every way to
        break off an exception with its traceback, which the collector of garbage has to find.
        """
        if self.empty():
            loop = asyncio.get_running_loop()
            self._reader = loop.create_future()
            ending = loop.call_later(seconds, _wake, self._reader)
            try:
                await self._reader
            finally:
                ending.cancel()
                self._reader = None
        return None if self.empty() else self.get_nowait()

    def _put(self, item: dict[str, Any]) -> None:
        super()._put(item)
        if self._reader is not None:
            _wake(self._reader)


def _wake(reader: asyncio.Future[None]) -> None:
    if not reader.done():
        reader.set_result(None)


class Rooms:
    """The open rooms of one event loop, whose channels all match `pattern`.

    `anew` is the hint that everybody gets once the subscription stands: what came before may have been missed.
    """

    def __init__(self, pattern: str, anew: Mapping[str, Any]) -> None:
        self._pattern, self._anew = pattern, dict(anew)
        self._rooms: dict[str, set[Hints]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def entered(self, *channels: str) -> Iterator[Hints]:
        """The hints of some channels from now on, in one queue."""
        hints = Hints(MOST_WAITING)
        for channel in channels:
            self._rooms.setdefault(channel, set()).add(hints)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())
        try:
            yield hints
        finally:
            for channel in channels:
                self._rooms[channel].discard(hints)
                if not self._rooms[channel]:
                    del self._rooms[channel]

    async def _listen(self) -> None:
        while self._rooms:
            try:
                await self._hear()
            except (RedisError, OSError) as error:
                log.debug("not listening to %s: %s", self._pattern, error)
                await asyncio.sleep(RECONNECT_SECONDS)
            except Exception:
                # Such as a message that is no hint: everybody else's still count.
                log.exception("listening to %s anew", self._pattern)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear(self) -> None:
        async with stream_client().pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.psubscribe(self._pattern)
            for hints in [each for room in self._rooms.values() for each in room]:
                _give(hints, self._anew)
            while self._rooms:
                message = await subscription.get_message(timeout=LISTEN_SECONDS)
                if message is not None:
                    hint = json.loads(message["data"])
                    for hints in self._rooms.get(message["channel"].decode(), ()):
                        _give(hints, hint)


def _give(hints: Hints, hint: dict[str, Any]) -> None:
    with contextlib.suppress(asyncio.QueueFull):
        hints.put_nowait(hint)


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Rooms]] = WeakKeyDictionary()


def rooms_of(pattern: str, anew: Mapping[str, Any]) -> Rooms:
    """This event loop's rooms of one kind."""
    known = _by_loop.setdefault(asyncio.get_running_loop(), {})
    return known.get(pattern) or known.setdefault(pattern, Rooms(pattern, anew))
