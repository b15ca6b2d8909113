"""Hints are waited for without tasks, and none is lost on the way."""

import asyncio
from typing import Any

import pytest
from django.conf import settings

from apps.core.rooms import Hints, Rooms


async def test_what_is_there_is_given_at_once_and_in_order() -> None:
    hints = Hints()
    for number in range(3):
        hints.put_nowait({"number": number})
    assert [await hints.within(0.0) for _ in range(4)] == [{"number": 0}, {"number": 1}, {"number": 2}, None]


async def test_whoever_waits_is_woken_by_a_hint() -> None:
    hints = Hints()
    waiting = asyncio.create_task(hints.within(3_600.0))
    await asyncio.sleep(0)
    hints.put_nowait({"type": "changed"})
    hints.put_nowait({"type": "people"})
    async with asyncio.timeout(60):
        assert await waiting == {"type": "changed"}
    assert await hints.within(3_600.0) == {"type": "people"}


async def test_whoever_leaves_while_waiting_takes_nothing_along() -> None:
    hints = Hints()
    waiting = asyncio.create_task(hints.within(3_600.0))
    await asyncio.sleep(0)
    hints.put_nowait({"type": "changed"})
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await hints.within(0.0) == {"type": "changed"}


async def test_a_thousand_that_wait_make_no_tasks() -> None:
    hints = [Hints() for _ in range(10)]
    waiting = [asyncio.create_task(each.within(0.05)) for each in hints]
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == len(waiting) + 1
    assert await asyncio.gather(*waiting) == [None] * 10


async def test_what_is_no_hint_ends_no_listening(redis: Any) -> None:
    channel = f"{settings.REDIS_PREFIX}:rooms-of-a-test:one"
    with Rooms(f"{settings.REDIS_PREFIX}:rooms-of-a-test:*", {"anew": True}).entered(channel) as hints:
        assert await hints.within(60) == {"anew": True}
        redis.publish(channel, "{")
        assert await hints.within(60) == {"anew": True}
        redis.publish(channel, '{"number": 1}')
        assert await hints.within(60) == {"number": 1}
