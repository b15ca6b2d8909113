"""The plan's limits a minute, the same for the API and the studio's own pages.

Redis is asked before and after the transaction that accepts a request, never inside: one that hangs would hold the
organization's rows with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.billing.entitlements import Limits
from apps.core import ratelimit
from apps.core.errors import BudgetExceeded
from apps.core.ratelimit import Bucket, Level
from apps.studio import services as studio
from apps.studio.models import Generation, Run, Suggestion, Turn
from apps.studio.requests import GenerationSpec
from apps.studio.services import Prepared, conversations, documents, runs
from apps.studio.services.conversations import Question
from apps.studio.services.documents import Selection, Wish
from apps.studio.services.runs import RunRequest

T = TypeVar("T")


def charge(actor: Actor, limits: Limits, *, requests: int, tokens: int) -> list[Level]:
    """Takes from the minute's requests and tokens, or raises RateLimitExceeded; nothing is taken with zeros."""
    buckets = [
        Bucket("requests", limits.requests_per_minute, requests),
        Bucket("tokens", limits.tokens_per_minute, tokens),
    ]
    return ratelimit.charge(str(actor.organization_id), buckets)


def accept_within(prepared: Prepared, accept: Callable[[], T], counts: Callable[[T], bool]) -> tuple[T, list[Level]]:
    """What `accept` returns, with its tokens taken from the minute; given back if it raises or does not count."""
    return accept_all_within([prepared], accept, counts)


def accept_all_within(
    prepared: Sequence[Prepared], accept: Callable[[], T], counts: Callable[[T], bool]
) -> tuple[T, list[Level]]:
    """The same for texts that are accepted together or not at all."""
    first, tokens = prepared[0], sum(each.held_tokens for each in prepared)
    levels = charge(first.actor, first.limits, requests=0, tokens=tokens)
    kept = False
    try:
        accepted = accept()
        kept = counts(accepted)
    except BudgetExceeded as refusal:
        # In a transaction of its own, after the one that was refused is undone.
        billing.note_refusal(first.actor.organization_id, refusal, first.purpose)
        raise
    finally:
        if levels and not kept:
            levels = charge(first.actor, first.limits, requests=0, tokens=-tokens)
    return accepted, levels


def request_generation(actor: Actor, spec: GenerationSpec) -> Generation:
    """A generation within the minute's limits; a refusal leaves nothing behind."""
    limits = billing.limits_of(actor.organization_id)
    charge(actor, limits, requests=1, tokens=0)
    prepared = studio.prepare(actor, spec, limits)
    generation, _ = accept_within(prepared, lambda: studio.accept(prepared), lambda _: True)
    return generation


def request_suggestion(actor: Actor, document: UUID, selection: Selection, wish: Wish) -> Suggestion:
    """A suggestion within the minute's limits; a refusal leaves nothing behind."""
    actor.require(documents.WRITE)
    limits = billing.limits_of(actor.organization_id)
    charge(actor, limits, requests=1, tokens=0)
    asked = documents.prepare_suggestion(actor, document, selection, wish, limits)
    suggestion, _ = accept_within(asked.prepared, lambda: documents.accept_suggestion(actor, asked), lambda _: True)
    return suggestion


def converse(actor: Actor, prepare: Callable[[Limits], Question]) -> tuple[Turn, list[Level]]:
    """The answer that a conversation asks for, within the minute's limits; what was sent before costs nothing again."""
    limits = billing.limits_of(actor.organization_id)
    levels = charge(actor, limits, requests=1, tokens=0)
    question = prepare(limits)
    if question.prepared is None:
        turn, _ = conversations.accept_question(actor, question)
        return turn, levels
    accepted, levels = accept_within(
        question.prepared, lambda: conversations.accept_question(actor, question), lambda found: found[1]
    )
    return accepted[0], levels


def request_run(actor: Actor, request: RunRequest) -> Run:
    """A run within the minute's limits, where each of its texts counts; a refusal leaves nothing behind."""
    run, _ = request_run_telling(actor, request)
    return run


def request_run_telling(actor: Actor, request: RunRequest) -> tuple[Run, list[Level]]:
    """The same, with what is left of the minute."""
    actor.require("generations:write")
    limits = billing.limits_of(actor.organization_id)
    specs = runs.specs_of(request)
    charge(actor, limits, requests=len(specs), tokens=0)
    prepared = runs.prepare_run(actor, request, specs, limits)
    return accept_all_within(prepared.texts, lambda: runs.accept_run(actor, prepared), lambda _: True)
