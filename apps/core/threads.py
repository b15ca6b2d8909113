"""A few threads for the database work of streams: a thousand open streams must not mean a thousand threads."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections

T = TypeVar("T")

# Fewer than the pool's connections, so that pages and the API always find one; and few enough that the event loop,
# which shares the interpreter with them, hands out text while a thousand clients come back at once.
THREADS = 4
# Who comes right after a failed attempt is told the same, instead of holding a thread for another one.
QUICK_FAILURE_SECONDS = 0.5

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
