"""Schedules, on the default queue: what is due is planned, and carried out one after the other."""

from __future__ import annotations

import os
import socket
import threading
import time

from workers.celery import app

# Longer than this no task goes on, so that others get their turn; what is left is looked at a moment later.
LONGEST_SECONDS = 120.0
_one = threading.Lock()


@app.task(name="schedules.look")
def look() -> None:
    """Both a timer and a doorbell; one at a time in each process."""
    if not _one.acquire(blocking=False):
        return
    try:
        from apps.studio.services import schedules

        schedules.plan_due()
        until = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < until and schedules.look(f"{socket.gethostname()}:{os.getpid()}:schedules"):
            pass
    finally:
        _one.release()
