"""One Redis Stream per piece of work: what it has produced so far, in order, readable from any point.

An entry's id is `{attempt}-{seq}`. Redis refuses an id that is not above the last one, so a worker whose attempt was
taken over cannot write any more: the first entry of the new attempt fences it off.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from redis.exceptions import RedisError, ResponseError

from apps.core.connections import async_redis_client, redis_client
from apps.core.errors import InvalidRequest
from ml.types import Progress

log = logging.getLogger(__name__)

START = "0-0"
# An abandoned stream goes away by itself; a finished one after STREAM_EXPIRY_SECONDS.
ABANDONED_SECONDS = 24 * 3600

ATTEMPT, DELTA, RESET, END = "attempt", "delta", "reset", "end"


class Fenced(Exception):
    """Another attempt has taken this stream over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `offset` counts the tokens before it, so that a hole in the stream shows."""

    id: str
    kind: str
    text: str = ""
    token_ids: tuple[int, ...] = ()
    offset: int = 0


def key(work_id: UUID | str) -> str:
    return f"{settings.REDIS_PREFIX}:stream:{work_id}"


def parse_position(value: str) -> str:
    """A client's last seen entry id, checked; empty means from the beginning."""
    if not value:
        return START
    if not re.fullmatch(r"[0-9]{1,9}-[0-9]{1,12}", value):
        raise InvalidRequest("The position must be the id of an entry, such as 1-17.", param="after")
    return value


def _decode(id: bytes, fields: dict[bytes, bytes]) -> Entry:
    tokens = fields.get(b"n", b"")
    return Entry(
        id=id.decode(),
        kind=fields[b"k"].decode(),
        text=fields.get(b"t", b"").decode(),
        token_ids=tuple(map(int, tokens.split(b","))) if tokens else (),
        offset=int(fields.get(b"o", b"0")),
    )


def append(pipe: Any, work_id: UUID | str, attempt: int, seq: int, entry: Entry) -> None:
    """Adds one entry to a pipeline; `entry.id` is ignored, the id is made of `attempt` and `seq`."""
    fields: dict[str, str | int] = {"k": entry.kind}
    if entry.text:
        fields["t"] = entry.text
    if entry.token_ids:
        fields["n"] = ",".join(map(str, entry.token_ids))
        fields["o"] = entry.offset
    pipe.xadd(key(work_id), fields, id=f"{attempt}-{seq}")


def is_fenced(client: Any, work_id: UUID | str, attempt: int, error: Exception) -> bool:
    """Whether a refused append means that another attempt writes; a repeat of our own entry is harmless."""
    if not isinstance(error, ResponseError) or "equal or smaller" not in str(error):
        return False
    last = client.xrevrange(key(work_id), count=1)
    return bool(last) and int(last[0][0].split(b"-")[0]) > attempt


def take_over(client: Any, work_id: UUID | str, attempt: int) -> list[Entry]:
    """Opens the stream for `attempt`, fencing earlier ones, and returns everything written before.

    Raises Fenced when a later attempt has already opened it.
    """
    pipe = client.pipeline(transaction=True)
    append(pipe, work_id, attempt, 0, Entry("", ATTEMPT))
    pipe.xrange(key(work_id))
    pipe.expire(key(work_id), ABANDONED_SECONDS)
    added, entries, _ = pipe.execute(raise_on_error=False)
    if isinstance(added, ResponseError):
        if is_fenced(client, work_id, attempt, added):
            raise Fenced(str(work_id))
        if "equal or smaller" not in str(added):
            raise added
    if isinstance(entries, Exception):
        raise entries
    return [_decode(id, fields) for id, fields in entries]


def progress(entries: Sequence[Entry]) -> Progress:
    """What the entries add up to since the last reset; empty when part of the stream was lost."""
    tokens: list[int] = []
    text: list[str] = []
    for entry in entries:
        if entry.kind == RESET:
            tokens, text = [], []
        elif entry.kind == DELTA:
            if entry.token_ids and entry.offset != len(tokens):
                return Progress()
            tokens += entry.token_ids
            text.append(entry.text)
    return Progress(token_ids=tuple(tokens), text="".join(text))


@dataclass(frozen=True, slots=True)
class Recovered:
    """What lost workers had streamed: the text, and how many tokens it took."""

    text: str = ""
    tokens: int = 0


def recover(work_id: UUID | str, attempt: int) -> Recovered:
    """Takes the stream over for an attempt that will write nothing more than its end; raises Fenced or RedisError."""
    entries = take_over(redis_client(), work_id, attempt)
    found = progress(entries)
    # A remote server's text comes without token ids; it sends about one token a piece.
    pieces = sum(entry.kind == DELTA and bool(entry.text) for entry in entries)
    return Recovered(found.text, len(found.token_ids) or (pieces if found.text else 0))


def close(work_id: UUID | str, attempt: int, seq: int) -> None:
    """Marks the end, after the row has been committed. Readers look at the row too, so a Redis away does no harm."""
    try:
        pipe = redis_client().pipeline(transaction=False)
        append(pipe, work_id, attempt, seq, Entry("", END))
        pipe.expire(key(work_id), settings.STREAM_EXPIRY_SECONDS)
        pipe.execute(raise_on_error=False)
    except (RedisError, OSError) as error:
        log.warning("end of stream not written: %s", error)


async def read(work_id: UUID | str, after: str, block_ms: int) -> list[Entry]:
    """Entries after the given id; waits up to `block_ms` for the first, and returns an empty list if none comes."""
    client = async_redis_client()
    answer = await client.xread({key(work_id): after}, count=500, block=block_ms or None)
    # redis-py loses a cancellation that comes while it connects; the reader of a client that has left must still end.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return [_decode(id, fields) for _, entries in answer for id, fields in entries]


async def last(work_id: UUID | str) -> Entry | None:
    """The newest entry; None when the stream was never opened or has expired."""
    newest = await async_redis_client().xrevrange(key(work_id), count=1)
    return _decode(*newest[0]) if newest else None
