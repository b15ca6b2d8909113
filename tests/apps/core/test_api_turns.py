"""Requests to the API take turns, so that a burst waits in line instead of running out of database connections."""

import asyncio

import pytest

from apps.core import api
from apps.core.api import AT_ONCE, Turn
from apps.core.errors import ServiceUnavailable


async def test_only_so_many_are_worked_on_and_all_come_to_their_turn() -> None:
    at_work, most, done = 0, 0, 0

    async def request() -> None:
        nonlocal at_work, most, done
        turn = Turn()
        await turn.take()
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1
        done += 1
        turn.leave()

    await asyncio.gather(*(request() for _ in range(5 * AT_ONCE)))
    assert (most, done) == (AT_ONCE, 5 * AT_ONCE)


async def test_a_turn_that_was_left_twice_makes_room_once() -> None:
    first = Turn()
    await first.take()
    first.leave()
    first.leave()
    taken = [Turn() for _ in range(AT_ONCE)]
    for turn in taken:
        await turn.take()
    waiting = asyncio.create_task(Turn().take())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    taken[0].leave()
    await waiting


async def test_who_gets_no_turn_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "TURN_SECONDS", 0.01)
    for _ in range(AT_ONCE):
        await Turn().take()
    with pytest.raises(ServiceUnavailable):
        await Turn().take()
