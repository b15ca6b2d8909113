"""Exports, erasures and retention, on the default queue: one job at a time in each process."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from workers.celery import app
from workers.leases import Lease, LeaseLost

if TYPE_CHECKING:
    from apps.privacy.models import Erasure, Export

RETENTION_SECONDS = 240.0
# Two jobs at a time would take both threads of a worker, and nothing would show that it lives.
_one = threading.Lock()
log = structlog.get_logger(__name__)


@app.task(name="privacy.wake")
def wake() -> None:
    """Returns what a lost worker held, then does what waits, until nothing does."""
    if not _one.acquire(blocking=False):
        return
    try:
        reap()
        while _run_next():
            pass
    finally:
        _one.release()


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:privacy"


def _run_next() -> bool:
    from apps.core import jobs
    from apps.privacy.models import Erasure, Export

    kinds: list[tuple[Any, Callable[[Any], None]]] = [(Erasure, run_erasure), (Export, run_export)]
    for model, run in kinds:
        for job in jobs.claim(model, worker_name(), 1):
            with structlog.contextvars.bound_contextvars(request_id=job.request_id, job=str(job.pk)):
                run(job)
            return True
    return False


def run_export(export: Export) -> None:
    from apps.privacy import exporting, services

    def work(keep: Callable[[], None]) -> None:
        services.finish_export(export, exporting.write(export, services.part_path(export), keep))

    _guarded(export, work, services.fail_export, "The export could not be written.")


def run_erasure(erasure: Erasure) -> None:
    from apps.privacy import services

    def work(keep: Callable[[], None]) -> None:
        services.finish_erasure(erasure, services.carry_out(erasure, keep))

    _guarded(erasure, work, services.fail_erasure, "The erasure was not completed; ask for it again.")


def _guarded(job: Any, work: Callable[[Callable[[], None]], None], fail: Callable[..., bool], message: str) -> None:
    """Runs under the lease; a lost lease leaves the row to its new holder, anything else fails it visibly."""
    from django.db import InterfaceError, OperationalError, connection

    try:
        with Lease(job) as lease:
            work(lease.keep)
    except LeaseLost:
        log.warning("privacy job belongs to somebody else now")
    except (OperationalError, InterfaceError):
        # With the database away nothing can be said: the lease lapses, and the reaper returns the row.
        log.exception("privacy job broken off")
        connection.close()
    except Exception:
        log.exception("privacy job failed")
        fail(job, "privacy_job_failed", message)


def reap() -> None:
    """What has lost one worker waits again; what has lost two fails."""
    from apps.core import jobs
    from apps.privacy import services
    from apps.privacy.models import Erasure, Export

    kinds: list[tuple[Any, Callable[..., bool]]] = [
        (Export, services.fail_export),
        (Erasure, services.fail_erasure),
    ]
    for model, fail in kinds:
        for job in jobs.reap(model)[1]:
            fail(job, "worker_lost", "The worker was lost twice while it did this.")


@app.task(name="privacy.apply_retention")
def apply_retention() -> None:
    """Removes what is due, and comes back for the rest when its time is over."""
    from apps.privacy.services import apply

    if apply(RETENTION_SECONDS):
        app.send_task("privacy.apply_retention")


@app.task(name="privacy.remove_expired_exports")
def remove_expired_exports() -> None:
    from apps.privacy import services

    services.remove_expired_exports()
