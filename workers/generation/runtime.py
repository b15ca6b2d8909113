"""The generation worker: claims rows, feeds engines, keeps leases, passes cancellations on, leaves in good order."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from redis.exceptions import RedisError

from apps.core import jobs, streams
from apps.core.connections import redis_client
from apps.core.errors import MillraceError
from apps.core.views import worker_key
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from ml.types import Engine, EngineError, Progress
from workers.generation.active import Active
from workers.generation.writer import Writer
from workers.runtime import Engines

log = logging.getLogger(__name__)

# Without a doorbell (broker down) waiting rows are found this late.
LOOK_SECONDS = 1.0
CANCEL_LOOK_SECONDS = 0.5
DRAIN_SECONDS = 12.0


class GenerationRuntime:
    """All generations of this process. Threads: claimer, keeper of leases, stream writer, one for each engine."""

    def __init__(self) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._active: dict[str, Active] = {}
        self._bell = threading.Event()
        self._draining = threading.Event()
        self._stopping = threading.Event()
        self._writer = Writer(self._active.get, self._ended)
        self._engines = Engines(self._writer.put, self._bell.set)
        self._threads = [
            threading.Thread(target=self._claim_forever, name="claimer", daemon=True),
            threading.Thread(target=self._keep_forever, name="lease-keeper", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        log.info("generation worker %s ready", self.worker)

    def wake(self) -> None:
        """The doorbell: something waits."""
        self._bell.set()

    # ------------------------------------------------------------ claiming
    def _claim_forever(self) -> None:
        self._preload()
        while not self._draining.is_set():
            self._bell.wait(LOOK_SECONDS)
            self._bell.clear()
            try:
                self._start_claimed()
                while not self._draining.is_set() and self._claim_some():
                    self._start_claimed()
            except (DatabaseError, RedisError, OSError) as error:
                log.warning("nothing claimed: %s", error)
                connection.close()
                time.sleep(LOOK_SECONDS)
            except Exception:
                log.exception("claimer stumbled")
                time.sleep(LOOK_SECONDS)

    def _preload(self) -> None:
        """Loads what `default` means before anybody waits for it."""
        try:
            self._engines.of(registry.resolve(registry.DEFAULT_ALIAS))
        except (MillraceError, DatabaseError) as error:
            log.warning("no model loaded ahead: %s", error)
            connection.close()

    def _claim_some(self) -> int:
        """Claims rows of the models that have room; how many."""
        room = self._room()
        rows = jobs.claim(Generation, self.worker, min(room.values(), default=0), {"model_id": list(room)})
        for row in rows:
            # Our own row, lapsed while this process stood still: the earlier attempt must not write any more.
            for earlier in [active for active in list(self._active.values()) if active.id == row.pk]:
                self._abandon(earlier)
            active = Active(row, row.attempt, cancel_asked=row.cancel_requested_at is not None)
            self._active[active.key] = active
        return len(rows)

    def _room(self) -> dict[UUID, int]:
        taken: dict[UUID, int] = {}
        for active in list(self._active.values()):
            taken[active.generation.model_id] = taken.get(active.generation.model_id, 0) + 1
        ids = ModelVersion.objects.values_list("pk", flat=True)
        room = {id: self._engines.capacity(id) - taken.get(id, 0) for id in ids}
        return {id: free for id, free in room.items() if free > 0}

    def _start_claimed(self) -> None:
        """Hands claimed rows to their engines once those are loaded."""
        for active in [active for active in list(self._active.values()) if not active.submitted]:
            structlog.contextvars.bind_contextvars(
                request_id=active.generation.request_id, generation_id=str(active.id), attempt=active.attempt
            )
            try:
                self._start(active)
            except streams.Fenced:
                self._ended(active)
            except EngineError as error:
                self._writer.settle(active, active.failure(error.code, str(error)))
            except (DatabaseError, RedisError, OSError):
                # Tried again when they are back; the lease is kept meanwhile.
                raise
            except Exception:
                log.exception("generation not started")
                active.submitted = True
                self._writer.settle(active, active.failure("engine_error", "The model could not take this request."))
            finally:
                structlog.contextvars.clear_contextvars()

    def _start(self, active: Active) -> None:
        thread = self._engines.of(active.generation.model)
        if active.lost.is_set():
            self._ended(active)
        elif active.cancel_asked:
            self._open_stream(active)
            active.submitted = True
            self._writer.settle(active, active.stopped())
        elif thread.failure:
            self._open_stream(active)
            active.submitted = True
            raise EngineError(str(thread.failure), thread.failure.code)
        elif thread.engine:
            self._open_stream(active)
            self._submit(active, thread.engine)

    def _submit(self, active: Active, engine: Engine) -> None:
        request = active.generation.engine_request(
            deadline=time.monotonic() + settings.GENERATION_DEADLINE_SECONDS, progress=active.progress
        )
        active.submitted = True
        engine.submit(request)
        # Asked while the request was on its way in, when the engine did not know it yet.
        if active.cancel_asked or active.lost.is_set():
            engine.cancel(active.key)

    def _open_stream(self, active: Active) -> None:
        """Fences earlier attempts off and takes over what they have streamed."""
        client = redis_client()
        earlier = streams.take_over(client, active.id, active.attempt)
        progress = streams.progress(earlier)
        active.continue_from(progress)
        if progress == Progress() and any(entry.kind == streams.DELTA for entry in earlier):
            # Part of the stream was lost: start the text over, visibly.
            seq = active.number([streams.Entry("", streams.RESET)])[0][0]
            pipe = client.pipeline(transaction=False)
            streams.append(pipe, active.id, active.attempt, seq, streams.Entry("", streams.RESET))
            pipe.execute()
        elif progress.token_ids:
            log.info("continuing after %d tokens of an earlier attempt", len(progress.token_ids))

    # ------------------------------------------------------------ leases and cancellations
    def _keep_forever(self) -> None:
        renewed = beaten = 0.0
        while not self._stopping.wait(CANCEL_LOOK_SECONDS):
            try:
                if time.monotonic() - beaten > jobs.RENEW_SECONDS:
                    redis_client().set(worker_key("generation"), time.time(), ex=60)
                    beaten = time.monotonic()
            except (RedisError, OSError) as error:
                log.warning("heartbeat not written: %s", error)
            try:
                self._pass_on_cancellations()
                if time.monotonic() - renewed > jobs.RENEW_SECONDS:
                    self._renew_leases()
                    renewed = time.monotonic()
            except DatabaseError as error:
                log.warning("leases not renewed: %s", error)
                connection.close()
            except Exception:
                log.exception("lease keeper stumbled")

    def _renew_leases(self) -> None:
        held = {active.id: active for active in list(self._active.values())}
        if not held:
            return
        kept = jobs.renew(Generation, self.worker, list(held))
        for id in held.keys() - kept:
            # A generation that has just ended is missing too, and is no longer in the table a moment later.
            if held[id].key in self._active:
                self._abandon(held[id])

    def _pass_on_cancellations(self) -> None:
        running = {active.id: active for active in list(self._active.values()) if not active.cancel_asked}
        for id in jobs.cancelled_among(Generation, list(running)) if running else ():
            active = running[id]
            active.cancel_asked = True
            self._cancel_in_engine(active)
            self._bell.set()

    def _cancel_in_engine(self, active: Active) -> None:
        engine = self._engines.of(active.generation.model).engine
        if engine and active.submitted:
            engine.cancel(active.key)

    def _abandon(self, active: Active) -> None:
        """Stops working on what belongs to another worker now; nothing more of it is written or charged here."""
        active.lost.set()
        self._cancel_in_engine(active)
        self._ended(active)

    def _ended(self, active: Active) -> None:
        self._active.pop(active.key, None)
        self._bell.set()

    # ------------------------------------------------------------ leaving
    def drain(self) -> None:
        """Claims nothing more, lets short work end, and hands the rest back to be continued elsewhere."""
        self._draining.set()
        self._bell.set()
        self._threads[0].join(timeout=5)
        until = time.monotonic() + DRAIN_SECONDS
        while self._active and time.monotonic() < until:
            time.sleep(0.1)
        self._give_up_the_rest()
        self._engines.stop()

    def _give_up_the_rest(self) -> None:
        for active in list(self._active.values()):
            active.lost.set()
            self._cancel_in_engine(active)
        self._writer.stop()
        # Nobody else may touch the leases while they are given up.
        self._stopping.set()
        self._threads[1].join(timeout=5)
        left = [active.id for active in list(self._active.values())]
        if left:
            log.info("%d generations handed back", jobs.hand_back(Generation, self.worker, left))
