"""Keeping a claimed row while its work goes on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from apps.core.jobs import Job

log = structlog.get_logger(__name__)


class LeaseLost(RuntimeError):
    """The row was given to another worker, or taken back by the one who asked."""


class Lease:
    """Renews a job's lease from a thread with its own connection, and says when it is gone."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lost, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stopping.set()
        self._thread.join()

    def keep(self) -> None:
        """Raises LeaseLost once the job is somebody else's."""
        if self._lost.is_set():
            raise LeaseLost

    def _run(self) -> None:
        from django.db import DatabaseError, connection

        from apps.core import jobs

        while not self._stopping.wait(jobs.RENEW_SECONDS):
            try:
                if not jobs.renew(type(self._job), self._job.worker, [self._job.pk]):
                    self._lost.set()
                    break
            except DatabaseError as error:
                log.warning("lease not renewed", reason=str(error))
                connection.close()
        connection.close()
