"""Redis clients: one for threads, one for each event loop."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

QUICK_SECONDS = 0.5
STREAM_CONNECTIONS = 16

_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()


@cache
def redis_client() -> Any:
    """The process's client for synchronous code; safe to share between threads."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=10)


@cache
def quick_redis_client() -> Any:
    """A client for what is not worth waiting for: it gives up within a second.

    A connection that Redis has closed meanwhile is opened again once; an answer that does not come is not asked twice.
    """
    retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=QUICK_SECONDS, socket_timeout=QUICK_SECONDS, retry=retry
    )


@cache
def writer_client() -> Any:
    """The client of a thread that writes streams: it never tries again by itself, so that the writer sees every cut."""
    return redis.Redis.from_url(
        settings.REDIS_URL, protocol=2, socket_connect_timeout=2, socket_timeout=5, retry=Retry(NoBackoff(), 0)
    )


def stream_client() -> Any:
    """The client of the running event loop for reading streams; it answers as Redis does, without dictionaries.

    Its readers share a few connections and wait for one; a lost connection is the caller's to see, and to bear.
    """
    loop = asyncio.get_running_loop()
    if loop not in _by_loop:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            settings.REDIS_URL,
            max_connections=STREAM_CONNECTIONS,
            timeout=None,
            protocol=2,
            socket_connect_timeout=2,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )
        _by_loop[loop] = _plain(redis.asyncio.Redis.from_pool(pool))
    return _by_loop[loop]


def own_stream_client() -> Any:
    """A stream client with one connection of its own, for reads that block; use it as a context."""
    return _plain(stream_client().client())


def _plain(client: Any) -> Any:
    for command in ("XREAD", "XRANGE", "XREVRANGE"):
        client.response_callbacks.pop(command, None)
    return client
