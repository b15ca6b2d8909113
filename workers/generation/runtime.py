"""The generation worker: what its threads share, how its work ends, and how it leaves in good order."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial

from django.db import Error as DatabaseError
from django.db import connection

from apps.core import jobs, metrics
from apps.studio.models import Generation
from apps.studio.services import Outcome
from apps.studio.services.attempts import acquit_generation, retry_generation
from ml.types import StepOutput
from workers.generation.active import Active
from workers.generation.claimer import Claimer
from workers.generation.keeper import Keeper, Listener
from workers.generation.settler import Settler
from workers.generation.table import Table
from workers.generation.writer import Writer
from workers.runtime import Engines

log = logging.getLogger(__name__)

SWITCH_SECONDS = 0.0005

# Short work may end when the worker leaves; everything together, with Redis and the database away, stays below the 25 s
# that containers are given.
DRAIN_SECONDS = 8.0
SETTLE_SECONDS = 3.0
HAND_BACK_SECONDS = 2.0

# Failures that may not come again: tried once more, a moment later and as a suspect, which is nearly alone.
RETRY_HELPS = frozenset(
    {"out_of_memory", "upstream_error", "upstream_timeout", "upstream_incomplete", "upstream_rate_limited"}
)
RETRY_SECONDS = 1.0
# So many of these in a row, and nothing that went well between them, are not the requests' fault: some libraries never
# recover in a process that was once out of memory. A new process does.
ENGINE_FAULTS = frozenset({"out_of_memory", "engine_error", "invalid_logits"})
MOST_FAULTS = 3


class GenerationRuntime:
    """All generations of this process. Threads: claimer, listener, lease keeper, stream writer, settlers, engines."""

    def __init__(self) -> None:
        # An engine's thread gives the interpreter away with every tensor operation and must have it back soon: the
        # others may keep it for a fraction of a step, not for Python's usual 5 ms.
        sys.setswitchinterval(SWITCH_SECONDS)
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._leaving = False
        self._faults = 0
        self._engines = Engines(self._take, self.wake)
        self.table = Table(self._engines, self.wake)
        self._settler = Settler()
        self._writer = Writer(self)
        self._claimer = Claimer(self.worker, self.table, self._engines, self.conclude)
        self._keeper = Keeper(self.worker, self.table, self._engines)
        self._listener = Listener(self.table, self.wake)
        for part in (self._claimer, self._keeper, self._listener):
            part.start()
        log.info("generation worker %s ready", self.worker)

    def wake(self) -> None:
        """The doorbell: something waits."""
        self._claimer.wake()

    def ring(self) -> None:
        """The broker's bell. Whoever hears the channel has been woken by it some milliseconds ago."""
        if not self._listener.hears:
            self.wake()

    # ------------------------------------------------------------ what the writer asks and tells
    def find(self, key: str) -> Active | None:
        return self.table.find(key)

    def owned(self, actives: Sequence[Active]) -> set[str]:
        held = jobs.renew(Generation, self.worker, [active.id for active in actives])
        return {active.key for active in actives if active.id in held}

    def abandon(self, active: Active) -> None:
        self.table.abandon(active)

    def proven(self, active: Active) -> None:
        """It has come past the point where its last worker was lost: it is no suspect any more."""
        if active.suspect:
            row = active.generation
            self._settler.submit(active, partial(acquit_generation, row.organization_id, active.id, active.attempt))
        if active.suspect or self._claimer.suspects_wait:
            self.wake()

    def finish(self, active: Active, outcome: Outcome) -> None:
        """The engine has ended it."""
        self._watch_engine(outcome)
        self.conclude(active, outcome)

    # ------------------------------------------------------------ how work ends
    def conclude(self, active: Active, outcome: Outcome) -> None:
        """Ends a generation, or tries it once more where that may help."""
        again = outcome.error_code in RETRY_HELPS and not (active.suspect or active.cancel_asked)
        if not again:
            self.end(active, outcome)
            return
        if self._leaving:
            self._try_again(active)
            return
        log.warning("generation %s is tried again: %s", active.id, outcome.error_code)
        timer = threading.Timer(RETRY_SECONDS, self._try_again, [active])
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no memory for a thread
            self._try_again(active)

    def end(self, active: Active, outcome: Outcome) -> None:
        """Commits the text and its charge, then marks the stream's end."""
        active.ending = True
        self._settler.settle(active, outcome, partial(self._settled, active))

    def _settled(self, active: Active, committed: bool) -> None:
        if committed:
            self._writer.end(active)
        self.table.forget(active)

    def _try_again(self, active: Active) -> None:
        """Hands a generation back with the failure counted, unless it was stopped meanwhile."""
        if active.lost:
            return
        if active.cancel_asked:
            self.end(active, active.stopped())
            return
        row = active.generation

        def hand_back() -> None:
            if retry_generation(row.organization_id, active.id, active.attempt):
                metrics.RETRIES.labels("generation", "failed").inc()
            self.table.forget(active)

        self._settler.submit(active, hand_back)

    def _watch_engine(self, outcome: Outcome) -> None:
        self._faults = self._faults + 1 if outcome.error_code in ENGINE_FAULTS else 0
        if self._faults == MOST_FAULTS and not self._leaving:
            log.critical("%d requests in a row failed in the engine; this worker ends", MOST_FAULTS)
            self._leaving = True
            try:
                threading.Thread(target=self._give_up, name="leaver", daemon=True).start()
            except RuntimeError:  # no memory for a thread: leases lapse instead
                os._exit(1)

    def _give_up(self) -> None:
        try:
            self.drain(seconds=0)
        finally:
            os._exit(1)

    def _take(self, outputs: Sequence[StepOutput]) -> None:
        self._writer.put(outputs)

    # ------------------------------------------------------------ leaving
    def drain(self, seconds: float | None = None) -> None:
        """Claims nothing more, lets short work end, and hands the rest back to be continued elsewhere."""
        self._leaving = True
        self._claimer.stop(seconds=2)
        until = time.monotonic() + (DRAIN_SECONDS if seconds is None else seconds)
        while len(self.table) and time.monotonic() < until:
            time.sleep(0.05)
        for active in self.table.all():
            self.table.stop(active)
        self._settler.stop(SETTLE_SECONDS)
        self._writer.stop()
        # Nobody else may touch the leases while they are given up.
        self._keeper.stop()
        self._listener.stop()
        self._hand_back(self.table.all())
        self._engines.stop()

    def _hand_back(self, left: list[Active]) -> None:
        until = time.monotonic() + HAND_BACK_SECONDS
        while left:
            try:
                count = jobs.hand_back(Generation, self.worker, [active.id for active in left])
                log.info("%d generations handed back", count)
                return
            except DatabaseError as error:
                connection.close()
                if time.monotonic() > until:
                    log.warning("generations not handed back, their leases lapse: %s", error)
                    return
                time.sleep(0.2)
