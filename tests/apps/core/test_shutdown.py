"""A process that is asked to stop tells its streams, and the server still hears the signal."""

import asyncio
import gc
import signal
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from apps.core import shutdown
from apps.core.reader import Reader
from apps.core.shutdown import Leaving
from apps.core.streams import START


@pytest.fixture(autouse=True)
def _stay() -> Iterator[None]:
    yield
    shutdown.stay()


async def test_waiting_readers_are_told(redis: Any) -> None:
    assert shutdown.check(0) is None
    with Reader(uuid4(), START) as reader:
        await reader.take()
        waiting = asyncio.create_task(reader.wait(asyncio.get_running_loop().time() + 60))
        await asyncio.sleep(0.01)
        shutdown.leave()
        async with asyncio.timeout(5):
            await waiting
    with pytest.raises(Leaving) as told:
        shutdown.check(0)
    assert (told.value.status, told.value.should_retry) == (503, True)


async def test_who_waits_for_something_else_is_woken() -> None:
    woken, gone = asyncio.Event(), asyncio.Event()
    with shutdown.woken_by_it(woken.set):
        with shutdown.woken_by_it(gone.set):
            pass
        shutdown.leave()
    assert woken.is_set() and not gone.is_set()


async def test_who_cannot_come_back_is_given_time() -> None:
    shutdown.leave()
    assert (shutdown.check(60) or 0) > asyncio.get_running_loop().time() + 50


async def test_the_signal_reaches_streams_and_server(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    try:
        task = asyncio.create_task(shutdown.lifespan({"type": "lifespan"}, events.get, answers.put))
        await events.put({"type": "lifespan.startup"})
        assert (await answers.get())["type"] == "lifespan.startup.complete"
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0.01)
        assert gc.get_freeze_count() > 100_000 and "apps.billing.urls" in sys.modules
        assert heard == [signal.SIGTERM]
        with pytest.raises(Leaving):
            shutdown.check(0)
        await events.put({"type": "lifespan.shutdown"})
        await task
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
