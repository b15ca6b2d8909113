"""Following a generation from any point to its end; WebSocket, SSE and the OpenAI API all read from here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from apps.accounts.access import Actor
from apps.accounts.watching import Watch, watching
from apps.core import metrics, shutdown, streams
from apps.core.cursor import Cursor, Step, before, placed, split, whole_text
from apps.core.errors import NotFound, ServiceUnavailable
from apps.core.jobs import Status
from apps.core.reader import Reader
from apps.core.streams import END, START, Piece
from apps.studio import rows
from apps.studio.rows import Glance, Snapshot

log = logging.getLogger(__name__)

# While text arrives the row says nothing new; after this silence it is looked at.
SILENCE_SECONDS = 3.0
# The row is committed a moment before the stream's last entry is written.
LAST_ENTRY_SECONDS = 2.0
# A Redis that is away is bridged for this long before the reader is told, and so is a database, which is needed for
# the end only; the worker that has to settle there waits as long.
REDIS_PATIENCE_SECONDS = 30.0
DATABASE_PATIENCE_SECONDS = 300.0

Frame = dict[str, Any]
T = TypeVar("T")


async def follow(
    actor: Actor,
    generation_id: UUID,
    after: str = "",
    grace: float = 0.0,
    *,
    permission: str = "generations:read",
    for_desk: bool = False,
) -> AsyncGenerator[Frame]:
    """Frames from `after` (a frame's id, empty for the beginning) to the `done` frame.

    Frames: status, delta {id, text}, reset {id}, heartbeat, done {id, generation}. Deltas that have come together are
    one frame with the id of the last. What is the support desk's is followed with `for_desk` alone. Raises NotFound at
    the start, AccessRevoked seconds after the actor has not `permission` any more, ServiceUnavailable when Redis or the
    database stays away, and Leaving `grace` seconds after this process was asked to stop; a reader may then come back
    with the last id that it has seen.
    """
    position, row = streams.parse_position(after), (actor.organization_id, generation_id)
    with watching(actor, permission) as watch:
        now = await _first_glance(row)
        if now.for_desk != for_desk:
            raise NotFound("There is no generation with this id.")
        yield now.frame()
        with Reader(generation_id, position) as reader:
            follower = _Follower(row, reader, now, grace, watch)
            await follower.find_place(position)
            holding = HeldBack(position) if now.held_back else None
            async for frame in follower.frames():
                if watch is not None:
                    watch.check()
                for shown in [frame] if holding is None else holding.shown(frame):
                    yield shown


class HeldBack:
    """What a reader is shown of a text that nobody may read before it is finished and checked.

    Its words pass by unseen, a heartbeat now and then in their place; the whole comes at once, before the last frame.
    """

    def __init__(self, position: str) -> None:
        self._position, self._told = position, time.monotonic()

    def shown(self, frame: Frame) -> list[Frame]:
        """The frames in place of one."""
        if frame["type"] not in {"delta", "reset"}:
            self._told = time.monotonic()
        if frame["type"] == "done":
            # Whoever comes back may have been given the whole before.
            again = [] if self._position == START else [{"type": "reset", "id": frame["id"]}]
            return [*again, *_delta([frame["generation"]["text"]], frame["id"]), frame]
        if frame["type"] in {"delta", "reset"}:
            if time.monotonic() - self._told < settings.STREAM_HEARTBEAT_SECONDS:
                return []
            self._told = time.monotonic()
            return [{"type": "heartbeat"}]
        return [frame]


async def _first_glance(row: tuple[UUID, UUID]) -> Glance:
    try:
        now = await rows.glances.get(*row)
    except (OperationalError, InterfaceError) as error:
        raise ServiceUnavailable("The database does not answer; come back.", retry_after=5) from error
    if now is None:
        raise NotFound("There is no generation with this id.")
    return now


class _Follower:
    """One reader on its way through a stream; `watch` says whether it may still be one."""

    def __init__(self, row: tuple[UUID, UUID], reader: Reader, now: Glance, grace: float, watch: Watch | None) -> None:
        self.row, self.reader, self.now, self.grace, self.watch = row, reader, now, grace, watch
        if watch is not None:
            watch.on_end = reader.poke
        self.clock = asyncio.get_running_loop().time
        self.came = time.time()
        self.cursor = Cursor()
        # The last frame, the last news of the row, the last entry.
        self.told = self.looked = self.heard = self.clock()
        self.asked: asyncio.Future[Glance | None] | None = None
        # Since when the database has not answered, and until when the stream's last entry is waited for.
        self.database_away: float | None = None
        self.closing: float | None = None
        self.finished = False

    # ------------------------------------------------------------ the stream
    async def find_place(self, position: str) -> None:
        """Puts the cursor where the reader stands, as far as the stream still knows that."""
        self.cursor = Cursor(position, None)
        if position == START:
            self.cursor = Cursor()
            return
        while True:
            try:
                self.cursor = placed(position, *await streams.around(self.row[1], position))
                return
            except (RedisError, OSError) as error:
                if self.now.ended:
                    return
                self.reader.failed(error)
                self._check_patience()
                await asyncio.sleep(0.25)

    async def frames(self) -> AsyncGenerator[Frame]:
        if self.now.ended:
            await self._expect_end()
        while not self.finished:
            kept_up = self.reader.idle
            await self.reader.wait(self._next_moment())
            taken = pieces = await self.reader.take()
            if kept_up:
                metrics.observe_lag(taken, self.came)
            while pieces:
                frames, pieces = self._read(pieces)
                if pieces:
                    frames += await self._mend(pieces[0])
                    pieces = pieces[1:]
                for frame in frames:
                    yield frame
            if taken:
                self.heard = self.told = self.clock()
            elif self.closing is not None and self.clock() >= self.closing:
                self.finished = True
            if not self.finished:
                for frame in await self._look_around():
                    yield frame
        async for frame in self._end():
            yield frame

    def _read(self, pieces: Sequence[Piece]) -> tuple[list[Frame], Sequence[Piece]]:
        """The frames for these entries; returns the rest when there is a hole before it."""
        frames: list[Frame] = []
        text: list[str] = []
        id = ""
        for index, piece in enumerate(pieces):
            step = self.cursor.take(piece)
            if step is Step.TEXT:
                text.append(piece.text)
                id = piece.id
            elif step is Step.NOTHING and self._begins(piece):
                frames += [*_delta(text, id), self.now.frame()]
                text.clear()
            elif step is Step.NOTHING:
                pass
            elif step is Step.RESET:
                text.clear()
                frames = [*(frame for frame in frames if frame["type"] == "status"), {"type": "reset", "id": piece.id}]
            elif step is Step.END:
                self.finished = True
            else:
                return frames + _delta(text, id), pieces[index:]
        return frames + _delta(text, id), ()

    def _begins(self, piece: Piece) -> bool:
        """Whether a worker has begun an attempt that the row was not yet seen to have: so it runs, without asking."""
        if piece.kind != streams.ATTEMPT or self.now.ended:
            return False
        attempt = streams.attempt_of(piece.id)
        if attempt <= self.now.attempt:
            return False
        # What has been asked may be answered with how the row stood before.
        self.now, self.asked = replace(self.now, status=Status.RUNNING, queue_position=None, attempt=attempt), None
        return True

    async def _mend(self, piece: Piece) -> list[Frame]:
        """Behind a hole: the reader forgets its text, and is told the whole if the stream still has it."""
        empty = self.cursor.chars == 0
        log.warning("generation %s: a reader found a hole in the stream before %s", self.row[1], piece.id)
        try:
            whole = whole_text(await streams.until(self.row[1], piece.id))
        except (RedisError, OSError):
            whole = None
        self.cursor.lose(piece)
        frames: list[Frame] = [] if empty else [{"type": "reset", "id": before(piece.id)}]
        if whole is not None:
            self.cursor.restart()
            self.cursor.tokens = piece.offset + piece.tokens if piece.tokens else None
            self.cursor.chars = len(whole)
            frames += _delta([whole], piece.id)
        return frames

    # ------------------------------------------------------------ what goes on around it
    def _next_moment(self) -> float:
        """When to look around again if nothing comes."""
        moments = [self.told + settings.STREAM_HEARTBEAT_SECONDS]
        if self.asked is None:
            moments.append(self._next_look())
        if self.closing is not None:
            moments.append(self.closing)
        if (leaving := shutdown.check(self.grace)) is not None:
            moments.append(leaving)
        return min(moments)

    def _next_look(self) -> float:
        if self.now.status == Status.QUEUED or self.database_away is not None:
            return 0.0
        return max(self.looked, self.heard) + SILENCE_SECONDS

    async def _look_around(self) -> list[Frame]:
        """Status and heartbeat frames that are due; raises when it makes no sense to stay."""
        self._check_leave()
        self._check_patience()
        frames: list[Frame] = []
        if self.asked is not None and self.asked.done():
            frames += await self._take_answer(self.asked)
        if self.asked is None and not self.now.ended and self.clock() >= self._next_look():
            self._ask()
        if not frames and self.clock() >= self.told + settings.STREAM_HEARTBEAT_SECONDS:
            frames = [{"type": "heartbeat"}]
        if frames:
            self.told = self.clock()
        return frames

    def _ask(self) -> None:
        """Asks how the row stands, together with all who wait."""
        self.asked = rows.later_glances.ask(*self.row)
        self.asked.add_done_callback(self.reader.poke)

    async def _take_answer(self, asked: asyncio.Future[Glance | None]) -> list[Frame]:
        self.asked, self.looked = None, self.clock()
        if (now := self._answer(asked)) is None:
            return []
        changed, self.now = now != self.now, now
        if now.ended:
            await self._expect_end()
            return []
        return [now.frame()] if changed else []

    def _answer(self, asked: asyncio.Future[T | None]) -> T | None:
        """What the row says; None while the database is away."""
        try:
            found = asked.result()
        except (OperationalError, InterfaceError) as error:
            self.database_away = self.database_away or self.clock()
            if self.clock() - self.database_away > DATABASE_PATIENCE_SECONDS:
                raise ServiceUnavailable("The database does not answer; come back.", retry_after=5) from error
            return None
        self.database_away = None
        if found is None:
            raise NotFound("There is no generation with this id.")
        return found

    def _check_leave(self) -> None:
        """Raises when this process stops, or the reader may not read on."""
        shutdown.check(self.grace)
        if self.watch is not None:
            self.watch.check()

    def _check_patience(self) -> None:
        if self.reader.out_of_reach > REDIS_PATIENCE_SECONDS and not self.now.ended:
            raise ServiceUnavailable("The stream is out of reach; try again.", retry_after=5)

    # ------------------------------------------------------------ the end
    async def _expect_end(self) -> None:
        """The row has ended. The stream's last entry is there, or about to come, or will never be."""
        try:
            newest = await streams.newest(self.row[1])
        except (RedisError, OSError):
            newest = None
        self.closing = self.clock() + (LAST_ENTRY_SECONDS if newest is not None else 0.0)
        if newest is not None and newest.kind == END and split(newest.id) <= split(self.cursor.position):
            self.cursor.whole = self.finished = True

    async def _end(self) -> AsyncGenerator[Frame]:
        """The last frames. The row is the truth: where the stream is not whole, the text comes from there."""
        now: Snapshot | None = None
        asked = rows.snapshots.ask(*self.row)
        while now is None or not now.ended:
            # The text has been told; its end waits for the database as long as the worker that settles it.
            await asyncio.wait({asked}, timeout=rows.LOOK_SECONDS)
            self._check_leave()
            if asked.done():
                now = self._answer(asked)
                asked = rows.later_snapshots.ask(*self.row) if now is None or not now.ended else asked
            if self.clock() >= self.told + settings.STREAM_HEARTBEAT_SECONDS:
                self.told = self.clock()
                yield {"type": "heartbeat"}
        position, text = self.cursor.position, now.body["text"]
        if not self.cursor.whole or self.cursor.chars not in {None, len(text)}:
            ending = f"{now.attempt + 1}-0"
            if position != ending:
                if self.cursor.chars != 0:
                    yield {"type": "reset", "id": ending}
                for frame in _delta([text], ending):
                    yield frame
            position = ending
        yield {"type": "done", "id": position, "generation": now.body}


def _delta(pieces: Sequence[str], id: str) -> list[Frame]:
    text = "".join(pieces)
    return [{"type": "delta", "id": id, "text": text}] if text else []
