"""Tasks of the generation queue. The doorbell carries no row: the runtime claims the fairest one that waits."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from celery.signals import worker_ready, worker_shutdown

from workers.celery import app

if TYPE_CHECKING:
    from workers.generation.runtime import GenerationRuntime

log = logging.getLogger(__name__)

_runtime: GenerationRuntime | None = None
_lock = threading.Lock()


def running() -> GenerationRuntime:
    """This process's runtime, built at first use; only here do model libraries enter a worker."""
    global _runtime
    with _lock:
        if _runtime is None:
            from workers.generation.runtime import GenerationRuntime

            _runtime = GenerationRuntime()
        return _runtime


@worker_ready.connect
def start_with_worker(sender: Any, **_: Any) -> None:
    """A worker of this queue looks for waiting rows from the start, doorbell or not."""
    if "generation" in sender.app.amqp.queues.consume_from:
        running().wake()


@worker_shutdown.connect
def leave_in_order(**_: Any) -> None:
    if _runtime is not None:
        _runtime.drain()


@app.task(name="generation.wake")
def wake() -> None:
    """The doorbell."""
    running().ring()


@app.task(name="generation.reap")
def reap() -> None:
    """Returns generations whose worker is gone to the queue, and ends those that have lost two workers."""
    from django.db import DatabaseError
    from redis.exceptions import RedisError

    from workers.generation.reaper import reap_generations

    try:
        reap_generations()
    except (DatabaseError, RedisError, OSError) as error:
        log.warning("nothing reaped: %s", error)
