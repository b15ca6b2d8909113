"""Many waiting readers, one question: what they ask for about the same time is read together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from apps.core.threads import in_database

T = TypeVar("T")
Load = Callable[[UUID, Sequence[UUID]], dict[UUID, T]]


class Batcher(Generic[T]):
    """Reads rows by (organization, id), each organization's in one call of `load`, which runs in a thread.

    `pause` says for how many seconds questions are collected; asked anew every time. An id that `load` does not return
    is answered with None.
    """

    def __init__(self, load: Load[T], pause: Callable[[], float]) -> None:
        self._load, self._pause = load, pause
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Questions[T]] = WeakKeyDictionary()

    def ask(self, organization_id: UUID, id: UUID) -> asyncio.Future[T | None]:
        """The answer to come; one future serves all who ask for the same, so do not cancel it."""
        loop = asyncio.get_running_loop()
        if loop not in self._by_loop:
            self._by_loop[loop] = _Questions(self._load, self._pause)
        return self._by_loop[loop].ask(organization_id, id)

    async def get(self, organization_id: UUID, id: UUID) -> T | None:
        """Asks and waits; a caller that is cancelled leaves the others their answer."""
        return await asyncio.shield(self.ask(organization_id, id))


class _Questions(Generic[T]):
    """The open questions of one event loop."""

    def __init__(self, load: Load[T], pause: Callable[[], float]) -> None:
        self._load, self._pause = load, pause
        self._open: dict[UUID, dict[UUID, asyncio.Future[T | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def ask(self, organization_id: UUID, id: UUID) -> asyncio.Future[T | None]:
        asked = self._open.setdefault(organization_id, {})
        if id not in asked:
            asked[id] = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return asked[id]

    async def _run(self) -> None:
        while self._open:
            await asyncio.sleep(self._pause())
            asked, self._open = self._open, {}
            await asyncio.gather(*(self._answer(organization, ids) for organization, ids in asked.items()))

    async def _answer(self, organization_id: UUID, asked: dict[UUID, asyncio.Future[Any]]) -> None:
        try:
            found = await in_database(self._load, organization_id, list(asked))
        except BaseException as error:
            for future in asked.values():
                if not future.done():
                    future.set_exception(error)
                    # Its reader may have left; then nobody asks for the exception, which is no fault.
                    future.exception()
            if not isinstance(error, Exception):
                raise
            return
        for id, future in asked.items():
            if not future.done():
                future.set_result(found.get(id))
