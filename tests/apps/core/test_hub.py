"""One blocking read serves every reader of a process, and nobody's slowness costs memory or an entry."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.core import hub as hubs
from apps.core import streams
from apps.core.connections import stream_client
from apps.core.hub import hub
from apps.core.reader import FIRST_CATCH_UP, MOST_CATCH_UP, MOST_HELD, MOST_HELD_CHARS, Reader
from apps.core.streams import DELTA, START, Entry, Piece


def write(redis: Any, work: UUID, numbers: Iterable[int]) -> None:
    pipe = redis.pipeline()
    for number in numbers:
        streams.append(pipe, work, 1, number + 1, Entry("", DELTA, f"{number} ", (number,), number))
    pipe.execute()


async def read_until(reader: Reader, enough: Callable[[list[Piece]], bool]) -> list[Piece]:
    found: list[Piece] = []
    async with asyncio.timeout(20):
        while not enough(found):
            await reader.wait(asyncio.get_running_loop().time() + 10)
            found += await reader.take()
    return found


def numbers(pieces: Iterable[Piece]) -> list[int]:
    return [int(piece.text) for piece in pieces]


def clients_of(redis: Any) -> list[Any]:
    """Those of this database: another test process has its own on the same server."""
    own = str(redis.connection_pool.connection_kwargs["db"])
    return [one for one in redis.client_list() if one["db"] == own]


async def test_many_readers_share_one_connection(redis: Any) -> None:
    before = {one["id"] for one in redis.client_list()}  # an earlier test's connection may take a moment to go
    works = [uuid4() for _ in range(50)]
    readers = [Reader(work, START) for work in works]
    for reader in readers:
        reader.__enter__()
    waiting = [asyncio.create_task(read_until(reader, lambda found: len(found) == 3)) for reader in readers]
    blocked: list[Any] = []
    for _ in range(200):
        await asyncio.sleep(0.05)
        blocked = [one for one in clients_of(redis) if one["cmd"] == "xread" and one["id"] not in before]
        if blocked and len(hub()) == 50:
            break
    assert len(blocked) == 1
    for work in works:
        write(redis, work, range(3))
    for found in await asyncio.gather(*waiting):
        assert numbers(found) == [0, 1, 2]
    for reader in readers:
        reader.__exit__()
    assert len(hub()) == 0
    assert hub()._channels == {}


async def test_a_stream_opened_later_does_not_wait_for_the_read_that_blocks(
    redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "BLOCK_MS", 60_000)
    first, second = uuid4(), uuid4()
    with Reader(first, START) as one, Reader(second, START) as two:
        waiting = asyncio.create_task(read_until(one, bool))
        await asyncio.sleep(0.1)
        late = asyncio.create_task(read_until(two, bool))
        await asyncio.sleep(0.1)
        write(redis, second, [0])
        assert numbers(await late) == [0]
        write(redis, first, [0])
        assert numbers(await waiting) == [0]


async def test_a_reader_that_does_not_take_holds_little_and_misses_nothing(redis: Any) -> None:
    work, count = uuid4(), 5 * MOST_HELD
    with Reader(work, START) as slow, Reader(work, START) as quick:
        await slow.take()
        await quick.take()
        for start in range(0, count, 40):
            write(redis, work, range(start, start + 40))
            assert len(await read_until(quick, lambda found: len(found) == 40)) == 40
            assert len(slow._held) <= MOST_HELD
        assert slow._behind
        assert not slow._held
        assert numbers(await read_until(slow, lambda found: len(found) >= count)) == list(range(count))
        write(redis, work, [count])
        assert numbers(await read_until(slow, bool)) == [count]
        assert not slow._behind


async def test_long_pieces_count_as_what_they_are(redis: Any) -> None:
    work = uuid4()
    with Reader(work, START) as reader:
        await reader.take()
        reader.push([Piece("1-1", DELTA, "x" * MOST_HELD_CHARS, 1, 0)], MOST_HELD_CHARS)
        assert not reader._behind
        reader.push([Piece("1-2", DELTA, "y", 1, 1)], 1)
        assert reader._behind
        assert not reader._held


async def test_two_readers_of_one_stream_are_given_the_same_pieces(redis: Any) -> None:
    work = uuid4()
    with Reader(work, START) as one, Reader(work, START) as two:
        await one.take()
        await two.take()
        write(redis, work, range(5))
        first = await read_until(one, lambda found: len(found) == 5)
        second = await read_until(two, lambda found: len(found) == 5)
    assert all(a is b for a, b in zip(first, second, strict=True))


async def test_a_reader_that_joins_in_the_middle_has_every_entry_once(redis: Any) -> None:
    work = uuid4()
    with Reader(work, START) as early:
        await early.take()
        for start in range(0, 200, 10):
            write(redis, work, range(start, start + 10))
            with Reader(work, START) as late:
                found = await read_until(late, lambda found, least=start + 10: len(found) >= least)
            assert numbers(found) == list(range(start + 10))


async def test_the_hub_bridges_a_lost_connection(redis: Any) -> None:
    work = uuid4()
    with Reader(work, START) as reader:
        waiting = asyncio.create_task(read_until(reader, lambda found: len(found) == 2))
        await asyncio.sleep(0.1)
        write(redis, work, [0])
        await asyncio.sleep(0.1)
        for one in clients_of(redis):
            if one["cmd"] == "xread":
                redis.client_kill(one["addr"])
        write(redis, work, [1])
        assert numbers(await waiting) == [0, 1]
    assert hub().failing == 0


async def test_a_cancelled_reader_leaves_nothing_behind(redis: Any) -> None:
    async def follow() -> None:
        with Reader(uuid4(), START) as reader:
            await read_until(reader, bool)

    tasks = [asyncio.create_task(follow()) for _ in range(20)]
    await asyncio.sleep(0.1)
    assert len(hub()) == 20
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (len(hub()), hub()._channels) == (0, {})
    assert await stream_client().ping()


@pytest.mark.parametrize(("chars", "most_chars", "questions"), [(4, 4 * MOST_CATCH_UP, 6), (1000, MOST_HELD_CHARS, 70)])
async def test_a_reader_that_is_behind_takes_much_at_once_but_never_much_text(
    redis: Any, chars: int, most_chars: int, questions: int
) -> None:
    work, pipe = uuid4(), redis.pipeline()
    for number in range(1000):
        streams.append(pipe, work, 1, number + 1, Entry("", DELTA, f"{number:0{chars}d}", (number,), number))
    pipe.execute()
    found: list[Piece] = []
    with Reader(work, START) as reader:
        for _ in range(questions):
            taken = await reader.take()
            assert sum(len(piece.text) for piece in taken) <= (most_chars if found else FIRST_CATCH_UP * chars)
            found += taken
    assert numbers(found) == list(range(1000))


async def test_a_poke_ends_the_wait_and_the_next_one(redis: Any) -> None:
    with Reader(uuid4(), START) as reader:
        await reader.take()
        far = asyncio.get_running_loop().time() + 60
        waiting = asyncio.create_task(reader.wait(far))
        await asyncio.sleep(0.01)
        hub().wake_all()
        async with asyncio.timeout(5):
            await waiting
            reader.poke()
            await reader.wait(far)
            await reader.wait(asyncio.get_running_loop().time() + 0.05)
