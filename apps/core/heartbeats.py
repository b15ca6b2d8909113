"""Who works: each worker shows itself in Redis every few seconds, and Redis forgets the silent ones."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError

from apps.core.connections import quick_redis_client
from apps.core.views import WORKER_SILENT_SECONDS, worker_key

_STARTED = time.time()


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process as it last showed itself; each of its `engines` has model, loaded, running and slots."""

    queue: str
    name: str
    started: datetime
    seen: datetime
    engines: tuple[dict[str, Any], ...] = ()


def own_name() -> str:
    """This process, as an operator finds it: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def beat(queue: str, engines: Sequence[dict[str, Any]] = ()) -> None:
    """Shows that this process works for the queue; what it says of itself is for people, the first key for /readyz."""
    now = time.time()
    about = {"queue": queue, "name": own_name(), "started": _STARTED, "seen": now, "engines": list(engines)}
    with quick_redis_client().pipeline(transaction=False) as together:
        together.set(worker_key(queue), now, ex=WORKER_SILENT_SECONDS)
        together.set(f"{_prefix()}{queue}:{own_name()}", json.dumps(about), ex=WORKER_SILENT_SECONDS)
        together.execute()


def tick() -> None:
    """Notes that the schedule has rung; kept for good, so that one can see since when it is silent."""
    quick_redis_client().set(_tick_key(), time.time())


def workers() -> list[Worker] | None:
    """Those seen within the last seconds, by queue and name; None while Redis does not answer."""
    client = quick_redis_client()
    try:
        keys = list(client.scan_iter(match=f"{_prefix()}*", count=1000))
        values = client.mget(keys) if keys else []
    except (RedisError, OSError):
        return None
    found = [_worker(json.loads(value)) for value in values if value]
    return sorted(found, key=lambda worker: (worker.queue, worker.name))


def last_tick() -> datetime | None:
    """When the schedule last rang; None if it never did, or Redis does not answer."""
    try:
        value = quick_redis_client().get(_tick_key())
    except (RedisError, OSError):
        return None
    return _moment(float(value)) if value else None


def _worker(about: dict[str, Any]) -> Worker:
    return Worker(
        queue=about["queue"],
        name=about["name"],
        started=_moment(about["started"]),
        seen=_moment(about["seen"]),
        engines=tuple(about["engines"]),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _prefix() -> str:
    return f"{settings.REDIS_PREFIX}:workers:"


def _tick_key() -> str:
    return f"{settings.REDIS_PREFIX}:schedule"
