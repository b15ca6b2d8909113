"""Every write to generations: asking for one, cancelling it, and ending it together with its charge."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models.functions import Now

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.core import events, jobs, streams, tenancy
from apps.core.errors import ContextLengthExceeded, InvalidRequest, NotFound, QueueFull
from apps.core.ids import uuid7
from apps.core.jobs import Status
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.studio.models import Generation, Kind
from apps.studio.requests import DEFAULT_MAX_TOKENS, GenerationSpec, checked
from ml.text.tokens import count_chat_tokens, count_tokens

WAKE = "generation.wake"
# Bytes bound tokens from above for byte-level tokenizers; a chat template adds a few tokens a turn.
TEMPLATE_TOKENS_PER_MESSAGE = 16


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


def request_generation(actor: Actor, spec: GenerationSpec) -> Generation:
    """Accepts a generation: permission, limits, hold, row and doorbell, in one transaction.

    Raises InvalidRequest, ModelNotFound, ContextLengthExceeded, QueueFull or InsufficientQuota; then nothing is left
    behind.
    """
    actor.require("generations:write")
    spec = checked(spec)
    model = registry.resolve(spec.model)
    prompt_tokens, exact = _prompt_tokens(model, spec)
    max_tokens = _max_tokens(model, spec, prompt_tokens, exact)
    limits = billing.limits_of(actor.organization_id)
    id = uuid7()
    with tenancy.scope(actor.organization_id):
        billing.hold(id, prompt_tokens + max_tokens, limits)
        # Counted after the hold has locked the month's row, so that parallel requests see each other.
        if Generation.objects.filter(status=Status.QUEUED).count() >= limits.max_queued:
            raise QueueFull(f"{limits.max_queued} generations are waiting already.", retry_after=5)
        generation = _create(id, actor, spec, model, prompt_tokens, max_tokens)
        events.record("generation.queued", id, {"model": model.name, "kind": generation.kind})
        jobs.ring(WAKE)
    return generation


def _create(
    id: UUID, actor: Actor, spec: GenerationSpec, model: ModelVersion, prompt_tokens: int, max_tokens: int
) -> Generation:
    sampling = spec.sampling
    generation: Generation = Generation.objects.create(
        id=id,
        organization_id=actor.organization_id,
        kind=Kind.CHAT if spec.messages else Kind.COMPLETION,
        model=model,
        model_name=spec.model,
        messages=[asdict(message) for message in spec.messages],
        prompt=spec.prompt or "",
        brief=asdict(spec.brief) if spec.brief else None,
        max_tokens=max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty,
        seed=sampling.seed,
        stop=list(sampling.stop),
        held_tokens=prompt_tokens + max_tokens,
        prompt_tokens=prompt_tokens,
        created_by_id=actor.user_id,
        api_key_id=actor.api_key_id,
        request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
    )
    generation.refresh_from_db(fields=["created_at"])
    return generation


def _prompt_tokens(model: ModelVersion, spec: GenerationSpec) -> tuple[int, bool]:
    """The prompt's tokens, and whether they were counted with the model's tokenizer or are an upper bound."""
    folder = registry.local_folder(model)
    counted: int | None = None
    if folder and spec.messages:
        try:
            counted = count_chat_tokens(folder, spec.messages)
        except ValueError as error:
            raise InvalidRequest(f"{str(error)[:300]}.", param="messages") from None
    elif folder:
        counted = count_tokens(folder, spec.prompt or "")
    if counted is not None:
        return counted, True
    texts = [message.content for message in spec.messages] or [spec.prompt or ""]
    return sum(len(text.encode()) + TEMPLATE_TOKENS_PER_MESSAGE for text in texts), False


def _max_tokens(model: ModelVersion, spec: GenerationSpec, prompt_tokens: int, exact: bool) -> int:
    """The output's bound: what was asked for, within what the context has room for."""
    room = model.context_length - prompt_tokens
    # A bound of one token a byte says too much about a long text; what is eight times too long certainly does not fit.
    if room < 1 and (exact or prompt_tokens > 8 * model.context_length):
        raise ContextLengthExceeded(
            f"This model's context holds {model.context_length} tokens; the prompt alone has {prompt_tokens}.",
            param="messages" if spec.messages else "prompt",
        )
    wanted = spec.max_tokens or DEFAULT_MAX_TOKENS
    return min(wanted, room if exact else model.max_output_tokens)


def get_generation(actor: Actor, id: UUID) -> Generation:
    """One generation of the actor's organization; NotFound for a missing id and for another organization's alike."""
    actor.require("generations:read")
    with tenancy.scope(actor.organization_id):
        generation: Generation | None = Generation.objects.for_pages().filter(pk=id).first()
    if generation is None:
        raise NotFound("There is no generation with this id.")
    return generation


def cancel_generation(actor: Actor, id: UUID) -> Generation:
    """Stops a generation: one that waits ends at once, one that runs is stopped by its worker.

    It costs what it has produced: nothing if it never ran. Cancelling what has ended changes nothing.
    """
    actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        generation: Generation | None = Generation.objects.select_for_update(of=("self",)).filter(pk=id).first()
        if generation is None:
            raise NotFound("There is no generation with this id.")
        if generation.status == Status.QUEUED:
            _cancel_waiting(generation)
        elif generation.status == Status.RUNNING and generation.cancel_requested_at is None:
            Generation.objects.filter(pk=id).update(cancel_requested_at=Now())
        cancelled: Generation = Generation.objects.for_pages().get(pk=id)
    return cancelled


def _cancel_waiting(generation: Generation) -> None:
    """A job may wait again because its worker was lost: what that one had streamed is still the customer's, and owed.

    Its stream is taken over, since the lost worker may only be slow and still writing.
    """
    recovered = streams.Recovered()
    if generation.attempt:
        generation.attempt += 1
        recovered = streams.recover(generation.pk, generation.attempt)
        transaction.on_commit(partial(streams.close, generation.pk, generation.attempt, 1))
    outcome = Outcome(
        status=Status.CANCELLED,
        text=recovered.text,
        finish_reason="cancelled",
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=recovered.tokens,
    )
    _end(generation, outcome)


def finish_generation(organization_id: UUID, id: UUID, attempt: int, outcome: Outcome) -> bool:
    """Writes the final text and settles the charge in one transaction; False if another attempt took over."""
    with tenancy.scope(organization_id):
        generation: Generation | None = (
            Generation.objects.select_for_update(of=("self",))
            .filter(pk=id, attempt=attempt, status=Status.RUNNING)
            .first()
        )
        if generation is None:
            return False
        _end(generation, outcome)
    return True


def _end(generation: Generation, outcome: Outcome) -> None:
    """The one place where a generation ends; the caller holds its row lock."""
    model = registry.version(generation.model_id)
    for name, value in asdict(outcome).items():
        setattr(generation, name, value)
    generation.lease_until = None
    generation.finished_at = Now()
    generation.save()
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
