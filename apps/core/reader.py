"""One client's reading of one stream: a bounded buffer that the hub fills, and Redis where that is not enough."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from redis.exceptions import RedisError

from apps.core import streams
from apps.core.cursor import split
from apps.core.hub import RETRY_SECONDS, hub
from apps.core.streams import Piece

# What a reader may hold; a client that has not taken this much has stopped reading.
MOST_HELD = 128
MOST_HELD_CHARS = 16_384
# Entries that a reader which is behind takes at once: about as much text as it may hold, by the length of those before.
# Each of them is in memory several times until a client that hardly reads has taken it.
FIRST_CATCH_UP, LEAST_CATCH_UP, MOST_CATCH_UP = 32, 8, 256


class Reader:
    """A position in a stream, and what has come behind it; use it as a context, so that it leaves the hub.

    `wait` until there may be something, then `take` it: each entry once, in order, however slow the client is.
    """

    def __init__(self, work_id: UUID | str, position: str) -> None:
        self.work_id, self.key, self.position = work_id, streams.key(work_id).encode(), position
        self._hub, self._loop = hub(), asyncio.get_running_loop()
        self._behind, self._poked = True, False
        self._catch_up_count = FIRST_CATCH_UP
        self._held: list[Piece] = []
        self._held_chars = 0
        self._waiter: asyncio.Future[None] | None = None
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Reader:
        self._hub.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.remove(self)
        if self._timer:
            self._timer.cancel()

    @property
    def out_of_reach(self) -> float:
        """For how many seconds Redis has not answered anybody."""
        return self._hub.failing

    @property
    def idle(self) -> bool:
        """Whether everything that has come is taken: a client that does not keep up is not."""
        return not (self._held or self._behind)

    def failed(self, error: Exception) -> None:
        """Redis did not answer a question about this stream."""
        self._hub.failed(error)

    # ------------------------------------------------------------ waiting
    async def wait(self, until: float) -> None:
        """Returns when there is something to take, when poked, or at `until`, a time of the event loop."""
        if not (self._held or self._behind or self._poked):
            self._until = until
            if self._timer is None or self._timer.when() > until:
                self._set_timer(until)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._poked = False

    def poke(self, _: object = None) -> None:
        """Ends the wait that is going on, or the next one."""
        self._poked = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _set_timer(self, when: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._time_up)

    def _time_up(self) -> None:
        # One timer serves many waits: most end early, and setting a timer for each would cost more than the wait.
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() >= self._until - 0.001:
            self._wake()
        else:
            self._set_timer(self._until)

    # ------------------------------------------------------------ taking
    def push(self, pieces: list[Piece], chars: int) -> None:
        """Called by the hub. Too much for one that is slow: it lets go and will catch up."""
        if len(self._held) + len(pieces) > MOST_HELD or self._held_chars + chars > MOST_HELD_CHARS:
            self._fall_behind()
        else:
            self._held += pieces
            self._held_chars += chars
        self._wake()

    def _fall_behind(self) -> None:
        self._hub.leave(self)
        self._held, self._held_chars, self._behind = [], 0, True

    async def take(self) -> Sequence[Piece]:
        """What has come since the last call; may be nothing."""
        if self._behind:
            return await self._catch_up()
        found, self._held, self._held_chars = self._held, [], 0
        return self._new(found)

    def _new(self, pieces: list[Piece]) -> list[Piece]:
        """Those behind the position, which moves to the last: the hub may hand on what was caught up with already."""
        if not pieces:
            return pieces
        position = split(self.position)
        if split(pieces[0].id) <= position:
            pieces = [piece for piece in pieces if split(piece.id) > position]
        if pieces:
            self.position = pieces[-1].id
        return pieces

    async def _catch_up(self) -> Sequence[Piece]:
        if not self._hub.may_try():
            await asyncio.sleep(RETRY_SECONDS)
            return ()
        # Joined first and read afterwards, so that what is written meanwhile is in the one or in the other.
        joined = self._hub.join(self)
        self._behind = not joined
        try:
            found = await streams.read(self.work_id, self.position, self._catch_up_count)
        except (RedisError, OSError) as error:
            self._hub.failed(error)
            self._fall_behind()
            await asyncio.sleep(RETRY_SECONDS)
            return ()
        self._hub.reached()
        fresh = self._new(found)
        if len(found) >= self._catch_up_count:
            fitting = MOST_HELD_CHARS * len(found) // max(1, sum(len(piece.text) for piece in found))
            self._catch_up_count = max(LEAST_CATCH_UP, min(MOST_CATCH_UP, fitting))
            self._fall_behind()
        elif not joined:
            self._behind = not self._hub.open(self)
        return fresh
