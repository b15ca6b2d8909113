"""What happens to generations whose worker is gone."""

from __future__ import annotations

import logging

from redis.exceptions import RedisError

from apps.core import jobs, streams
from apps.core.jobs import Status
from apps.studio.models import Generation
from apps.studio.services import WAKE, Outcome, finish_generation

log = logging.getLogger(__name__)

# With Redis away the reaper comes back every lease time; after this many (some minutes) it ends without the text.
GIVE_UP_CRASHES = 40


def reap_generations() -> None:
    """Requeues what has lost one worker and fails, visibly and with its charge, what has lost two."""
    requeued, hopeless = jobs.reap(Generation)
    if requeued:
        log.warning("%d generations returned to the queue: their worker is gone", requeued)
        jobs.ring(WAKE)
    for generation in hopeless:
        _fail(generation)


def _fail(generation: Generation) -> None:
    """Ends a generation with what it had streamed, which stays the customer's and is charged."""
    try:
        recovered = streams.recover(generation.pk, generation.attempt)
    except streams.Fenced:
        return
    except (RedisError, OSError) as error:
        log.warning("stream of %s not readable: %s", generation.pk, error)
        if generation.crashes < GIVE_UP_CRASHES:
            return
        recovered = streams.Recovered()
    cancelled = generation.cancel_requested_at is not None
    outcome = Outcome(
        status=Status.CANCELLED if cancelled else Status.FAILED,
        text=recovered.text,
        finish_reason="cancelled" if cancelled else "error",
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=recovered.tokens,
        error_code="" if cancelled else "worker_lost",
        error_message="" if cancelled else "The worker was lost twice while it wrote this text.",
    )
    if finish_generation(generation.organization_id, generation.pk, generation.attempt, outcome):
        log.error("generation %s failed: it has lost two workers", generation.pk)
        streams.close(generation.pk, generation.attempt, 1)
