"""Stopping a generation, and the one place where each of them ends together with its charge."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
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
from apps.core.statements import TenantStatement, update
from apps.core.tenancy import Across, across_tenants
from apps.studio.models import Generation, Origin
from apps.studio.services import safety

log = structlog.get_logger(__name__)
# A row with its model, locked: asked at every end.
_HELD: TenantStatement[Generation] = TenantStatement(
    lambda id: Generation.objects.select_for_update(of=("self",)).select_related("model").filter(pk=id),
    UUID,
)
_NOW = RawSQL("statement_timestamp()", [])
# What of a row of the desk is taken out once the desk has the words.
EMPTIED: dict[str, Any] = {"messages": [], "text": "", "findings": None, "originals": ""}


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


def cancel_generation(actor: Actor, id: UUID, *, for_desk: bool = False) -> Generation:
    """Stops a generation: one that waits ends at once, one that runs is stopped by its worker.

    It costs what it has produced: nothing if it never ran. Cancelling what has ended changes nothing. What a lost
    worker has begun ends here too, unless Redis does not say what that one had written: then whoever claims or reaps
    the row next ends it, since the row says that it shall stop.
    """
    actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        generation = _locked(id)
        if generation is None or (generation.origin == Origin.SUPPORT) != for_desk:
            raise NotFound("There is no generation with this id.")
        if generation.status == Status.QUEUED and not generation.attempt:
            _end(generation, _ending(generation, streams.Recovered(), Status.CANCELLED))
        elif generation.status in {Status.QUEUED, Status.RUNNING} and generation.cancel_requested_at is None:
            Generation.objects.filter(pk=id).update(cancel_requested_at=Now())
            jobs.push_cancel(id)
    if _is_abandoned(generation):
        _end_abandoned(generation, Status.CANCELLED)
    with tenancy.scope(actor.organization_id):
        rows = Generation.objects.select_related("model", "created_by", "api_key")
        cancelled: Generation = rows.get(pk=id)
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
        for generation in _HELD.ask(id):
            if generation.attempt == attempt and generation.status == Status.RUNNING:
                _end(generation, outcome)
                return True
    return False


def _end(generation: Generation, outcome: Outcome) -> None:
    """The one place where a generation ends; the caller holds its row lock."""
    model = generation.model
    outcome = _checked(generation, outcome)
    ending = asdict(outcome) | {"lease_until": None, "finished_at": _NOW, "attempt": generation.attempt}
    ending |= {"findings": generation.findings, "originals": ""}
    for name, value in ending.items():
        setattr(generation, name, value)
    update(generation, ending)
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


def _checked(generation: Generation, outcome: Outcome) -> Outcome:
    """The outcome as the organization's safety rules leave it; what was produced is charged in any case."""
    if generation.safety_policy_id is None or not outcome.text:
        return outcome
    examined = safety.examine_output(generation, outcome.text)
    if examined.findings:
        before = generation.findings or {"prompt": []}
        generation.findings = before | {"output": examined.findings}
    reason = safety.WITHHELD if examined.is_withheld else outcome.finish_reason
    return replace(outcome, text=examined.text, finish_reason=reason)


def empty_desk_text(organization_id: UUID, id: UUID) -> None:
    """Takes prompt and text out of a row of the support desk that has ended, as the desk has taken over the words."""
    with tenancy.scope(organization_id):
        Generation.objects.filter(pk=id, origin=Origin.SUPPORT, status__in=jobs.TERMINAL).update(**EMPTIED)


def empty_desk_texts() -> int:
    """The same of all that nobody has come to fetch for an hour."""
    with across_tenants(Across.HOUSEKEEPING):
        rows = Generation.objects.filter(origin=Origin.SUPPORT, status__in=jobs.TERMINAL)
        old = rows.filter(finished_at__lt=Now() - timedelta(hours=1)).exclude(messages=[])
        return int(old.update(**EMPTIED))
