"""The plan's limits a minute, the same for the API and the studio's own pages.

Redis is asked before and after the transaction that accepts a request, never inside: one that hangs would hold the
organization's rows with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.billing.entitlements import Limits
from apps.core import ratelimit
from apps.core.errors import BudgetExceeded
from apps.core.ratelimit import Bucket, Level
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.requests import GenerationSpec
from apps.studio.services import Prepared

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
    tokens = prepared.held_tokens
    levels = charge(prepared.actor, prepared.limits, requests=0, tokens=tokens)
    kept = False
    try:
        accepted = accept()
        kept = counts(accepted)
    except BudgetExceeded as refusal:
        # In a transaction of its own, after the one that was refused is undone.
        billing.note_refusal(prepared.actor.organization_id, refusal, prepared.purpose)
        raise
    finally:
        if levels and not kept:
            levels = charge(prepared.actor, prepared.limits, requests=0, tokens=-tokens)
    return accepted, levels


def request_generation(actor: Actor, spec: GenerationSpec) -> Generation:
    """A generation within the minute's limits; a refusal leaves nothing behind."""
    limits = billing.limits_of(actor.organization_id)
    charge(actor, limits, requests=1, tokens=0)
    prepared = studio.prepare(actor, spec, limits)
    generation, _ = accept_within(prepared, lambda: studio.accept(prepared), lambda _: True)
    return generation
