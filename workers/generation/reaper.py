"""What happens to generations whose worker is gone."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import connection
from redis.exceptions import RedisError

from apps.core import jobs, streams
from apps.core.connections import quick_redis_client
from apps.core.jobs import Status
from apps.studio.models import Generation
from apps.studio.services import WAKE, Outcome, expire_generation, finish_generation

log = logging.getLogger(__name__)

# Ticks come every 5 s. A lease outlives an outage of 10 s, so that a shorter gap costs no worker its lease.
LONGEST_GAP_SECONDS = 9.0
WATCH_SECONDS = jobs.RENEW_SECONDS + 2.0
# With Redis away the reaper comes back every lease time; after this many (some minutes) it ends without the text.
GIVE_UP_CRASHES = 40


def reap_generations() -> None:
    """Requeues what has lost one worker and fails, visibly and with its charge, what has lost two.

    Raises DatabaseError or RedisError when one is away; the next tick comes in seconds.
    """
    if not _has_watched():
        return
    requeued, hopeless = jobs.reap(Generation)
    if requeued:
        log.warning("%d generations returned to the queue: their worker is gone", requeued)
        jobs.ring(WAKE)
    for generation in hopeless:
        _fail(generation)
    for generation in jobs.expired(Generation):
        expire_generation(generation.organization_id, generation.pk)


def _has_watched() -> bool:
    """Whether the database was there long enough for every living worker to renew its leases.

    After an outage longer than a lease all leases have lapsed, and those of workers that live as well: nothing is
    reaped before each had the time to renew them. Ticks that failed or never came show that there was an outage. What
    the ticks have seen stands in Redis, where every default worker finds it; all times are the database's.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        [now] = cursor.fetchone()
    client, key = quick_redis_client(), f"{settings.REDIS_PREFIX}:reaper"
    since, last = (float(value or 0) for value in client.hmget(key, "since", "last"))
    if not last <= now <= last + LONGEST_GAP_SECONDS:
        since = now
    client.hset(key, mapping={"since": since, "last": now})
    return bool(now - since >= WATCH_SECONDS)


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
