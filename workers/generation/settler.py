"""Commits ends: text, charge and event in one transaction, tried until the database takes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection

from apps.core import metrics
from apps.core.jobs import Status
from apps.studio.services import Outcome, finish_generation
from workers.generation.active import Active

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
THREADS = 4
NOT_STORED = "text_not_stored"
NOT_STORED_MESSAGE = "The text could not be stored; nothing was charged."


class Settler:
    """A few threads for whatever ends or changes a row; each job waits for the database as long as it takes."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="settle")
        # All of them at once, because a process that has run out of memory may not be able to start one.
        self._in_each(lambda: None)
        self._stopping = threading.Event()
        self._stopped, self._once = False, threading.Lock()

    def settle(self, active: Active, outcome: Outcome, then: Callable[[bool], None]) -> None:
        """Commits in the background; `then` is told whether the end is written, and was ours to write."""
        self._start(active, self._settle, active, outcome, then)

    def submit(self, active: Active, change: Callable[[], object]) -> None:
        """Makes another change of a row in the background."""
        self._start(active, self._change, active, change)

    def _start(self, active: Active, work: Callable[..., None], *arguments: object) -> None:
        try:
            self._threads.submit(work, *arguments)
        except RuntimeError:
            # This process is leaving, and hands the row back.
            log.info("generation %s is left to another worker", active.id)

    def stop(self, seconds: float) -> None:
        """Finishes what can be finished; what the database does not take in time is the reaper's."""
        patience = threading.Timer(seconds, self._stopping.set)
        patience.start()
        with self._once:
            if not self._stopped:
                self._stopped = True
                self._in_each(lambda: connection.close())  # each thread has its own
        self._threads.shutdown(wait=True)
        patience.cancel()

    def _in_each(self, work: Callable[[], None]) -> None:
        """Does this in every thread, once what is queued has been done."""
        together = threading.Barrier(THREADS)

        def meet() -> None:
            together.wait()
            work()

        for _ in range(THREADS):
            self._threads.submit(meet)

    def _settle(self, active: Active, outcome: Outcome, then: Callable[[bool], None]) -> None:
        committed = False
        with structlog.contextvars.bound_contextvars(
            request_id=active.generation.request_id, generation_id=str(active.id), attempt=active.attempt
        ):
            try:
                with metrics.SETTLE_SECONDS.time():
                    committed = self._commit(active, outcome)
                if committed:
                    log.info("generation %s, %d tokens", outcome.status, outcome.completion_tokens)
            except Exception:
                log.exception("generation not settled; the reaper will see to it")
            finally:
                then(committed)

    def _change(self, active: Active, change: Callable[[], object]) -> None:
        try:
            self._patiently(change)
        except Exception:
            log.exception("generation %s not changed; the reaper will see to it", active.id)

    def _commit(self, active: Active, outcome: Outcome) -> bool:
        finish = partial(finish_generation, active.generation.organization_id, active.id, active.attempt)
        try:
            return bool(self._patiently(lambda: finish(outcome)))
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError:
            # The database is there and refuses this text: it always would, so end the generation visibly.
            log.exception("text refused by the database")
        refused = Outcome(Status.FAILED, "", "error", error_code=NOT_STORED, error_message=NOT_STORED_MESSAGE)
        return bool(self._patiently(lambda: finish(refused)))

    def _patiently(self, change: Callable[[], object]) -> object:
        """Repeats `change` while the database is away."""
        told = False
        while True:
            try:
                return change()
            except (OperationalError, InterfaceError) as error:
                connection.close()
                if self._stopping.is_set():
                    raise
                if not told:
                    log.warning("settlement waits for the database: %s", error)
                told = True
                self._stopping.wait(RETRY_SECONDS)
