"""Threads of requests: one after the other in the same, none behind somebody else's work, none kept by a stream."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

from apps.core import threads
from apps.core.threads import KeptThreads, _RequestThread, release_thread


@pytest.fixture(autouse=True)
def _none_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    kept: list[Any] = []
    monkeypatch.setattr(_RequestThread, "_waiting", kept)
    yield
    for thread in kept:
        thread.shutdown()


class Application:
    """Does its synchronous work twice, and what it is told between."""

    def __init__(self, between: Any = None) -> None:
        self.between, self.idents = between, list[int]()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.idents.append(await sync_to_async(threading.get_ident)())
        if self.between:
            await self.between()
        self.idents.append(await sync_to_async(threading.get_ident)())


async def asked(application: Application) -> None:
    await KeptThreads(application)({}, None, None)


async def test_requests_that_follow_each_other_share_a_thread() -> None:
    application = Application()
    for _ in range(3):
        await asked(application)
    assert len(set(application.idents)) == 1
    assert application.idents[0] != threading.get_ident()


async def test_requests_at_the_same_time_have_their_own() -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        inside.set()
        await go_on.wait()

    slow, quick = Application(wait), Application()
    task = asyncio.create_task(asked(slow))
    await inside.wait()
    await asked(quick)
    go_on.set()
    await task
    assert set(slow.idents).isdisjoint(quick.idents)
    assert len(set(slow.idents)) == 1


async def test_a_stream_hands_its_thread_on_while_it_lasts() -> None:
    quick = Application()

    async def stream() -> None:
        await release_thread()
        await asked(quick)

    streaming = Application(stream)
    await asked(streaming)
    assert set(quick.idents) == {streaming.idents[0]}


async def test_more_than_are_kept_end_with_their_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "KEPT", 1)
    first, second = _RequestThread(), _RequestThread()
    first.submit(int).result()
    second.submit(int).result()
    first.hand_on()
    second.hand_on()
    assert len(_RequestThread._waiting) == 1


async def test_nobody_waits_behind_work_that_was_left() -> None:
    go_on, left = threading.Event(), _RequestThread()
    left.submit(go_on.wait, 60)
    left.hand_on()
    assert _RequestThread._waiting == []
    go_on.set()


async def test_nobody_waits_behind_work_before_some_that_was_called_off() -> None:
    go_on, left = threading.Event(), _RequestThread()
    left.submit(go_on.wait, 60)
    assert left.submit(int).cancel()
    left.hand_on()
    assert _RequestThread._waiting == []
    go_on.set()


async def test_work_after_handing_on_gets_a_thread_again() -> None:
    thread = _RequestThread()
    thread.submit(int).result()
    thread.hand_on()
    thread.hand_on()
    assert thread.submit(lambda: 7).result() == 7
    thread.hand_on()
    assert len(_RequestThread._waiting) == 1


@pytest.mark.django_db(transaction=True)
def test_a_thread_in_whose_transaction_somebody_was_left_is_not_used_again() -> None:
    thread, left = _RequestThread(), transaction.atomic()

    def leave_open() -> None:
        left.__enter__()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    thread.submit(leave_open).result()
    thread.submit(int).result()
    # A thread that is not handed on ends with its connection: that none stays open is looked at after each test.
    worker = thread._thread
    thread.hand_on()
    assert _RequestThread._waiting == []
    assert worker is not None
    worker.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        worker.submit(int)


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_was_left_with_its_connection_gives_it_back() -> None:
    thread, seen = _RequestThread(), list[Any]()

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        seen.append(connections[DEFAULT_DB_ALIAS])

    thread.submit(ask).result()
    worker = thread._thread
    thread.hand_on()
    assert worker is not None and _RequestThread._waiting == []
    worker.shutdown()
    assert seen[0].connection is None


@pytest.mark.django_db(transaction=True)
def test_a_thread_whose_transactions_have_ended_is_used_again() -> None:
    thread = _RequestThread()

    def ask() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.close()

    thread.submit(ask).result()
    thread.hand_on()
    assert len(_RequestThread._waiting) == 1
