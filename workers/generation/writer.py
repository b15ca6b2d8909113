"""Writes what engines produce: one Redis pipeline for all that has come since the last, then the settlements."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection
from redis.exceptions import RedisError

from apps.core import streams
from apps.core.connections import redis_client
from apps.core.jobs import Status
from apps.studio.services import Outcome, finish_generation
from ml.types import StepOutput
from workers.generation.active import Active

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.2
# With Redis away for longer than this the text is settled all the same: readers then get it from the row.
STREAM_PATIENCE_SECONDS = 10.0
SETTLE_PATIENCE_SECONDS = 300.0

NOT_STORED = "text_not_stored"
NOT_STORED_MESSAGE = "The text could not be stored; nothing was charged."

Write = tuple[Active, int, streams.Entry]


class Writer:
    """One thread that writes streams, and a few that settle; `on_end` and `on_lost` tell the runtime."""

    def __init__(self, find: Callable[[str], Active | None], on_end: Callable[[Active], None]) -> None:
        self._find, self._on_end = find, on_end
        self._outputs: queue.SimpleQueue[Sequence[StepOutput] | None] = queue.SimpleQueue()
        self._settlers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="settle")
        self._thread = threading.Thread(target=self._run, name="stream-writer", daemon=True)
        self._thread.start()

    def put(self, outputs: Sequence[StepOutput]) -> None:
        self._outputs.put(outputs)

    def stop(self) -> None:
        """Writes what is waiting, finishes settlements, and ends."""
        self._outputs.put(None)
        self._thread.join(timeout=15)
        self._settlers.shutdown(wait=True)

    def _run(self) -> None:
        running = True
        while running:
            batch = [self._outputs.get()]
            while not self._outputs.empty():
                batch.append(self._outputs.get())
            running = None not in batch
            try:
                self._write([output for outputs in batch if outputs for output in outputs])
            except Exception:
                # The thread must outlive any single bad output.
                log.exception("stream not written")
                self._let_go([output for outputs in batch if outputs for output in outputs])

    def _let_go(self, outputs: list[StepOutput]) -> None:
        """Stops holding these generations, so that their leases lapse and the reaper sees to them."""
        for output in outputs:
            if active := self._find(output.request_id):
                active.lost.set()
                self._on_end(active)

    def _write(self, outputs: list[StepOutput]) -> None:
        writes: list[Write] = []
        ended: list[tuple[Active, Outcome]] = []
        for output in outputs:
            active = self._find(output.request_id)
            if active is None or active.lost.is_set():
                continue
            writes += [(active, seq, entry) for seq, entry in active.entries_for(output)]
            if output.finish_reason:
                ended.append((active, active.outcome(output)))
        self._append(writes)
        for active, outcome in ended:
            self.settle(active, outcome)

    def _append(self, writes: list[Write]) -> None:
        """Writes until it has succeeded, or until patience ends: a restart of Redis costs a pause, no token."""
        give_up = time.monotonic() + STREAM_PATIENCE_SECONDS
        while writes:
            client = redis_client()
            pipe = client.pipeline(transaction=False)
            for active, seq, entry in writes:
                streams.append(pipe, active.id, active.attempt, seq, entry)
            try:
                answers = pipe.execute(raise_on_error=False)
                refused = [(w, a) for w, a in zip(writes, answers, strict=True) if isinstance(a, Exception)]
                writes = self._after_refusal(client, refused)
                if not writes:
                    return
            except (RedisError, OSError) as error:
                log.warning("stream not reachable: %s", error)
            if time.monotonic() > give_up:
                log.error("%d stream entries given up; readers get the text from the row", len(writes))
                for active, _, _ in writes:
                    active.holed = True
                return
            time.sleep(RETRY_SECONDS)

    @staticmethod
    def _after_refusal(client: Any, refused: list[tuple[Write, Exception]]) -> list[Write]:
        """What has to be written again; generations that another attempt has taken over are marked lost."""
        again: list[Write] = []
        for write, error in refused:
            active = write[0]
            if active.lost.is_set():
                continue
            if streams.is_fenced(client, active.id, active.attempt, error):
                active.lost.set()
                log.warning("generation %s was taken over by another worker", active.id)
            elif "equal or smaller" not in str(error):
                again.append(write)
        return again

    def settle(self, active: Active, outcome: Outcome) -> None:
        """Commits the text and its charge in the background, then marks the stream's end."""
        self._settlers.submit(self._settle, active, outcome)

    def _settle(self, active: Active, outcome: Outcome) -> None:
        structlog.contextvars.bind_contextvars(
            request_id=active.generation.request_id, generation_id=str(active.id), attempt=active.attempt
        )
        try:
            if self._commit(active, outcome):
                log.info("generation %s, %d tokens", outcome.status, outcome.completion_tokens)
                if not active.holed:
                    streams.close(active.id, active.attempt, active.next_seq)
        except Exception:
            log.exception("generation not settled; the reaper will see to it")
        finally:
            structlog.contextvars.clear_contextvars()
            self._on_end(active)

    @staticmethod
    def _commit(active: Active, outcome: Outcome) -> bool:
        give_up = time.monotonic() + SETTLE_PATIENCE_SECONDS
        while True:
            try:
                return finish_generation(active.generation.organization_id, active.id, active.attempt, outcome)
            except (OperationalError, InterfaceError) as error:
                connection.close()
                if time.monotonic() > give_up:
                    raise
                log.warning("settlement waits for the database: %s", error)
                time.sleep(1)
            except DatabaseError:
                # The database is there and refuses this text: it always would, so end the generation visibly.
                if outcome.error_code == NOT_STORED:
                    raise
                log.exception("text refused by the database")
                outcome = Outcome(Status.FAILED, "", "error", error_code=NOT_STORED, error_message=NOT_STORED_MESSAGE)
