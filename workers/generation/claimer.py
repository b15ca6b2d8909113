"""Claims waiting rows, opens their streams and hands them to engines.

A request that brings its worker down takes the others of the batch with it, and each of them may be the culprit: all
are suspects (`crashes` > 0). A suspect starts when everything else here has shown itself harmless, and until it has
done so too nothing else starts, so that a second crash has one author. Suspects and others take turns.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from redis.exceptions import RedisError

from apps.core import jobs, streams
from apps.core.connections import writer_client
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from apps.studio.services import Outcome
from ml.types import Engine, EngineError
from workers.generation.active import Active
from workers.generation.table import Table
from workers.runtime import Engines
from workers.threads import vital

log = logging.getLogger(__name__)

# Without a doorbell (broker down) waiting rows are found this late, and so are suspects and new models.
LOOK_SECONDS = 1.0
BUSY_LOOK_SECONDS = 3.0
# One claim takes no more, so that workers that wake together share what waits, and first requests start at once.
CLAIM_AT_ONCE = 8


class Claimer:
    """One thread. `wake` may be called from any other."""

    def __init__(self, worker: str, table: Table, engines: Engines, end: Callable[[Active, Outcome], None]) -> None:
        self._worker, self._table, self._engines, self._end = worker, table, engines, end
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._models: dict[UUID, ModelVersion] = {}
        self._looked = 0.0
        # Some are held back until what runs here has shown itself harmless.
        self.suspects_wait = False
        self._suspects_turn = True
        # Whether the latest claim got all that it asked for, so that asking again may give more.
        self._more = False
        self._thread = vital(self._run, "claimer")

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._bell.set()

    def stop(self, seconds: float) -> None:
        """Claims nothing more."""
        self._stopping.set()
        self._bell.set()
        self._thread.join(timeout=seconds)

    def _run(self) -> None:
        self._preload()
        while not self._stopping.is_set():
            rung = self._bell.wait(LOOK_SECONDS)
            self._bell.clear()
            try:
                self._look(rung)
                self._start_claimed()
                while not self._stopping.is_set() and self._claim_some():
                    self._start_claimed()
                    if not self._more:
                        break
            except (DatabaseError, RedisError, OSError) as error:
                log.warning("nothing claimed: %s", error)
                connection.close()
                self._stopping.wait(LOOK_SECONDS)
            except Exception:
                log.exception("claimer stumbled")
                self._stopping.wait(LOOK_SECONDS)
        connection.close()

    def _preload(self) -> None:
        """Loads what `default` means before anybody waits for it."""
        try:
            self._engines.of(registry.resolve(registry.DEFAULT_ALIAS))
        except Exception as error:  # it comes again with the first request, which is told
            log.warning("no model loaded ahead: %s", error)
            connection.close()

    def _look(self, rung: bool) -> None:
        """What changes seldom is read when nothing else is to do, and now and then before a claim."""
        if time.monotonic() - self._looked > (BUSY_LOOK_SECONDS if rung else LOOK_SECONDS / 2):
            self._models = {version.pk: version for version in ModelVersion.objects.all()}
            self.suspects_wait = jobs.suspects_wait(Generation)
            self._looked = time.monotonic()

    # ------------------------------------------------------------ claiming
    def _claim_some(self) -> int:
        unproven = [active for active in self._table.all() if not active.proven]
        if any(active.suspect for active in unproven):
            return 0
        if not self.suspects_wait:
            return self._claim(suspects=False)
        if self._suspects_turn and unproven:
            return 0
        for suspects in (self._suspects_turn, not self._suspects_turn):
            if claimed := self._claim(suspects):
                self._suspects_turn = not suspects
                return claimed
        return 0

    def _claim(self, suspects: bool) -> int:
        room = self._room()
        crashes = range(1, jobs.MAX_CRASHES) if suspects else range(1)
        count, self._more = 0, False
        for limit, models in [(1, list(room))] if suspects else shares(room):
            rows = jobs.claim(Generation, self._worker, limit, {"model_id": models, "crashes": crashes})
            for row in rows:
                model = self._models[row.model_id]
                self._table.add(Active(row, row.attempt, model, cancel_asked=row.cancel_requested_at is not None))
            count += len(rows)
            self._more = self._more or len(rows) == limit
        return count

    def _room(self) -> dict[UUID, int]:
        """Free places of each model that has any."""
        taken: dict[UUID, int] = {}
        for active in self._table.all():
            taken[active.model.pk] = taken.get(active.model.pk, 0) + 1
        room = {id: self._engines.capacity(id) - taken.get(id, 0) for id in self._models}
        return {id: free for id, free in room.items() if free > 0}

    # ------------------------------------------------------------ starting
    def _start_claimed(self) -> None:
        """Hands claimed rows to their engines once those are loaded."""
        for active in [active for active in self._table.all() if not active.submitted]:
            with structlog.contextvars.bound_contextvars(
                request_id=active.generation.request_id, generation_id=str(active.id), attempt=active.attempt
            ):
                self._try_to_start(active)

    def _try_to_start(self, active: Active) -> None:
        try:
            self._start(active)
        except streams.Fenced:
            self._table.abandon(active)
        except EngineError as error:
            active.submitted = True
            self._end(active, active.failure(error.code, str(error)))
        except (DatabaseError, RedisError, OSError):
            # Tried again when they are back; the lease is kept meanwhile.
            raise
        except Exception:
            log.exception("generation not started")
            active.submitted = True
            self._end(active, active.failure("engine_error", "The model could not take this request."))

    def _start(self, active: Active) -> None:
        thread = self._engines.of(active.model)
        if active.lost:
            self._table.forget(active)
        elif active.cancel_asked or thread.failure:
            if active.attempt > 1:
                # What earlier attempts have written is the customer's. A first attempt needs no Redis to end.
                self._open_stream(active)
            active.submitted = True
            if not active.cancel_asked and thread.failure:
                raise EngineError(str(thread.failure), thread.failure.code)
            self._end(active, active.stopped())
        elif thread.engine:
            self._open_stream(active)
            self._submit(active, thread.engine)

    def _submit(self, active: Active, engine: Engine) -> None:
        deadline = active.generation.must_end_by or time.monotonic() + settings.GENERATION_DEADLINE_SECONDS
        request = active.generation.engine_request(deadline=deadline, progress=active.progress)
        active.submitted = True
        engine.submit(request)
        # Asked while the request was on its way in, when the engine did not know it yet.
        if active.cancel_asked or active.lost:
            engine.cancel(active.key)

    def _open_stream(self, active: Active) -> None:
        """Fences earlier attempts off and takes over what they have streamed."""
        earlier = streams.take_over(writer_client(), active.id, active.attempt)
        active.open(earlier)
        if active.token_ids:
            log.info("continuing after %d tokens of an earlier attempt", len(active.token_ids))


def shares(room: dict[UUID, int]) -> list[tuple[int, list[UUID]]]:
    """How many rows to claim of which models: of all with ample room together, of each with little by itself.

    One limit for all would let the model with least room hold up the others.
    """
    ample = [id for id, free in room.items() if free >= CLAIM_AT_ONCE]
    scarce = [(free, [id]) for id, free in room.items() if free < CLAIM_AT_ONCE]
    return ([(CLAIM_AT_ONCE, ample)] if ample else []) + scarce
