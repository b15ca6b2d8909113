"""Waiting a moment for the signer, without holding a thread or a database connection."""

from __future__ import annotations

import asyncio
import time

from asgiref.sync import sync_to_async

from apps.core.api import Turn
from apps.core.jobs import TERMINAL
from apps.licensing import services as licensing
from apps.licensing.models import SigningJob

PATIENCE_SECONDS = 3.0
LOOK_SECONDS = 0.1


async def signed(turn: Turn, job: SigningJob) -> SigningJob:
    """The job once it has ended, or as it stands when the patience is over: then the caller says 202."""
    turn.leave()
    until = time.monotonic() + PATIENCE_SECONDS
    while job.status not in TERMINAL and time.monotonic() < until:
        await asyncio.sleep(LOOK_SECONDS)
        job = await sync_to_async(licensing.job_state)(job.organization_id, job.pk)
    return job
