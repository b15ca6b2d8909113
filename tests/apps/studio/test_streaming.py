"""Following a generation: from wherever a reader comes back, the text is whole, and nothing comes twice."""

import asyncio
from contextlib import aclosing
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection

from apps.core import jobs, streams
from apps.core.errors import InvalidRequest, NotFound
from apps.core.jobs import Status
from apps.core.streams import RESET, Entry
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.services import Outcome
from apps.studio.streaming import follow
from tests.helpers.following import PIECES, TEXT, end, frames_of, say, told, write
from tests.helpers.people import Tenant
from tests.helpers.studio import ask, finish, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_looks")]


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
            async with aclosing(follow(org_a.actor, running.pk, last)) as frames:
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
    async with aclosing(follow(org_a.actor, running.pk)) as frames:
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
    async with asyncio.timeout(10), aclosing(follow(org_a.actor, second.pk)) as frames:
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
    async with asyncio.timeout(10), aclosing(follow(org_a.actor, running.pk)) as frames:
        assert [(await anext(frames))["type"] for _ in range(3)] == ["status", "heartbeat", "heartbeat"]


async def test_others_and_missing_ids_are_the_same_nothing(org_a: Tenant, org_b: Tenant, running: Generation) -> None:
    messages = set()
    for tenant, id in ((org_b, running.pk), (org_a, uuid4())):
        with pytest.raises(NotFound) as refused:
            await anext(follow(tenant.actor, id))
        messages.add(refused.value.message)
    assert len(messages) == 1


async def test_a_senseless_position_is_refused_before_anything_is_read(org_a: Tenant, running: Generation) -> None:
    with pytest.raises(InvalidRequest):
        await anext(follow(org_a.actor, running.pk, "yesterday"))
