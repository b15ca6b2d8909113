"""Following a generation from any point to its end; WebSocket, SSE and the OpenAI API all read from here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from redis.exceptions import RedisError

from apps.core import jobs, streams, tenancy
from apps.core.errors import NotFound, ServiceUnavailable
from apps.core.jobs import Status
from apps.studio.body import generation_body
from apps.studio.models import Generation

log = logging.getLogger(__name__)

# How long one read waits: short while queued, since the place in the queue changes, longer while text arrives.
QUEUED_WAIT_MS = 1000
RUNNING_WAIT_MS = 3000
LAST_ENTRY_WAIT_MS = 2000
# A cut connection to Redis is bridged for this long before the reader is told.
REDIS_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A generation's row at one moment, as its public body."""

    body: dict[str, Any]
    attempt: int

    @property
    def ended(self) -> bool:
        return self.body["status"] in jobs.TERMINAL

    def status_frame(self) -> dict[str, Any]:
        return {
            "type": "status",
            "status": self.body["status"],
            "queue_position": self.body["queue_position"],
            "attempt": self.attempt,
        }


@sync_to_async
def snapshot(organization_id: UUID, generation_id: UUID) -> Snapshot:
    """Reads the row; raises NotFound."""
    with tenancy.scope(organization_id):
        generation = Generation.objects.select_related("model").filter(pk=generation_id).first()
        if generation is None:
            raise NotFound("There is no generation with this id.")
        now = Snapshot(generation_body(generation), generation.attempt)
    # A reader may stay for minutes: it must not keep one of the pool's connections meanwhile.
    close_old_connections()
    return now


async def _snapshot_again(organization_id: UUID, generation_id: UUID) -> Snapshot:
    """The row in mid-stream, where an answer can no longer become a 503."""
    try:
        return await snapshot(organization_id, generation_id)
    except (OperationalError, InterfaceError) as error:
        raise ServiceUnavailable("The database does not answer; come back.", retry_after=5) from error


async def follow(organization_id: UUID, generation_id: UUID, after: str = "") -> AsyncGenerator[dict[str, Any]]:
    """Frames from `after` (a frame's id, empty for the beginning) to the `done` frame.

    Frames: status, delta {id, text}, reset {id}, heartbeat, done {id, generation}. Raises NotFound at the start and
    ServiceUnavailable when Redis stays away; a reader may then come back with the last id it has seen.
    """
    position = streams.parse_position(after)
    now = await snapshot(organization_id, generation_id)
    yield now.status_frame()
    silent_ms = 0
    while True:
        wait = _patience_ms(now)
        entries = await _read_patiently(generation_id, position, wait)
        for entry in entries:
            position = entry.id
            if frame := _frame(entry):
                yield frame
        if now.ended and (not entries or entries[-1].kind == streams.END):
            break
        silent_ms = 0 if entries else silent_ms + wait
        if entries and entries[-1].kind == streams.DELTA:
            continue
        before, now = now, await _snapshot_again(organization_id, generation_id)
        if now.status_frame() != before.status_frame() and not now.ended:
            yield now.status_frame()
        if silent_ms >= settings.STREAM_HEARTBEAT_SECONDS * 1000:
            silent_ms = 0
            yield {"type": "heartbeat"}
    async for frame in _ending(generation_id, position, now):
        yield frame


def _frame(entry: streams.Entry) -> dict[str, Any] | None:
    if entry.kind == streams.DELTA and entry.text:
        return {"type": "delta", "id": entry.id, "text": entry.text}
    return {"type": "reset", "id": entry.id} if entry.kind == streams.RESET else None


def _patience_ms(now: Snapshot) -> int:
    if now.ended:
        return 0
    wait = QUEUED_WAIT_MS if now.body["status"] == Status.QUEUED else RUNNING_WAIT_MS
    return min(wait, settings.STREAM_HEARTBEAT_SECONDS * 1000)


async def _ending(generation_id: UUID, position: str, now: Snapshot) -> AsyncGenerator[dict[str, Any]]:
    """The last frames. The row is the truth: where the stream is not whole, the text comes from there."""
    try:
        newest = await streams.last(generation_id)
        if newest and newest.kind != streams.END:
            # The row is committed a moment before the stream's last entry is written.
            for entry in await streams.read(generation_id, position, LAST_ENTRY_WAIT_MS):
                position = entry.id
                if frame := _frame(entry):
                    yield frame
            newest = await streams.last(generation_id)
    except (RedisError, OSError):
        newest = None
    if newest is None or newest.kind != streams.END:
        ending = f"{now.attempt + 1}-0"
        if position not in {ending, streams.START}:
            yield {"type": "reset", "id": ending}
        if position != ending and now.body["text"]:
            yield {"type": "delta", "id": ending, "text": now.body["text"]}
        position = ending
    yield {"type": "done", "id": position, "generation": now.body}


async def _read_patiently(generation_id: UUID, position: str, wait_ms: int) -> list[streams.Entry]:
    """One read; a restart of Redis costs a pause and nothing else."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + REDIS_PATIENCE_SECONDS
    while True:
        try:
            return await streams.read(generation_id, position, wait_ms)
        except (RedisError, OSError) as error:
            if loop.time() > give_up:
                raise ServiceUnavailable("The stream is out of reach; try again.", retry_after=5) from error
            await asyncio.sleep(0.25)


async def wait_until_done(organization_id: UUID, generation_id: UUID) -> dict[str, Any]:
    """The finished generation's body."""
    body: dict[str, Any] = {}
    async for frame in follow(organization_id, generation_id):
        if frame["type"] == "done":
            body = frame["generation"]
    return body
