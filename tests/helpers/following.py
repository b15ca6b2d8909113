"""A generation's stream as a worker writes it, and as a client reads it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from apps.core import streams
from apps.core.jobs import Status
from apps.core.streams import DELTA, END, Entry
from apps.studio.models import Generation
from apps.studio.services import Outcome
from apps.studio.streaming import follow
from tests.helpers.people import Tenant
from tests.helpers.studio import finish

PIECES = ("Grüße", ", ", "", "你好", " 🎉", "\n", "Ende.")
TEXT = "".join(PIECES)
Frame = dict[str, Any]


def write(redis: Any, generation: Generation, attempt: int, entries: Iterable[tuple[int, Entry]]) -> None:
    pipe = redis.pipeline()
    for seq, entry in entries:
        streams.append(pipe, generation.pk, attempt, seq, entry)
    pipe.execute()


def say(redis: Any, generation: Generation, pieces: Iterable[str], attempt: int = 1, seq: int = 1, at: int = 0) -> None:
    entries = [Entry("", DELTA, text, (at + index,), at + index) for index, text in enumerate(pieces)]
    write(redis, generation, attempt, enumerate(entries, start=seq))


def end(redis: Any, generation: Generation, text: str, attempt: int = 1, seq: int = 0) -> None:
    """The row first and the stream's last entry after it, as the worker does."""
    assert finish(generation, Outcome(Status.SUCCEEDED, text, "stop", 10, 7))
    newest = redis.xrevrange(streams.key(generation.pk), count=1)[0][0].decode()
    write(redis, generation, attempt, [(seq or int(newest.split("-")[1]) + 1, Entry("", END))])


async def frames_of(tenant: Tenant, generation: Generation, after: str = "") -> list[Frame]:
    async with asyncio.timeout(10):
        return [frame async for frame in follow(tenant.actor, generation.pk, after)]


def told(frames: Iterable[Frame], text: str = "") -> str:
    """What a client shows that had `text` before these frames."""
    for frame in frames:
        if frame["type"] == "reset":
            text = ""
        elif frame["type"] == "delta":
            text += frame["text"]
    return text


async def until_text(frames: AsyncGenerator[Frame], text: str) -> list[Frame]:
    """The next frames, until a client shows this text."""
    seen: list[Frame] = []
    async with asyncio.timeout(10):
        while told(seen) != text:
            seen.append(await anext(frames))
    return seen
