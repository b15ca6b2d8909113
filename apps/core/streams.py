"""One Redis Stream per piece of work: what it has produced so far, in order, readable from any point.

An entry's id is `{attempt}-{seq}`. Redis refuses an id that is not above the last one, so a worker whose attempt was
taken over cannot write any more: the first entry of the new attempt fences it off.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from redis.exceptions import RedisError, ResponseError

from apps.core.connections import redis_client, stream_client
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


class Write(NamedTuple):
    """One entry to be written exactly after the entry `after`; `after` is empty where no stream may be yet.

    `tokens` are the token ids with commas between them, `seconds` until the stream expires, 0 to leave that alone.
    """

    key: str
    after: str
    id: str
    kind: str
    text: str = ""
    tokens: str = ""
    offset: int = 0
    seconds: int = 0


# All writes of an engine's step are one command. Each compares before it writes: a repeated write is harmless, and a
# stream that is gone, has lost its end or belongs to another attempt is told and never written over.
_WRITE = """
local answers = {}
-- One entry of each command, any of them, carries the time: enough to measure how late readers are given it.
local now = redis.call('TIME')
local stamped = now[2] % #KEYS + 1
for i, key in ipairs(KEYS) do
    local a = (i - 1) * 7
    local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
    local found = last and last[1] or ''
    if found == ARGV[a + 2] then
        answers[i] = 'ok'
    elseif found ~= ARGV[a + 1] then
        answers[i] = found
    else
        local fields = {'k', ARGV[a + 3]}
        if ARGV[a + 4] ~= '' then fields[3], fields[4] = 't', ARGV[a + 4] end
        if ARGV[a + 5] ~= '' then
            fields[#fields + 1] = 'n'
            fields[#fields + 1] = ARGV[a + 5]
            fields[#fields + 1] = 'o'
            fields[#fields + 1] = ARGV[a + 6]
        end
        if i == stamped then
            fields[#fields + 1] = 'a'
            fields[#fields + 1] = string.format('%.0f', now[1] * 1000 + now[2] / 1000)
        end
        local added = redis.pcall('XADD', key, ARGV[a + 2], unpack(fields))
        if type(added) == 'table' and added.err then
            answers[i] = '!' .. added.err
        else
            answers[i] = 'ok'
            if ARGV[a + 7] ~= '0' then redis.call('EXPIRE', key, ARGV[a + 7]) end
        end
    end
end
return answers
"""
WRITTEN, REFUSED = "ok", "!"


@cache
def _write_script(client: Any) -> Any:
    return client.register_script(_WRITE)


def write(client: Any, writes: Sequence[Write]) -> list[str]:
    """Writes in order; for each WRITTEN, REFUSED and why, or the id of the entry that was found instead of `after`.

    An id found is empty when the stream is gone. Raises RedisError when Redis does not answer.
    """
    arguments = [value for entry in writes for value in entry[1:]]
    answers = _write_script(client)(keys=[entry.key for entry in writes], args=arguments)
    return [answer.decode() for answer in answers]


def text_so_far(work_id: UUID | str, client: Any = None) -> str:
    """What has been written since the last start; empty where Redis is away, or part of it was lost."""
    try:
        found = (client or redis_client()).xrange(key(work_id))
    except (RedisError, OSError) as error:
        log.warning("stream not read: %s", error)
        return ""
    return progress([_decode(id, fields) for id, fields in found]).text


def attempt_of(id: str) -> int:
    """The attempt that wrote an entry."""
    return int(id.partition("-")[0])


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


def recover(work_id: UUID | str, attempt: int, client: Any = None) -> Recovered:
    """Takes the stream over for an attempt that will write nothing more than its end; raises Fenced or RedisError."""
    entries = take_over(client or redis_client(), work_id, attempt)
    found = progress(entries)
    # A remote server's text comes without token ids; it sends about one token a piece.
    pieces = sum(entry.kind == DELTA and bool(entry.text) for entry in entries)
    return Recovered(found.text, len(found.token_ids) or (pieces if found.text else 0))


def close(work_id: UUID | str, attempt: int, seq: int, client: Any = None) -> None:
    """Marks the end, after the row has been committed. Readers look at the row too, so a Redis away does no harm."""
    try:
        pipe = (client or redis_client()).pipeline(transaction=False)
        append(pipe, work_id, attempt, seq, Entry("", END))
        pipe.expire(key(work_id), settings.STREAM_EXPIRY_SECONDS)
        pipe.execute(raise_on_error=False)
    except (RedisError, OSError) as error:
        log.warning("end of stream not written: %s", error)


class Piece(NamedTuple):
    """One entry as readers need it: how many tokens it holds and not which. Built ten thousand times a second.

    `at` is when Redis took it, in Unix milliseconds; only some entries carry it, the others have 0.
    """

    id: str
    kind: str
    text: str
    tokens: int
    offset: int
    at: int = 0


def piece(id: bytes, fields: Sequence[bytes]) -> Piece:
    """A piece from Redis's own answer: the id, and names and values in turn."""
    kind, text, tokens, offset, at = "", "", 0, 0, 0
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        if name == b"t":
            text = value.decode()
        elif name == b"n":
            tokens = value.count(b",") + 1
        elif name == b"k":
            kind = value.decode()
        elif name == b"o":
            offset = int(value)
        elif name == b"a":
            at = int(value)
    return Piece(id.decode(), kind, text, tokens, offset, at)


async def read(work_id: UUID | str, after: str, count: int) -> list[Piece]:
    """Up to `count` entries after the given id that are there now."""
    found = await stream_client().execute_command("XRANGE", key(work_id), f"({after}", "+", "COUNT", count)
    return [piece(id, fields) for id, fields in found]


async def around(work_id: UUID | str, position: str) -> tuple[list[Piece], bool]:
    """The entries that end at a position, newest first and at most 16, and whether any entry follows it."""
    pipe = stream_client().pipeline(transaction=True)
    pipe.execute_command("XREVRANGE", key(work_id), position, "-", "COUNT", 16)
    pipe.execute_command("XRANGE", key(work_id), f"({position}", "+", "COUNT", 1)
    earlier, later = await pipe.execute()
    return [piece(id, fields) for id, fields in earlier], bool(later)


async def until(work_id: UUID | str, last: str) -> list[Piece]:
    """The whole stream up to an id, that included."""
    found = await stream_client().execute_command("XRANGE", key(work_id), "-", last)
    return [piece(id, fields) for id, fields in found]


async def newest(work_id: UUID | str) -> Piece | None:
    """The newest entry; None when the stream was never opened or has expired."""
    found = await stream_client().execute_command("XREVRANGE", key(work_id), "+", "-", "COUNT", 1)
    return piece(*found[0]) if found else None
