"""Asking for a generation: checked and counted first, then held, written and rung for in one short transaction."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from typing import cast
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField
from django.db.models.expressions import RawSQL

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.billing.entitlements import Limits
from apps.core import backlog, events, jobs, metrics, tenancy
from apps.core.errors import ContextLengthExceeded, InvalidRequest, NotFound, Overloaded, QueueFull
from apps.core.ids import uuid7
from apps.core.statements import insert
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.studio.models import Generation, Kind
from apps.studio.requests import DEFAULT_MAX_TOKENS, GenerationSpec, Sources, checked
from apps.studio.services import safety
from apps.studio.services.feedback import with_opinions
from ml.text.tokens import count_chat_tokens, count_tokens

WAKE = "generation.wake"
# The name of this work in the metrics.
QUEUE = "generation"
# Bytes bound tokens from above for byte-level tokenizers; a chat template adds a few tokens a turn.
TEMPLATE_TOKENS_PER_MESSAGE = 16


# How many wait beside the one that is being written.
_WAITING = """
SELECT count(*) FROM studio_generation other
WHERE other.organization_id = studio_generation.organization_id AND other.status = 'queued'
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an organization's plan gives it at this moment, and its safety rules in force."""

    limits: Limits
    rules: safety.InForce | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that may be accepted: checked, its model resolved and its tokens counted; nothing is written yet."""

    actor: Actor
    spec: GenerationSpec
    model: ModelVersion
    limits: Limits
    prompt_tokens: int
    max_tokens: int
    guard: safety.Guard | None = None

    @property
    def held_tokens(self) -> int:
        return self.prompt_tokens + self.max_tokens

    def clean(self, text: str) -> str:
        """What somebody has typed for this request, as the safety rules let it be kept beside the prompt."""
        return self.guard.clean(text) if self.guard else text

    @property
    def asked(self) -> dict[str, int]:
        return billing.tokens(self.prompt_tokens, self.max_tokens)

    @property
    def purpose(self) -> billing.Purpose:
        return billing.Purpose(self.actor.user_id, self.actor.api_key_id, self.model.name)


def request_generation(actor: Actor, spec: GenerationSpec) -> Generation:
    """Accepts a generation; raises what `prepare` and `accept` raise, and then nothing is left behind."""
    return accept(prepare(actor, spec))


def standing_of(organization_id: UUID) -> Standing:
    """Both in one transaction, as they are needed for every request."""
    with tenancy.reading(organization_id):
        return Standing(billing.limits_of(organization_id), safety.policy_in_force(organization_id))


@metrics.counting_refusals(QUEUE)
def prepare(
    actor: Actor, spec: GenerationSpec, limits: Limits | None = None, *, standing: Standing | None = None
) -> Prepared:
    """Everything that needs no lock: permission, values, model, tokens.

    `limits`, or all of the organization's `standing`, where the caller has read them.

    What the organization's safety rules mask is masked from here on. Raises ContentRefused where they refuse the
    prompt, and DeletionPending, InvalidRequest, ModelNotFound, ContextLengthExceeded or Overloaded.
    """
    actor.require("generations:write")
    actor.require_open()
    spec, guard = safety.guard_prompt(actor, checked(spec), (standing.rules,) if standing else None)
    model = registry.resolve(spec.model)
    prompt_tokens, exact = _prompt_tokens(model, spec)
    max_tokens = _max_tokens(model, spec, prompt_tokens, exact)
    _refuse_when_overloaded()
    sampling = replace(spec.sampling, min_tokens=min(spec.sampling.min_tokens, max_tokens))
    return Prepared(
        actor=actor,
        spec=replace(spec, sampling=sampling),
        model=model,
        limits=standing.limits if standing else limits or billing.limits_of(actor.organization_id),
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
        guard=guard,
    )


def accept(prepared: Prepared) -> Generation:
    """Hold, row, event and doorbell in one transaction; raises QueueFull, InsufficientQuota or BudgetExceeded.

    It locks the organization's month, so nothing in here may wait for anything but the database.
    """
    with tenancy.scope(prepared.actor.organization_id):
        return accept_in_scope(prepared)


@metrics.counting_refusals(QUEUE)
def accept_in_scope(prepared: Prepared) -> Generation:
    """The same in a transaction of the caller's, which ends with what this raises."""
    organization_id, limits = prepared.actor.organization_id, prepared.limits
    id = uuid7()
    billing.hold(id, prepared.asked, limits, purpose=prepared.purpose)
    generation, waiting = _create(id, prepared)
    # Counted after the hold has locked the month's row, so that parallel requests see each other.
    if waiting >= limits.max_queued:
        load = backlog.of_organization(Generation, organization_id, waiting, limits.max_queued)
        raise QueueFull(
            "%(waiting)s generations are waiting already.",
            values={"waiting": waiting},
            retry_after=backlog.retry_after(load),
        )
    generation.place = waiting + 1
    events.record("generation.queued", id, {"model": prepared.model.name, "kind": generation.kind})
    jobs.ring(WAKE)
    transaction.on_commit(partial(metrics.count_accepted, QUEUE))
    return generation


