"""Keeps leases, shows that the worker lives, and hears who wants to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection
from redis.exceptions import RedisError

from apps.core import heartbeats, jobs
from apps.core.connections import writer_client
from apps.studio.models import Generation
from apps.studio.services import WAKE
from workers.generation.table import Table
from workers.runtime import Engines
from workers.threads import vital

log = logging.getLogger(__name__)

# Cancellations are pushed; asking is for those whose push was lost.
LOOK_SECONDS = 0.5
LISTEN_SECONDS = 1.0
RECONNECT_SECONDS = 0.5


class Keeper:
    """Renews leases every few seconds, and asks for cancellations that nobody has pushed."""

    def __init__(self, worker: str, table: Table, engines: Engines) -> None:
        self._worker, self._table, self._engines = worker, table, engines
        self._stopping = threading.Event()
        self._thread = vital(self._run, "lease-keeper")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        renewed = beaten = 0.0
        while not self._stopping.wait(LOOK_SECONDS):
            if time.monotonic() - beaten > jobs.RENEW_SECONDS:
                beaten = time.monotonic()
                self._beat()
            try:
                self._pass_on_cancellations()
                if time.monotonic() - renewed > jobs.RENEW_SECONDS:
                    self._renew_leases()
                    renewed = time.monotonic()
            except DatabaseError as error:
                # Work goes on: whoever returns first, the database or the reaper, finds the lease renewed in a second.
                log.warning("leases not renewed: %s", error)
                connection.close()
            except Exception:
                log.exception("lease keeper stumbled")
        connection.close()

    def _beat(self) -> None:
        try:
            heartbeats.beat("generation", self._engines.described())
        except (RedisError, OSError) as error:
            log.warning("heartbeat not written: %s", error)

    def _renew_leases(self) -> None:
        held = {active.id: active for active in self._table.all()}
        if not held:
            return
        kept = jobs.renew(Generation, self._worker, list(held))
        for id in held.keys() - kept:
            # A generation that has just ended is missing too.
            if not held[id].ending:
                log.warning("generation %s belongs to another worker now", id)
                self._table.abandon(held[id])

    def _pass_on_cancellations(self) -> None:
        running = {active.id: active for active in self._table.all() if not active.cancel_asked}
        for id in jobs.cancelled_among(Generation, list(running)) if running else ():
            self._table.cancel(running[id])


class Listener:
    """Hears at once what others find by looking: that something waits, and that something shall stop."""

    def __init__(self, table: Table, wake: Callable[[], None]) -> None:
        self._table, self._wake = table, wake
        self.hears = False
        self._stopping = threading.Event()
        self._thread = vital(self._run, "listener")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (RedisError, OSError) as error:
                log.debug("not listening: %s", error)
            except Exception:
                log.exception("listener stumbled")
            self.hears = False
            self._stopping.wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        with writer_client().pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe(jobs.cancel_channel(), jobs.bell_channel(WAKE))
            self.hears = True
            self._wake()
            while not self._stopping.is_set():
                message = subscription.get_message(timeout=LISTEN_SECONDS)
                if message is None:
                    continue
                if message["channel"].decode() == jobs.cancel_channel():
                    self._cancel(message["data"].decode())
                else:
                    self._wake()

    def _cancel(self, id: str) -> None:
        active = self._table.of(UUID(id))
        if active and not active.cancel_asked:
            self._table.cancel(active)
