"""What many ask for at the same time is read once."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError

from apps.core import threads
from apps.core.batching import Batcher
from apps.core.threads import in_database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _closed_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads._Breaker, "error", None)


class Table:
    """Counts how often each organization's rows were read."""

    def __init__(self) -> None:
        self.calls: list[tuple[UUID, int]] = []
        self.broken = False

    def load(self, organization_id: UUID, ids: Sequence[UUID]) -> dict[UUID, str]:
        self.calls.append((organization_id, len(ids)))
        if self.broken:
            raise OperationalError("gone")
        return {id: f"{organization_id}/{id}" for id in ids}


async def test_one_question_for_each_organization() -> None:
    table = Table()
    batcher = Batcher(table.load, lambda: 0.02)
    a, b, ids = uuid4(), uuid4(), [uuid4() for _ in range(40)]
    found = await asyncio.gather(*(batcher.get(org, id) for org in (a, b) for id in ids for _ in range(3)))
    assert sorted(table.calls) == sorted([(a, 40), (b, 40)])
    assert found[0] == f"{a}/{ids[0]}"
    assert found[-1] == f"{b}/{ids[-1]}"


async def test_what_is_not_there_is_none() -> None:
    batcher: Batcher[str] = Batcher(lambda organization, ids: {}, lambda: 0.0)
    assert await batcher.get(uuid4(), uuid4()) is None


async def test_who_leaves_takes_nobodys_answer_along() -> None:
    batcher = Batcher(Table().load, lambda: 0.05)
    org, id = uuid4(), uuid4()
    first, second = (asyncio.create_task(batcher.get(org, id)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second == f"{org}/{id}"


async def test_a_database_that_is_away_is_told_to_all_and_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "QUICK_FAILURE_SECONDS", 0.05)
    table = Table()
    batcher = Batcher(table.load, lambda: 0.0)
    org, id = uuid4(), uuid4()
    table.broken = True
    answers = await asyncio.gather(*(batcher.get(org, id) for _ in range(5)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {OperationalError}
    with pytest.raises(OperationalError):
        await batcher.get(org, id)
    assert len(table.calls) == 1
    table.broken = False
    await asyncio.sleep(0.06)
    assert await batcher.get(org, id) == f"{org}/{id}"


async def test_the_work_of_many_readers_runs_in_a_few_threads() -> None:
    import threading

    def name() -> Any:
        return threading.current_thread().name

    names = set(await asyncio.gather(*(in_database(name) for _ in range(200))))
    assert len(names) <= threads.THREADS
