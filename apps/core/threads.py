"""Threads for what waits for the database: a few for all streams, and kept ones for requests, each one's at a time.

A thousand open streams must not mean a thousand threads, nor a thousand requests that many begun and ended.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections, connections

T = TypeVar("T")

# Fewer than the pool's connections, so that pages and the API always find one; and few enough that the event loop,
# which shares the interpreter with them, hands out text while a thousand clients come back at once.
THREADS = 4
# Who comes right after a failed attempt is told the same, instead of holding a thread for another one.
QUICK_FAILURE_SECONDS = 0.5
# Threads that wait for the next request; more requests than these at a time have threads that end with them.
KEPT = 8

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="streams")


class _Breaker:
    """The last failure to reach the database."""

    error: Exception | None = None
    until = 0.0


async def in_database(work: Callable[..., T], *args: object) -> T:
    """Runs `work` in one of the shared threads and hands its database connection back.

    Raises what `work` raises; OperationalError or InterfaceError when the database does not answer.
    """
    context = contextvars.copy_context()
    call = partial(context.run, _with_connection, partial(work, *args))
    return await asyncio.get_running_loop().run_in_executor(_pool, call)


def _with_connection(work: Callable[[], T]) -> T:
    if _Breaker.error is not None and time.monotonic() < _Breaker.until:
        raise OperationalError("The database did not answer a moment ago.") from _Breaker.error
    try:
        found = work()
    except (OperationalError, InterfaceError) as error:
        _Breaker.error, _Breaker.until = error, time.monotonic() + QUICK_FAILURE_SECONDS
        raise
    finally:
        close_old_connections()
    _Breaker.error = None
    return found


# ---------------------------------------------------------------- of requests
class KeptThreads:
    """Runs an ASGI application's synchronous code in threads that are used again.

    Django begins two threads for each request, one to work in and one to wait for its end, and all that a thread has
    of its own, such as the state of a database connection, is made anew with it.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        thread = _RequestThread()
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.application(scope, receive, send)
        finally:
            thread.hand_on()


class _RequestThread(Executor):
    """The thread of one request: taken when it is first needed, and handed on to another request afterwards."""

    _waiting: list[ThreadPoolExecutor] = []

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._unfinished: list[Future[Any]] = []
        self._is_connected = False

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        if self._thread is None:
            self._thread = _taken(self._waiting) or ThreadPoolExecutor(1, thread_name_prefix="request")
        future = self._thread.submit(self._noting, partial(work, *args, **kwargs))
        self._unfinished = [*(each for each in self._unfinished if not each.done()), future]
        return future

    def _noting(self, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            self._is_connected = any(each.connection for each in connections.all(initialized_only=True))

    def hand_on(self) -> None:
        """Work that comes later gets a thread again."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        # Whoever has left may have left work behind, or a connection and a transaction on it, and nobody else shall
        # wait for the one or find themselves in the other.
        is_free = all(each.done() for each in self._unfinished) and not self._is_connected
        if is_free and len(self._waiting) < KEPT:
            self._waiting.append(thread)
            return
        thread.submit(connections.close_all)
        thread.shutdown(wait=False)


def _taken(waiting: list[ThreadPoolExecutor]) -> ThreadPoolExecutor | None:
    try:
        return waiting.pop()
    except IndexError:
        return None


async def release_thread() -> None:
    """Hands on the thread in which this request's synchronous code has run, and gives back its database connection.

    It would be kept until the answer has ended, and a stream may last for minutes; work that comes later gets another.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    thread = SyncToAsync.context_to_thread_executor.get(context) if context else None
    if isinstance(thread, _RequestThread):
        await sync_to_async(close_old_connections)()
        thread.hand_on()
