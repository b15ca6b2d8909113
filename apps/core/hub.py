"""One blocking read for all the streams that a process follows; see docs/decisions/0007-one-reader-for-all.md.

The hub asks Redis for what is new in every followed stream at once, decodes each entry once, and hands it to the
readers of that stream. A reader holds a bounded buffer; one that falls behind gives it up and reads from Redis by its
position until it has caught up, so that memory does not depend on how slow a client is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from redis.exceptions import RedisError

from apps.core import streams
from apps.core.connections import own_stream_client, stream_client
from apps.core.cursor import split
from apps.core.streams import Piece

if TYPE_CHECKING:
    from apps.core.reader import Reader

log = logging.getLogger(__name__)

# How long one read waits; a newly followed stream does not wait for it, see `_wake`.
BLOCK_MS = 1000
# Entries of one stream in one answer: after an outage a thousand streams answer at once.
ENTRIES_A_ROUND = 32
# Text is handed on at most so often: a person sees no difference, and a quick model's tokens cost a frame for several
# of them. Where rounds take long the hub rests as long as the last one kept the process busy, so that half of the time
# is left for everything else.
ROUND_SECONDS, LONGEST_PAUSE = 0.03, 0.05
RETRY_SECONDS = 0.25
# Without a stream to follow the hub ends after this time.
LINGER_SECONDS = 2.0


class Channel:
    """One followed stream: how far the hub has read it, and for whom."""

    __slots__ = ("key", "position", "readers")

    def __init__(self, key: bytes, position: str) -> None:
        self.key, self.position = key, position
        self.readers: set[Reader] = set()


class Hub:
    """The streams that one event loop follows."""

    def __init__(self) -> None:
        self._channels: dict[bytes, Channel] = {}
        self._readers: set[Reader] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._waker: asyncio.Task[None] | None = None
        # The number of the newest change, that of the newest change Redis was asked with, and who is asking.
        self._version = self._asked = 0
        self._blocked: int | None = None
        self._failing_since: float | None = None
        self._next_try = 0.0

    # ------------------------------------------------------------ for readers
    def __len__(self) -> int:
        return len(self._readers)

    @property
    def failing(self) -> float:
        """For how many seconds Redis has not answered; 0 when it does."""
        return 0.0 if self._failing_since is None else asyncio.get_running_loop().time() - self._failing_since

    def wake_all(self) -> None:
        """Every reader returns from its wait, to look at what has changed around it."""
        for reader in list(self._readers):
            reader.poke()

    def add(self, reader: Reader) -> None:
        self._readers.add(reader)

    def remove(self, reader: Reader) -> None:
        self._readers.discard(reader)
        self.leave(reader)

    def join(self, reader: Reader) -> bool:
        """From now on the reader is handed what the hub reads of its stream; False when the hub does not read it."""
        channel = self._channels.get(reader.key)
        if channel is None:
            return False
        channel.readers.add(reader)
        return True

    def open(self, reader: Reader) -> bool:
        """The hub reads the reader's stream behind its position; False when somebody else has begun meanwhile."""
        if reader.key in self._channels:
            return False
        channel = self._channels[reader.key] = Channel(reader.key, reader.position)
        channel.readers.add(reader)
        self._wake()
        return True

    def leave(self, reader: Reader) -> None:
        """The reader is handed nothing more; a stream without readers is not read."""
        channel = self._channels.get(reader.key)
        if channel is not None:
            channel.readers.discard(reader)
            if not channel.readers:
                del self._channels[reader.key]

    def reached(self) -> None:
        if self._failing_since is not None:
            log.warning("Redis answers again, after %.1f s", self.failing)
            self._failing_since = None

    def may_try(self) -> bool:
        """Whether a reader may ask Redis: while it does not answer, only one of them every now and then."""
        now = asyncio.get_running_loop().time()
        if self._failing_since is not None and now < self._next_try:
            return False
        self._next_try = now + RETRY_SECONDS
        return True

    def failed(self, error: Exception) -> None:
        if self._failing_since is None:
            self._failing_since = asyncio.get_running_loop().time()
            log.warning("streams not readable: %s", error)

    # ------------------------------------------------------------ reading
    def _wake(self) -> None:
        """Makes sure that a stream which has just been opened is in the next question to Redis."""
        self._version += 1
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        elif self._blocked is not None and (self._waker is None or self._waker.done()):
            self._waker = asyncio.create_task(self._unblock())

    async def _unblock(self) -> None:
        """Ends the read that waits. It may reach Redis before that read does, so it is repeated until a new one begins.

        Where the command is not allowed, the read ends by itself within BLOCK_MS.
        """
        wanted = self._version
        while self._asked < wanted and self._blocked is not None:
            try:
                await stream_client().execute_command("CLIENT", "UNBLOCK", self._blocked)
            except (RedisError, OSError) as error:
                log.debug("waiting read not ended: %s", error)
                return
            await asyncio.sleep(0.002)

    async def _run(self) -> None:
        while await self._anybody():
            try:
                async with own_stream_client() as client:
                    await self._follow(client, int(await client.execute_command("CLIENT", "ID")))
            except (RedisError, OSError) as error:
                self.failed(error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                # Everybody's stream hangs on this task.
                log.exception("reading streams failed")
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                self._blocked = None

    async def _anybody(self) -> bool:
        """Whether there is a stream to follow; waits a while for one."""
        if not self._channels:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await self._changed.wait()
        return bool(self._channels)

    async def _follow(self, client: Any, own_id: int) -> None:
        clock = asyncio.get_running_loop().time
        while await self._anybody():
            self._asked = self._version
            channels = list(self._channels.values())
            keys, positions = [c.key for c in channels], [c.position for c in channels]
            self._blocked = own_id
            answer = await client.execute_command(
                "XREAD", "COUNT", ENTRIES_A_ROUND, "BLOCK", BLOCK_MS, "STREAMS", *keys, *positions
            )
            self._blocked = None
            began = clock()
            self.reached()
            told = False
            for key, entries in answer or ():
                pieces = [streams.piece(id, fields) for id, fields in entries]
                self._hand_on(self._channels.get(key), pieces)
                told = told or any(piece.text for piece in pieces)
            # Twice: once for the readers' tasks to be woken, once for what they send to be sent.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            busy = clock() - began
            # A stream that has only been opened is about to bring its first text, which nothing shall hold up.
            await asyncio.sleep(min(LONGEST_PAUSE, max(busy, ROUND_SECONDS - busy) if told else busy))

    @staticmethod
    def _hand_on(channel: Channel | None, pieces: list[Piece]) -> None:
        if channel is None or not pieces or split(pieces[-1].id) <= split(channel.position):
            return
        channel.position = pieces[-1].id
        chars = sum(len(piece.text) for piece in pieces)
        for reader in list(channel.readers):
            reader.push(pieces, chars)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
