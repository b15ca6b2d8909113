"""Training the classifiers of safety rules, on the default queue: numpy alone, a few seconds each."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import structlog

from workers.celery import app

if TYPE_CHECKING:
    from apps.studio.models import SafetyClassifier

log = structlog.get_logger(__name__)


@app.task(name="studio.train_classifiers")
def train_classifiers() -> None:
    """Trains what waits, until nothing does."""
    from apps.core import jobs
    from apps.studio.models import SafetyClassifier
    from apps.studio.services import safety

    for job in jobs.reap(SafetyClassifier)[1]:
        safety.fail(job, "worker_lost", "The worker was lost twice while it trained this.")
    while claimed := jobs.claim(SafetyClassifier, f"{socket.gethostname()}:{os.getpid()}:safety", 1):
        _train(claimed[0])


def _train(job: SafetyClassifier) -> None:
    from django.db import InterfaceError, OperationalError, connection

    from apps.studio.services import safety
    from workers.leases import Lease

    with structlog.contextvars.bound_contextvars(request_id=job.request_id, job=str(job.pk)):
        try:
            with Lease(job):
                safety.carry_out(job)
        except (OperationalError, InterfaceError):
            # With the database away nothing can be said: the lease lapses, and the reaper returns the row.
            log.exception("training broken off")
            connection.close()
        except Exception:
            log.exception("training failed")
            safety.fail(job, "training_failed", "The classifier could not be trained.")
