"""What programs that answer at the desk are told, on the default queue: one thread claims and notes, some send."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from celery.signals import worker_ready, worker_shutdown

from workers.celery import app
from workers.threads import vital

if TYPE_CHECKING:
    from apps.support.services.agent_bots.telling import Ready

SENDERS = 32
BUSY_SECONDS, LOOK_SECONDS, REAP_SECONDS = 0.05, 1.0, 10.0
# What is being sent when the worker leaves may still be answered.
LEAVE_SECONDS = 6.0

log = logging.getLogger(__name__)


class Teller:
    """The claiming thread, those that send, and the bell."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:agent_bots"
        self._bell, self._stopping = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(SENDERS, "agent_bots")
        self._lock = threading.Lock()
        self._underway = 0
        self._reaped = 0.0
        self._thread = vital(self._run, "agent_bots")
        self._thread.start()

    def ring(self) -> None:
        self._bell.set()

    def stop(self) -> None:
        """Claims nothing more, and gives what is being sent a moment."""
        self._stopping.set()
        self._bell.set()
        self._thread.join(timeout=LEAVE_SECONDS + 2)
        until = time.monotonic() + LEAVE_SECONDS
        while self._underway and time.monotonic() < until:
            time.sleep(BUSY_SECONDS)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        from django.db import Error, connection

        while not self._stopping.is_set():
            claimed = 0
            try:
                claimed = self._round()
            except (Error, OSError) as error:
                # What was claimed is held by its lease.
                log.warning("bots not told: %s", error)
                connection.close()
            except Exception:
                # A fault in one call is not worth the queue's other work; what was claimed is held by its lease.
                log.exception("bots not told")
                connection.close()
            if self._bell.wait(BUSY_SECONDS if claimed else LOOK_SECONDS):
                self._bell.clear()

    def _round(self) -> int:
        from apps.support.services.agent_bots import telling

        if time.monotonic() - self._reaped > REAP_SECONDS:
            self._reaped = time.monotonic()
            telling.reap()
        if not telling.are_calls_waiting():
            return 0
        claimed = telling.claim(self.name, SENDERS - self._underway)
        for ready in claimed:
            with self._lock:
                self._underway += 1
            self._pool.submit(self._send, ready)
        return len(claimed)

    def _send(self, ready: Ready) -> None:
        from django.db import connection

        from apps.support.services.agent_bots import telling

        try:
            outcome = telling.send(ready)
            telling.note(outcome)
        except Exception:
            # The lease lapses, and it is sent again under the same id.
            log.exception("call %s not noted", ready.call_id)
        finally:
            connection.close()
            with self._lock:
                self._underway -= 1
            # The next one of the conversation is due.
            self._bell.set()


_teller: Teller | None = None
_lock = threading.Lock()


def running() -> Teller:
    global _teller
    with _lock:
        if _teller is None:
            _teller = Teller()
        return _teller


@worker_ready.connect
def start_with_worker(sender: Any, **_: Any) -> None:
    """A worker of the default queue tells from its start, doorbell or not."""
    if "default" in sender.app.amqp.queues.consume_from:
        running()


@worker_shutdown.connect
def leave_in_order(**_: Any) -> None:
    if _teller is not None:
        _teller.stop()


@app.task(name="support.tell_bots")
def tell_bots() -> None:
    """The doorbell."""
    running().ring()
