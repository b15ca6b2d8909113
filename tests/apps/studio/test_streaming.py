"""Following a generation: from wherever a reader comes back, the text is whole, and nothing comes twice."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import OperationalError, connection
from redis.exceptions import ConnectionError as RedisConnectionError

from apps.core import hub, jobs, shutdown, streams, threads
from apps.core.batching import Batcher
from apps.core.errors import InvalidRequest, NotFound, ServiceUnavailable
from apps.core.jobs import Status
from apps.core.shutdown import Leaving
from apps.core.streams import DELTA, END, RESET, Entry
from apps.registry.models import ModelVersion
from apps.studio import rows, streaming
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.services import Outcome
from apps.studio.streaming import follow, wait_until_done
from tests.helpers.people import Tenant
from tests.helpers.studio import ask, finish, start

pytestmark = pytest.mark.django_db(transaction=True)

PIECES = ("Grüße", ", ", "", "你好", " 🎉", "\n", "Ende.")
TEXT = "".join(PIECES)
Frame = dict[str, Any]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((rows, "LOOK_SECONDS"), (streaming, "SILENCE_SECONDS"), (streaming, "LAST_ENTRY_SECONDS")):
        monkeypatch.setattr(module, name, 0.03)


@pytest.fixture
def running(org_a: Tenant, model: ModelVersion, redis: Any) -> Generation:
    """A generation of org_a in its first attempt, its stream open."""
    ask(org_a)
    generation = start()
    streams.take_over(redis, generation.pk, 1)
    return generation


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
        return [frame async for frame in follow(tenant.id, generation.pk, after)]


def told(frames: Iterable[Frame], text: str = "") -> str:
    """What a client shows that had `text` before these frames."""
    for frame in frames:
        if frame["type"] == "reset":
            text = ""
        elif frame["type"] == "delta":
            text += frame["text"]
    return text


async def test_a_finished_text_is_whole_from_every_position(org_a: Tenant, running: Generation, redis: Any) -> None:
    await sync_to_async(say)(redis, running, PIECES)
    await sync_to_async(end)(redis, running, TEXT)
    whole = await frames_of(org_a, running)
    assert [frame["type"] for frame in whole] == ["status", "delta", "done"]
    assert told(whole) == TEXT
    assert whole[-1]["generation"]["text"] == TEXT
    assert whole[-1]["generation"]["status"] == "succeeded"
    positions = [frame["id"] for frame in whole if "id" in frame]
    assert positions == sorted(set(positions), key=lambda id: [int(part) for part in id.split("-")])
    for index, frame in enumerate(whole):
        if "id" in frame:
            rest = await frames_of(org_a, running, frame["id"])
            assert told(rest, told(whole[: index + 1])) == TEXT
            assert [each["type"] for each in rest].count("done") == 1


@pytest.mark.parametrize("seed", range(4))
async def test_a_reader_who_drops_at_random_misses_and_repeats_nothing(
    org_a: Tenant, running: Generation, redis: Any, seed: int
) -> None:
    random, words = Random(seed), [f"w{n} " for n in range(60)]

    def write_slowly() -> None:
        for index, word in enumerate(words):
            say(redis, running, [word], seq=index + 1, at=index)
        end(redis, running, "".join(words))
        connection.close()

    writer = asyncio.create_task(sync_to_async(write_slowly, thread_sensitive=False)())
    text, last, done = "", "", False
    async with asyncio.timeout(20):
        while not done:
            async with aclosing(follow(org_a.id, running.pk, last)) as frames:
                for _ in range(random.randint(1, 12)):
                    frame = await anext(frames)
                    text, last, done = told([frame], text), frame.get("id", last), frame["type"] == "done"
                    if done:
                        break
    await writer
    assert text == "".join(words)


async def test_another_worker_goes_on_where_the_first_stopped(org_a: Tenant, running: Generation, redis: Any) -> None:
    await sync_to_async(say)(redis, running, PIECES[:3])
    seen = []
    async with aclosing(follow(org_a.id, running.pk)) as frames:
        async for frame in frames:
            seen.append(frame)
            if told(seen) == "".join(PIECES[:3]):
                break
    second = await sync_to_async(_taken_over)(running, redis)
    await sync_to_async(say)(redis, second, PIECES[3:], attempt=2, at=3)
    await sync_to_async(end)(redis, second, TEXT, attempt=2)
    rest = await frames_of(org_a, running, seen[-1]["id"])
    assert told(seen + rest) == TEXT
    assert "reset" not in {frame["type"] for frame in rest}
    assert told(await frames_of(org_a, running)) == TEXT


def _taken_over(running: Generation, redis: Any) -> Generation:
    jobs.hand_back(Generation, "w1", [running.pk])
    second = start()
    streams.take_over(redis, second.pk, second.attempt)
    return second


async def test_a_worker_that_starts_over_says_so(org_a: Tenant, running: Generation, redis: Any) -> None:
    await sync_to_async(say)(redis, running, ["wrong", " text"])
    second = await sync_to_async(_taken_over)(running, redis)
    await sync_to_async(write)(redis, second, 2, [(1, Entry("", RESET))])
    await sync_to_async(say)(redis, second, PIECES, attempt=2, seq=2)
    await sync_to_async(end)(redis, second, TEXT, attempt=2)
    for after, before in (("", ""), ("1-1", "wrong"), ("1-2", "wrong text"), ("2-1", ""), ("2-3", "".join(PIECES[:2]))):
        assert told(await frames_of(org_a, running, after), before) == TEXT


@pytest.mark.parametrize("after", ["", "1-0", "1-2", "1-99"])
async def test_when_the_stream_is_gone_the_row_tells_the_text(
    org_a: Tenant, running: Generation, redis: Any, after: str
) -> None:
    await sync_to_async(say)(redis, running, PIECES)
    before = "".join(PIECES[: int(after.split("-")[1])]) if after else ""
    await sync_to_async(end)(redis, running, TEXT)
    redis.delete(streams.key(running.pk))
    frames = await frames_of(org_a, running, after)
    assert told(frames, before) == TEXT
    again = await frames_of(org_a, running, frames[-1]["id"])
    assert [frame["type"] for frame in again] == ["status", "done"]


async def test_an_end_that_was_never_written_to_the_stream_is_found_in_the_row(
    org_a: Tenant, running: Generation, redis: Any
) -> None:
    await sync_to_async(say)(redis, running, PIECES[:2])
    assert await sync_to_async(finish)(running, Outcome(Status.SUCCEEDED, TEXT, "stop", 10, 7))
    for after, before in (("", ""), ("1-1", PIECES[0]), ("1-2", "".join(PIECES[:2]))):
        frames = await frames_of(org_a, running, after)
        assert told(frames, before) == TEXT
        assert frames[-1]["type"] == "done"


async def test_what_was_stopped_in_the_queue_is_done_at_once(org_a: Tenant, model: ModelVersion) -> None:
    generation = await sync_to_async(ask)(org_a)
    await sync_to_async(studio.cancel_generation)(org_a.actor, generation.pk)
    frames = await frames_of(org_a, generation)
    assert [frame["type"] for frame in frames] == ["status", "done"]
    assert frames[-1]["generation"]["status"] == "cancelled"


async def test_the_way_through_the_queue_is_told(org_a: Tenant, model: ModelVersion, redis: Any) -> None:
    first, second = await sync_to_async(ask)(org_a), await sync_to_async(ask)(org_a)
    async with asyncio.timeout(10), aclosing(follow(org_a.id, second.pk)) as frames:
        assert await anext(frames) == {"type": "status", "status": "queued", "queue_position": 2, "attempt": 0}
        assert (await sync_to_async(start)()).pk == first.pk
        assert (await anext(frames))["queue_position"] == 1
        await sync_to_async(start)()
        frame = await anext(frames)
        assert (frame["status"], frame["queue_position"], frame["attempt"]) == ("running", None, 1)


async def test_silence_is_broken_by_heartbeats(
    org_a: Tenant, running: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "STREAM_HEARTBEAT_SECONDS", 0.05)
    async with asyncio.timeout(10), aclosing(follow(org_a.id, running.pk)) as frames:
        assert [(await anext(frames))["type"] for _ in range(3)] == ["status", "heartbeat", "heartbeat"]


async def test_others_and_missing_ids_are_the_same_nothing(org_a: Tenant, org_b: Tenant, running: Generation) -> None:
    messages = set()
    for tenant, id in ((org_b, running.pk), (org_a, uuid4())):
        with pytest.raises(NotFound) as refused:
            await anext(follow(tenant.id, id))
        messages.add(refused.value.message)
    assert len(messages) == 1


async def test_a_senseless_position_is_refused_before_anything_is_read(org_a: Tenant, running: Generation) -> None:
    with pytest.raises(InvalidRequest):
        await anext(follow(org_a.id, running.pk, "yesterday"))


def cut(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Reading fails that many times, as while Redis restarts."""
    read, left = streams.read, [times]

    async def flaky(*args: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise RedisConnectionError("restarting")
        return await read(*args, **options)

    monkeypatch.setattr(streams, "read", flaky)
    monkeypatch.setattr(hub, "RETRY_SECONDS", 0.02)


async def test_a_restart_of_redis_costs_a_pause(
    org_a: Tenant, running: Generation, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sync_to_async(say)(redis, running, PIECES)
    cut(monkeypatch, times=2)
    async with asyncio.timeout(20), aclosing(follow(org_a.id, running.pk)) as frames:
        seen = [await anext(frames), await anext(frames)]
    assert told(seen) == TEXT


async def test_a_redis_that_stays_away_is_an_error_that_says_try_again(
    org_a: Tenant, running: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "REDIS_PATIENCE_SECONDS", 0.1)
    cut(monkeypatch, times=1000)
    frames: AsyncGenerator[Frame] = follow(org_a.id, running.pk)
    assert (await anext(frames))["type"] == "status"
    with pytest.raises(ServiceUnavailable) as refused:
        await anext(frames)
    assert refused.value.should_retry
    assert refused.value.retry_after


async def until_text(frames: AsyncGenerator[Frame], text: str) -> list[Frame]:
    """The next frames, until a client shows this text."""
    seen: list[Frame] = []
    async with asyncio.timeout(10):
        while told(seen) != text:
            seen.append(await anext(frames))
    return seen


async def test_a_redis_that_forgets_everything_is_not_noticed_by_who_has_everything(
    org_a: Tenant, running: Generation, redis: Any
) -> None:
    await sync_to_async(say)(redis, running, PIECES[:3])
    async with aclosing(follow(org_a.id, running.pk)) as frames:
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
    async with aclosing(follow(org_a.id, running.pk, after)) as frames:
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
    async with aclosing(follow(org_a.id, running.pk, "1-1")) as frames:
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
    async with asyncio.timeout(20), aclosing(follow(org_a.id, running.pk)) as frames:
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
    streams_of = [follow(tenant.id, generation.pk) for tenant, generation in waiting]
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
    async with aclosing(follow(org_a.id, running.pk)) as frames:
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


async def test_waiting_for_the_end_returns_the_body(org_a: Tenant, running: Generation, redis: Any) -> None:
    await sync_to_async(say)(redis, running, PIECES)
    waiting = asyncio.create_task(wait_until_done(org_a.id, running.pk))
    await sync_to_async(end)(redis, running, TEXT)
    async with asyncio.timeout(10):
        body = await waiting
    assert (body["text"], body["usage"]["completion_tokens"]) == (TEXT, 7)
