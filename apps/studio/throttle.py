"""The plan's limits a minute, the same for the API and the studio's own pages."""

from __future__ import annotations

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.billing.entitlements import Limits
from apps.core import ratelimit, tenancy
from apps.core.ratelimit import Bucket, Level
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.requests import GenerationSpec


def charge(actor: Actor, limits: Limits, *, requests: int, tokens: int) -> list[Level]:
    """Takes from the minute's requests and tokens, or raises RateLimitExceeded; nothing is taken with zeros."""
    buckets = [
        Bucket("requests", limits.requests_per_minute, requests),
        Bucket("tokens", limits.tokens_per_minute, tokens),
    ]
    return ratelimit.charge(str(actor.organization_id), buckets)


def request_generation(actor: Actor, spec: GenerationSpec) -> Generation:
    """A generation within the minute's limits; a refusal leaves nothing behind."""
    limits = billing.limits_of(actor.organization_id)
    charge(actor, limits, requests=1, tokens=0)
    with tenancy.scope(actor.organization_id):
        generation = studio.request_generation(actor, spec)
        charge(actor, limits, requests=0, tokens=generation.held_tokens)
    return generation
