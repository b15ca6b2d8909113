"""Bulk runs and batches, on the default queue: a thread of its own asks their rows, so that no task waits for them."""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import Any

from celery.signals import worker_ready, worker_shutdown

from workers.celery import app
from workers.threads import vital

# While rows are being written there may be room for the next any moment; otherwise a bell rings, or time passes.
BUSY_SECONDS, IDLE_SECONDS = 0.2, 2.0

log = logging.getLogger(__name__)


class Driver:
    """The thread, and the bell that wakes it."""

    def __init__(self) -> None:
        self._bell, self._stopping = threading.Event(), threading.Event()
        self._worker = f"{socket.gethostname()}:{os.getpid()}:bulk"
        self._thread = vital(self._run, "bulk")
        self._thread.start()

    def ring(self) -> None:
        self._bell.set()

    def stop(self) -> None:
        self._stopping.set()
        self._bell.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            busy = self._look()
            if not self._bell.wait(BUSY_SECONDS if busy else IDLE_SECONDS):
                continue
            self._bell.clear()

    def _look(self) -> bool:
        from django.db import Error, connection
        from redis.exceptions import RedisError

        from apps.studio.services import bulk
        from workers import batches

        try:
            busy = bulk.drive(self._worker)
            return batches.look(self._worker) or busy
        except (Error, RedisError, OSError) as error:
            # Whatever was asked is committed, and whatever was not is asked later.
            log.warning("bulk runs not driven: %s", error)
            connection.close()
            return False


_driver: Driver | None = None
_lock = threading.Lock()


def running() -> Driver:
    global _driver
    with _lock:
        if _driver is None:
            _driver = Driver()
        return _driver


@worker_ready.connect
def start_with_worker(sender: Any, **_: Any) -> None:
    """A worker of the default queue drives runs from its start, doorbell or not."""
    if "default" in sender.app.amqp.queues.consume_from:
        running()


@worker_shutdown.connect
def leave_in_order(**_: Any) -> None:
    if _driver is not None:
        _driver.stop()


@app.task(name="bulk.drive")
def drive() -> None:
    """The doorbell."""
    running().ring()
