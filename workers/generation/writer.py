"""Writes what engines produce to the streams: one Redis command for all that has come since the last.

With Redis away or full nothing waits for it: texts go on in memory and in the row, and what is missing from the
streams is written when Redis is back. A stream that Redis has lost (FLUSHALL, a failover) is written anew.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from django.db import Error as DatabaseError
from django.db import connection
from redis.exceptions import RedisError

from apps.core import metrics, streams
from apps.core.connections import writer_client
from apps.studio.services import Outcome
from ml.types import StepOutput
from workers.generation.active import PROVEN_OUTPUTS, Active
from workers.threads import vital

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.2
# Streams are written at most so often, so that several steps are one command, and the engine's thread is not disturbed
# at each. The more there are, the more a round costs everybody on the way to the customers, for each of whom six
# frames a second are as good as twenty. What comes after a pause is written at once, and so are a beginning and an end.
WRITE_SECONDS, SECONDS_A_STREAM, LONGEST_WRITE_SECONDS = 0.025, 0.004, 0.15
# The tail of a stream whose text is in its row may be given up: readers then get the text from there.
TAIL_PATIENCE_SECONDS = 300.0
STOP_SECONDS = 2.0


class Owner(Protocol):
    """What the writer asks and tells the runtime."""

    def find(self, key: str) -> Active | None: ...

    def owned(self, actives: Sequence[Active]) -> set[str]:
        """The keys of those that this worker still holds, by the database; raises DatabaseError."""
        ...

    def abandon(self, active: Active) -> None: ...

    def proven(self, active: Active) -> None: ...

    def finish(self, active: Active, outcome: Outcome) -> None: ...


class Writer:
    """One thread; `put` and `end` may be called from any other."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._inbox: queue.SimpleQueue[Sequence[StepOutput] | Active | None] = queue.SimpleQueue()
        self._behind: dict[str, Active] = {}
        self._settled_at: dict[str, float] = {}
        self._stop_by: float | None = None
        self._reachable = True
        self._written, self._pause = 0.0, WRITE_SECONDS
        self._urgent = threading.Event()
        self._thread = vital(self._run, "stream-writer")
        self._thread.start()

    def put(self, outputs: Sequence[StepOutput]) -> None:
        self._inbox.put(outputs)
        if any(output.finish_reason or self._begins(output) for output in outputs):
            self._urgent.set()

    def _begins(self, output: StepOutput) -> bool:
        active = self._owner.find(output.request_id)
        return active is not None and not active.outputs

    def end(self, active: Active) -> None:
        """The row is committed: marks the stream's end."""
        self._inbox.put(active)
        self._urgent.set()

    def stop(self) -> None:
        """Writes what is waiting, for a few seconds if need be, and ends."""
        self._inbox.put(None)
        self._urgent.set()
        self._thread.join(timeout=STOP_SECONDS + 2)

    # ------------------------------------------------------------ the thread
    def _run(self) -> None:
        while self._stop_by is None or (self._behind and time.monotonic() < self._stop_by):
            outputs = self._collect()
            try:
                self._write(outputs)
            except Exception:
                # The thread must outlive any single bad output. Leases of what is let go lapse, and the reaper sees.
                log.exception("stream not written")
                for key in outputs.keys() | self._behind.keys():
                    self._let_go(key)
        connection.close()

    def _collect(self) -> dict[str, list[StepOutput]]:
        """What has come, by request; waits for it, but not long while something is still to be written."""
        outputs: dict[str, list[StepOutput]] = {}
        try:
            item = self._inbox.get(timeout=RETRY_SECONDS if self._behind else None)
            self._urgent.wait(self._written + self._pause - time.monotonic())
            self._urgent.clear()
            while True:
                if item is None:
                    self._stop_by = time.monotonic() + STOP_SECONDS
                elif isinstance(item, Active):
                    item.end_stream()
                    self._behind[item.key] = item
                    self._settled_at[item.key] = time.monotonic()
                else:
                    for output in item:
                        outputs.setdefault(output.request_id, []).append(output)
                item = self._inbox.get_nowait()
        except queue.Empty:
            return outputs

    def _write(self, outputs: dict[str, list[StepOutput]]) -> None:
        ended: list[tuple[Active, StepOutput]] = []
        for key, produced in outputs.items():
            active = self._owner.find(key)
            if active is None or active.lost:
                continue
            before = active.outputs
            active.take(produced)
            if active.unsent:
                self._behind[key] = active
            if before < PROVEN_OUTPUTS <= active.outputs:
                self._owner.proven(active)
            if produced[-1].finish_reason:
                ended.append((active, produced[-1]))
        if outputs:
            self._pause = min(LONGEST_WRITE_SECONDS, max(WRITE_SECONDS, SECONDS_A_STREAM * len(outputs)))
        self._flush()
        for active, last in ended:
            if not active.lost:
                self._owner.finish(active, active.outcome(last))

    def _flush(self) -> None:
        """One try to write everything that is behind."""
        if not self._behind:
            return
        writes = [write for active in self._behind.values() for write in active.unsent]
        try:
            self._written = time.monotonic()
            with metrics.STREAM_WRITE_SECONDS.time():
                answers = streams.write(writer_client(), writes)
        except (RedisError, OSError) as error:
            metrics.STREAM_WRITE_ERRORS.inc()
            self._tell(f"streams not reachable: {error}")
            self._give_up_tails()
            return
        refusals = {answer for answer in answers if answer.startswith(streams.REFUSED)}
        if refusals:
            self._tell(f"streams not writable: {' '.join(sorted(refusals))[:200]}")
        else:
            self._reachable = True
        position, now = 0, time.monotonic()
        for key, active in list(self._behind.items()):
            count = len(active.unsent)
            self._judge(active, writes[position : position + count], answers[position : position + count])
            position += count
            if not active.unsent:
                active.note_time(now)
                self._drop(key)
        self._give_up_tails()

    def _judge(self, active: Active, writes: Sequence[streams.Write], answers: Sequence[str]) -> None:
        """Takes Redis's answers about one stream; the first that says something else settles the matter."""
        planned = {write.id for write in writes}
        for write, answer in zip(writes, answers, strict=True):
            if answer == streams.WRITTEN or answer in planned:
                active.confirm(write.id if answer == streams.WRITTEN else answer)
            elif answer.startswith(streams.REFUSED) or answer == active.last_id:
                return
            else:
                self._mismatch(active, answer)
                return

    def _mismatch(self, active: Active, found: str) -> None:
        """The stream does not end where we left it."""
        if found and streams.attempt_of(found) > active.attempt:
            log.warning("generation %s was taken over by another worker", active.id)
            self._let_go(active.key)
        elif active.settled:
            active.unsent.clear()
        elif self._still_ours(active):
            log.warning("stream of %s lost %s; written again", active.id, "its end" if found else "in Redis")
            active.write_again(found)

    def _still_ours(self, active: Active) -> bool:
        """Asked before a stream is written anew, because the fence against earlier workers is gone with the stream."""
        try:
            if active.key in self._owner.owned([active]):
                return True
        except DatabaseError as error:
            # Asked again at the next try.
            log.warning("stream of %s not yet written again: %s", active.id, error)
            connection.close()
            return False
        self._let_go(active.key)
        return False

    def _let_go(self, key: str) -> None:
        active = self._behind.get(key) or self._owner.find(key)
        if active:
            active.unsent.clear()
            self._owner.abandon(active)
        self._drop(key)

    def _drop(self, key: str) -> None:
        self._behind.pop(key, None)
        self._settled_at.pop(key, None)

    def _give_up_tails(self) -> None:
        old = time.monotonic() - TAIL_PATIENCE_SECONDS
        for key in [key for key, since in self._settled_at.items() if since < old]:
            self._drop(key)

    def _tell(self, problem: str) -> None:
        """Once for each outage, not five times a second."""
        if self._reachable:
            log.warning("%s; texts go on and are written later", problem)
        self._reachable = False
