"""Messages to receivers, on the default queue: one thread makes them of events, one claims and notes, one sends.

The one that sends has an event loop, and no connection to the database.

Of the places a few serve endpoints that fail, so that many dead ones never take the place of one that answers; and a
request that has become slow counts no longer among those that others wait for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import resource
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop
from celery.signals import worker_ready, worker_shutdown

from workers.celery import app
from workers.threads import vital

if TYPE_CHECKING:
    from uuid import UUID

    from apps.webhooks.requests import Outcome, Ready

# Requests at once. One that waits for an answer costs a connection; most places are for the slow ones.
SENDERS = 1_280
# What else the process has open, and how many files it asks for where more than it has are allowed.
OTHER_FILES, WANTED_FILES = 256, 4_096
HEALTHY_AT_ONCE, FAILING_AT_ONCE = 576, 32
SLOW_SECONDS = 2.0
# How often events are looked for, and what has become due: seldom where nobody wants to be told of anything.
BUSY_SECONDS, LOOK_SECONDS, QUIET_SECONDS = 0.05, 0.25, 1.0
REAP_SECONDS = 5.0
# What is being sent when the worker leaves may still be answered, and would be sent again if nobody noted that.
LEAVE_SECONDS = 17.0

log = logging.getLogger(__name__)

T = TypeVar("T")


def files_allowed() -> int:
    """How many files this process may have open, after asking for as many as all places take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return WANTED_FILES if soft == resource.RLIM_INFINITY else soft


class Sender:
    """The threads, the bell, and what is under way between them."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:webhooks"
        self._bell, self._stopping = threading.Event(), threading.Event()
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._begun: dict[UUID, tuple[float, bool]] = {}
        self._places = min(SENDERS, files_allowed() - OTHER_FILES)
        self._loop = uvloop.new_event_loop()
        self._sending: set[asyncio.Task[None]] = set()
        self._reaped = 0.0
        vital(self._loop.run_forever, "requests").start()
        self._threads = [vital(self._make, "messages"), vital(self._run, "webhooks")]
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        self._bell.set()

    def stop(self) -> None:
        """Claims nothing more, and gives what is being sent a moment to be noted."""
        self._stopping.set()
        self._bell.set()
        for thread in self._threads:
            thread.join(timeout=LEAVE_SECONDS + 2)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _make(self) -> None:
        """Makes messages of events and of ended jobs, and rings when any is due."""
        from apps.webhooks.services.making import Made, make

        while not self._stopping.is_set():
            made = self._guarded(make) or Made()
            if made.due:
                self._bell.set()
            idle = LOOK_SECONDS if made.wanted else QUIET_SECONDS
            self._stopping.wait(BUSY_SECONDS if made.count else idle)

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Many are noted and claimed together: each question waits for hundreds of threads to let it go on.
            if self._look():
                self._stopping.wait(BUSY_SECONDS)
            elif self._bell.wait(REAP_SECONDS):
                self._bell.clear()
        until = time.monotonic() + LEAVE_SECONDS
        while self._begun and time.monotonic() < until:
            self._guarded(self._note)
            time.sleep(BUSY_SECONDS)

    def _look(self) -> bool:
        return bool(self._guarded(self._round))

    def _guarded(self, work: Callable[[], T]) -> T | None:
        """What `work` returns; None where a store is away."""
        from django.db import Error, connection
        from redis.exceptions import RedisError

        try:
            return work()
        except (Error, RedisError, OSError) as error:
            # What was claimed is held by its lease, and what could not be noted is sent again.
            log.warning("webhooks not looked after: %s", error)
            connection.close()
            return None

    def _round(self) -> bool:
        from apps.webhooks.services import sending

        noted = self._note()
        if time.monotonic() - self._reaped > REAP_SECONDS:
            self._reaped = time.monotonic()
            sending.reap()
        claimed = sending.claim(self.name, *self.room())
        self._begun |= {ready.delivery_id: (time.monotonic(), ready.failing) for ready in claimed}
        self._loop.call_soon_threadsafe(self._begin, claimed)
        return bool(noted or claimed or self._begun)

    def room(self) -> tuple[int, int]:
        """How many more messages may be claimed, of endpoints that work and of those that fail."""
        now, underway = time.monotonic(), list(self._begun.values())
        failing = sum(fails for _, fails in underway)
        fresh = sum(not fails and now - begun < SLOW_SECONDS for begun, fails in underway)
        free = self._places - len(underway)
        return max(0, min(HEALTHY_AT_ONCE - fresh, free - FAILING_AT_ONCE + failing)), FAILING_AT_ONCE - failing

    def _note(self) -> int:
        from apps.webhooks.services import sending

        outcomes: list[Outcome] = []
        while not self._done.empty():
            outcomes.append(self._done.get())
        try:
            noted = sending.note(self.name, outcomes)
        except Exception:
            # Noted with the next, as long as the claims hold: what was answered is not sent again.
            for each in outcomes:
                self._done.put(each)
            raise
        for each in outcomes:
            self._begun.pop(each.ready.delivery_id, None)
        return noted

    def _begin(self, claimed: Sequence[Ready]) -> None:
        """On the event loop, which alone holds on to what runs there."""
        for ready in claimed:
            task = self._loop.create_task(self._send(ready))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, ready: Ready) -> None:
        from apps.webhooks import requests

        try:
            self._done.put(await requests.send(ready))
        except BaseException:
            # The lease lapses, and the message is sent again.
            self._begun.pop(ready.delivery_id, None)
            log.exception("message %s not sent", ready.delivery_id)


_sender: Sender | None = None
_lock = threading.Lock()


def running() -> Sender:
    global _sender
    with _lock:
        if _sender is None:
            _sender = Sender()
        return _sender


@worker_ready.connect
def start_with_worker(sender: Any, **_: Any) -> None:
    """A worker of the default queue sends from its start, doorbell or not."""
    if "default" in sender.app.amqp.queues.consume_from:
        running()


@worker_shutdown.connect
def leave_in_order(**_: Any) -> None:
    if _sender is not None:
        _sender.stop()


@app.task(name="webhooks.take_calls")
def take_calls() -> None:
    """Carries out the calls that have come in."""
    from apps.webhooks.services import calls

    calls.run_calls()


@app.task(name="webhooks.wake")
def wake() -> None:
    """The doorbell."""
    running().ring()