def _refuse_when_overloaded() -> None:
    load = backlog.everywhere(Generation, settings.MAX_QUEUED)
    if load.waiting >= load.limit:
        raise Overloaded(
            "More work is waiting here than can be served; try again later.", retry_after=backlog.retry_after(load)
        )


def _create(id: UUID, prepared: Prepared) -> tuple[Generation, int]:
    """The row, written, and how many of the organization's wait beside it."""
    spec, sampling, sources = prepared.spec, prepared.spec.sampling, prepared.spec.sources or Sources()
    generation = Generation(
        id=id,
        organization_id=prepared.actor.organization_id,
        kind=Kind.CHAT if spec.messages else Kind.COMPLETION,
        model=prepared.model,
        model_name=spec.model,
        messages=[asdict(message) for message in spec.messages],
        prompt=spec.prompt or "",
        brief=asdict(spec.brief) if spec.brief else None,
        max_tokens=prepared.max_tokens,
        min_tokens=sampling.min_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty,
        seed=cast(int, sampling.seed),
        stop=list(sampling.stop),
        held_tokens=prepared.held_tokens,
        prompt_tokens=prepared.prompt_tokens,
        deadline_at=_after(spec.deadline_seconds),
        origin=spec.origin,
        template_version_id=sources.template_version_id,
        voice_version_id=sources.voice_version_id,
        variables=None if sources.variables is None else dict(sources.variables),
        passages=list(sources.passages),
        created_by_id=prepared.actor.user_id,
        api_key_id=prepared.actor.api_key_id,
        request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
    )
    if prepared.guard is not None:
        safety.mark_generation(generation, prepared.guard)
    return generation, insert(generation, _WAITING)


def _after(seconds: float | None) -> RawSQL | None:
    """That long from now by the database's clock."""
    if seconds is None:
        return None
    return RawSQL("clock_timestamp() + %s", [timedelta(seconds=seconds)], output_field=DateTimeField())


def _prompt_tokens(model: ModelVersion, spec: GenerationSpec) -> tuple[int, bool]:
    """The prompt's tokens, and whether they were counted with the model's tokenizer or are an upper bound."""
    folder = registry.local_folder(model)
    counted: int | None = None
    if folder and spec.messages:
        try:
            counted = count_chat_tokens(folder, spec.messages)
        except ValueError as error:
            raise InvalidRequest(
                "The messages cannot be used: %(reason)s.", values={"reason": str(error)[:300]}, param="messages"
            ) from None
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
            "This model's context holds %(most)s tokens; the prompt alone has %(tokens)s.",
            values={"most": model.context_length, "tokens": prompt_tokens},
            param="messages" if spec.messages else "prompt",
        )
    wanted = spec.max_tokens or DEFAULT_MAX_TOKENS
    return min(wanted, room if exact else model.max_output_tokens)


def get_generation(actor: Actor, id: UUID, *, opinions: bool = False) -> Generation:
    """One generation of the actor's organization, with what they think of it (`feedback.opinion_of`) if asked for.

    NotFound for a missing id and for another organization's alike.
    """
    actor.require("generations:read")
    with tenancy.scope(actor.organization_id):
        rows = Generation.objects.for_pages().filter(pk=id)
        generation: Generation | None = (with_opinions(rows, actor) if opinions else rows).first()
    if generation is None:
        raise NotFound("There is no generation with this id.")
    return generation
