"""Stopping a generation, and the one place where each of them ends together with its charge."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from redis.exceptions import RedisError

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.core import events, jobs, metrics, streams, tenancy
from apps.core.connections import quick_redis_client
from apps.core.errors import NotFound
from apps.core.jobs import Status
from apps.studio.models import Generation

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a generation ended; token counts are totals over all attempts."""

    status: Status
    text: str
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error_code: str = ""
    error_message: str = ""


def cancel_generation(actor: Actor, id: UUID) -> Generation:
    """Stops a generation: one that waits ends at once, one that runs is stopped by its worker.

    It costs what it has produced: nothing if it never ran. Cancelling what has ended changes nothing. What a lost
    worker has begun ends here too, unless Redis does not say what that one had written: then whoever claims or reaps
    the row next ends it, since the row says that it shall stop.
    """
    actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        generation = _locked(id)
        if generation is None:
            raise NotFound("There is no generation with this id.")
        if generation.status == Status.QUEUED and not generation.attempt:
            _end(generation, _ending(generation, streams.Recovered(), Status.CANCELLED))
        elif generation.status in {Status.QUEUED, Status.RUNNING} and generation.cancel_requested_at is None:
            Generation.objects.filter(pk=id).update(cancel_requested_at=Now())
            jobs.push_cancel(id)
    if _is_abandoned(generation):
        _end_abandoned(generation, Status.CANCELLED)
    with tenancy.scope(actor.organization_id):
        cancelled: Generation = Generation.objects.for_pages().get(pk=id)
    return cancelled


def expire_generation(organization_id: UUID, id: UUID) -> bool:
    """Fails a generation whose deadline has passed while it waited; False if it does not wait any more.

    It costs nothing if it never ran, and otherwise what its lost workers had written.
    """
    with tenancy.scope(organization_id):
        generation = _locked(id)
        if generation is None or generation.status != Status.QUEUED or not generation.late:
            return False
        if not generation.attempt:
            _end(generation, _ending(generation, streams.Recovered(), Status.FAILED))
            return True
    return _end_abandoned(generation, Status.FAILED)


def _locked(id: UUID) -> Any:
    """The row, locked, and by the database's clock whether its lease has lapsed and its deadline passed."""
    return (
        Generation.objects.select_for_update(of=("self",))
        .select_related("model")
        .annotate(
            lapsed=RawSQL("coalesce(lease_until < clock_timestamp(), false)", [], output_field=BooleanField()),
            late=RawSQL("coalesce(deadline_at <= clock_timestamp(), false)", [], output_field=BooleanField()),
        )
        .filter(pk=id)
        .first()
    )


def _is_abandoned(generation: Any) -> bool:
    """Whether a worker has begun it and none holds it now."""
    waits_again = generation.status == Status.QUEUED and generation.attempt > 0
    return waits_again or (generation.status == Status.RUNNING and bool(generation.lapsed))


def _end_abandoned(found: Any, status: Status) -> bool:
    """Ends what a lost worker has begun with what that one had streamed, which is the customer's, and owed.

    The stream is taken over, since the lost worker may only be slow and still writing; Redis is asked outside the
    transaction, so that it never holds up a row. False if Redis is away or somebody else has the row now.
    """
    attempt = found.attempt + 1
    try:
        recovered = streams.recover(found.pk, attempt, quick_redis_client())
    except streams.Fenced:
        return False
    except (RedisError, OSError) as error:
        log.warning("stream not readable", generation_id=str(found.pk), reason=str(error))
        return False
    with tenancy.scope(found.organization_id):
        generation = _locked(found.pk)
        if generation is None or generation.attempt != found.attempt or not _is_abandoned(generation):
            return False
        generation.attempt = attempt
        _end(generation, _ending(generation, recovered, status))
        transaction.on_commit(partial(streams.close, generation.pk, attempt, 1, quick_redis_client()))
    return True


def _ending(generation: Generation, recovered: streams.Recovered, status: Status) -> Outcome:
    """The end of what no worker holds: stopped by somebody, or out of time."""
    late = status == Status.FAILED
    return Outcome(
        status=status,
        text=recovered.text,
        finish_reason="deadline" if late else "cancelled",
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=recovered.tokens,
        error_code="deadline_exceeded" if late else "",
        error_message="The deadline passed while the generation waited." if late else "",
    )


def finish_generation(organization_id: UUID, id: UUID, attempt: int, outcome: Outcome) -> bool:
    """Writes the final text and settles the charge in one transaction; False if another attempt took over."""
    with tenancy.scope(organization_id):
        generation: Generation | None = (
            Generation.objects.select_for_update(of=("self",))
            .select_related("model")
            .filter(pk=id, attempt=attempt, status=Status.RUNNING)
            .first()
        )
        if generation is None:
            return False
        _end(generation, outcome)
    return True


def _end(generation: Generation, outcome: Outcome) -> None:
    """The one place where a generation ends; the caller holds its row lock."""
    model = generation.model
    ending = asdict(outcome) | {"lease_until": None, "finished_at": Now(), "attempt": generation.attempt}
    for name, value in ending.items():
        setattr(generation, name, value)
    generation.save(update_fields=ending)
    if outcome.completion_tokens or outcome.status == Status.SUCCEEDED:
        charge = billing.Charge(
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
            input_price=model.input_price,
            output_price=model.output_price,
            currency=model.currency,
        )
        billing.settle(generation.pk, charge)
    else:
        billing.release(generation.pk)
    usage = {"prompt_tokens": outcome.prompt_tokens, "completion_tokens": outcome.completion_tokens}
    data = {"model": model.name, "finish_reason": outcome.finish_reason, "usage": usage}
    events.record(f"generation.{outcome.status}", generation.pk, data)
    transaction.on_commit(partial(metrics.count_end, model.name, str(outcome.status), outcome.error_code))
    used = outcome.prompt_tokens + outcome.completion_tokens if outcome.completion_tokens else 0
    jobs.repay(generation, generation.held_tokens - used)
