"""Doing failed work again: a new generation with a hold of its own, at most once for each that failed."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.billing.entitlements import month_of
from apps.billing.services.ledger import lock_month
from apps.core import tenancy
from apps.core.errors import Conflict, ModelNotFound, NotFound
from apps.core.jobs import Status
from apps.studio.models import Generation, Kind
from apps.studio.requests import GenerationSpec, Sources
from apps.studio.services import safety
from apps.studio.services.admission import Prepared, accept
from ml.types import Message


def repeat_generation(actor: Actor, id: UUID) -> Generation:
    """Asks again for what a failed generation was asked for, and returns the new one.

    The ledger knows one hold and one end of each job, so the failed row stays as it ended, and the new one is held,
    limited and charged like any other. One that was charged for what it had written is not repeated, since its text
    would be paid for twice; one that was repeated gives what it was repeated as, whoever asks again.
    """
    actor.require("generations:write")
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        failed, repeated = _found(id)
    if repeated is not None:
        return repeated
    # Before the transaction: what the safety rules refuse is noted, and a refusal would take the note back with it.
    prepared = _prepared(actor, failed)
    with tenancy.scope(actor.organization_id):
        failed, repeated = _found(id, lock=True)
        if repeated is not None:
            return repeated
        # In the order of locks: the month's usage, then the audit chain, then what accepting takes.
        lock_month(month_of(timezone.now()), prepared.purpose)
        audit.record(actor, "generation.repeated", failed, error=failed.error_code)
        again = accept(prepared)
        again.brief, again.repeats = failed.brief, failed.pk
        again.save(update_fields=["brief", "repeats"])
    return again


def _found(id: UUID, *, lock: bool = False) -> tuple[Generation, Generation | None]:
    """The failed generation, and what it was repeated as; raises for one that is not done again."""
    rows = Generation.objects.of_studio()
    rows = rows.select_for_update(of=("self",)) if lock else rows
    failed: Generation | None = rows.select_related("model").filter(pk=id).first()
    if failed is None:
        raise NotFound("There is no generation with this id.")
    repeated: Generation | None = Generation.objects.filter(repeats=failed.pk).first()
    if repeated is None:
        _require_repeatable(failed)
    return failed, repeated


def _require_repeatable(failed: Generation) -> None:
    if failed.status != Status.FAILED:
        raise Conflict("Only a generation that failed is done again.")
    if failed.completion_tokens:
        raise Conflict("It was charged for what it had written, and would be charged for that again.")
    if not failed.model.enabled:
        raise ModelNotFound("Its model is no longer served.", param="model")


def sources_of(generation: Generation) -> Sources:
    """What a generation was made from, to ask for another one from the same."""
    return Sources(
        template_version_id=generation.template_version_id,
        voice_version_id=generation.voice_version_id,
        variables=generation.variables,
        passages=tuple(generation.passages),
    )


def _prepared(actor: Actor, failed: Generation) -> Prepared:
    """The failed one's request, with the model and the counts that it was accepted with, under today's safety rules.

    In the name of whoever asked for it, who finds it among their own, and whose budgets it is held against; who had it
    done again stands in the audit log.
    """
    asked = GenerationSpec(
        model=failed.model_name,
        messages=tuple(Message(m["role"], m["content"]) for m in failed.messages),
        prompt=failed.prompt if failed.kind == Kind.COMPLETION else None,
        sampling=failed.sampling(),
        max_tokens=failed.max_tokens,
        origin=failed.origin,
        sources=sources_of(failed),
    )
    spec, guard = safety.guard_prompt(actor, asked)
    return Prepared(
        actor=replace(actor, user_id=failed.created_by_id, api_key_id=failed.api_key_id),
        spec=spec,
        guard=guard,
        model=failed.model,
        limits=billing.limits_of(actor.organization_id),
        prompt_tokens=failed.held_tokens - failed.max_tokens,
        max_tokens=failed.max_tokens,
    )
