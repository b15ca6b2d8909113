"""Redis, the database or the process goes away in the middle of a text: readers wait, and miss nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from apps.core import reader, shutdown, streams, threads
from apps.core.batching import Batcher
from apps.core.errors import ServiceUnavailable
from apps.core.shutdown import Leaving
from apps.core.streams import DELTA, RESET, Entry
from apps.registry.models import ModelVersion
from apps.studio import rows, streaming
from apps.studio.models import Generation
from apps.studio.streaming import follow
from tests.helpers.following import PIECES, TEXT, Frame, end, frames_of, say, told, until_text, write
from tests.helpers.people import Tenant
from tests.helpers.studio import ask

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_looks")]


def cut(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Reading fails that many times, as while Redis restarts."""
    read, left = streams.read, [times]

    async def flaky(*args: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise RedisConnectionError("restarting")
        return await read(*args, **options)

    monkeypatch.setattr(streams, "read", flaky)
    monkeypatch.setattr(reader, "RETRY_SECONDS", 0.02)


async def test_a_restart_of_redis_costs_a_pause(
    org_a: Tenant, running: Generation, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sync_to_async(say)(redis, running, PIECES)
    cut(monkeypatch, times=2)
    async with asyncio.timeout(20), aclosing(follow(org_a.actor, running.pk)) as frames:
        seen = [await anext(frames), await anext(frames)]
    assert told(seen) == TEXT


async def test_a_redis_that_stays_away_is_an_error_that_says_try_again(
    org_a: Tenant, running: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "REDIS_PATIENCE_SECONDS", 0.1)
    cut(monkeypatch, times=1000)
    frames: AsyncGenerator[Frame] = follow(org_a.actor, running.pk)
    assert (await anext(frames))["type"] == "status"
    with pytest.raises(ServiceUnavailable) as refused:
        await anext(frames)
    assert refused.value.should_retry
    assert refused.value.retry_after


async def test_a_redis_that_forgets_everything_is_not_noticed_by_who_has_everything(
    org_a: Tenant, running: Generation, redis: Any
) -> None:
    await sync_to_async(say)(redis, running, PIECES[:3])
    async with aclosing(follow(org_a.actor, running.pk)) as frames:
        seen = await until_text(frames, "".join(PIECES[:3]))
        redis.delete(streams.key(running.pk))
        await sync_to_async(say)(redis, running, PIECES[3:], seq=4, at=3)
        await sync_to_async(end)(redis, running, TEXT)
        seen += [frame async for frame in frames]
    assert told(seen) == TEXT
    assert "reset" not in {frame["type"] for frame in seen}


@pytest.mark.parametrize("after", ["", "1-1", "1-2", "1-3"])
async def test_who_comes_back_to_a_stream_that_lost_its_beginning_never_sees_a_gap(
    org_a: Tenant, running: Generation, redis: Any, after: str
) -> None:
    await sync_to_async(say)(redis, running, PIECES[3:5], seq=4, at=3)
    before = "".join(PIECES[: int(after.split("-")[1])]) if after else ""
    async with aclosing(follow(org_a.actor, running.pk, after)) as frames:
        seen = [await anext(frames)]
        if after:
            seen += await until_text(frames, "")
        # The worker notices, and tells its whole text again.
        await sync_to_async(write)(
            redis, running, 1, [(6, Entry("", RESET)), (7, Entry("", DELTA, "".join(PIECES[:5]), tuple(range(5)), 0))]
        )
        await sync_to_async(say)(redis, running, PIECES[5:], seq=8, at=5)
        await sync_to_async(end)(redis, running, TEXT)
        async for frame in frames:
            seen.append(frame)
            assert TEXT.startswith(told(seen, before)) or told(seen, before) == before
    assert told(seen, before) == TEXT


async def test_without_a_worker_that_notices_the_row_tells_the_text(
    org_a: Tenant, running: Generation, redis: Any
) -> None:
    await sync_to_async(say)(redis, running, PIECES[3:5], seq=4, at=3)
    async with aclosing(follow(org_a.actor, running.pk, "1-1")) as frames:
        seen = [await anext(frames), await anext(frames)]
        assert seen[1] == {"type": "reset", "id": "1-3"}
        await sync_to_async(say)(redis, running, PIECES[5:], seq=6, at=5)
        await sync_to_async(end)(redis, running, TEXT)
        seen += [frame async for frame in frames]
    assert told(seen) == TEXT
    # A client passes over ids that it has seen: whatever starts over must come after them.
    ids = [[int(part) for part in frame["id"].split("-")] for frame in seen if "id" in frame]
    assert ids[:-1] == sorted(ids[:-1])
    assert ids[-1] == ids[-2]


async def test_the_end_waits_for_the_database(
    org_a: Tenant, running: Generation, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "STREAM_HEARTBEAT_SECONDS", 0.05)
    away = True
    load = rows.load_snapshots

    def broken(*args: Any) -> Any:
        if away:
            raise OperationalError("no connection")
        return load(*args)

    monkeypatch.setattr(rows, "snapshots", Batcher(broken, lambda: 0.0))
    monkeypatch.setattr(rows, "later_snapshots", Batcher(broken, lambda: 0.02))
    monkeypatch.setattr(threads, "QUICK_FAILURE_SECONDS", 0.0)
    async with asyncio.timeout(20), aclosing(follow(org_a.actor, running.pk)) as frames:
        await anext(frames)
        await sync_to_async(say)(redis, running, PIECES)
        await sync_to_async(end)(redis, running, TEXT)
        seen = await until_text(frames, TEXT)
        assert [(await anext(frames))["type"] for _ in range(3)] == ["heartbeat"] * 3
        away = False
        seen += [frame async for frame in frames]
    assert seen[-1]["type"] == "done"
    assert told(seen) == TEXT


async def test_rows_of_waiting_readers_are_read_together(
    org_a: Tenant, org_b: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = [(tenant, await sync_to_async(ask)(tenant)) for tenant in (org_a, org_b) for _ in range(4)]
    calls: list[int] = []

    def counted(organization_id: Any, ids: Any) -> Any:
        calls.append(len(ids))
        return rows.load_glances(organization_id, ids)

    monkeypatch.setattr(rows, "later_glances", Batcher(counted, lambda: 0.3))
    monkeypatch.setattr(settings, "STREAM_HEARTBEAT_SECONDS", 0.4)
    streams_of = [follow(tenant.actor, generation.pk) for tenant, generation in waiting]
    async with asyncio.timeout(20):
        first = await asyncio.gather(*(anext(frames) for frames in streams_of))
        await asyncio.gather(*(anext(frames) for frames in streams_of))
    assert [frame["queue_position"] for frame in first] == [1, 2, 3, 4] * 2
    assert set(calls) == {4}
    for frames in streams_of:
        await frames.aclose()


async def test_a_process_that_stops_ends_its_streams_where_another_goes_on(
    org_a: Tenant, running: Generation, redis: Any
) -> None:
    await sync_to_async(say)(redis, running, PIECES[:3])
    async with aclosing(follow(org_a.actor, running.pk)) as frames:
        seen = await until_text(frames, "".join(PIECES[:3]))
        shutdown.leave()
        try:
            with pytest.raises(Leaving):
                await anext(frames)
        finally:
            shutdown.stay()
    await sync_to_async(say)(redis, running, PIECES[3:], seq=4, at=3)
    await sync_to_async(end)(redis, running, TEXT)
    assert told(seen + await frames_of(org_a, running, seen[-1]["id"])) == TEXT
