"""Redis clients: one for threads, one for each event loop."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings

_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()


@cache
def redis_client() -> Any:
    """The process's client for synchronous code; safe to share between threads."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=10)


def async_redis_client() -> Any:
    """The client of the running event loop; reads that block take a connection each."""
    loop = asyncio.get_running_loop()
    if loop not in _by_loop:
        # A reader that waits holds a connection, so the pool must be larger than the streams of one process.
        _by_loop[loop] = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=10, max_connections=10_000
        )
    return _by_loop[loop]
