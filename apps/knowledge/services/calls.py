"""What is embedded for somebody, by the API or as passages of documents.

It is held before, settled with what was read, and released if nothing came of it.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q
from django.db.models.expressions import RawSQL

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.billing.entitlements import Limits
from apps.core import tenancy
from apps.core.errors import BudgetExceeded
from apps.core.jobs import Status
from apps.core.tenancy import Across, across_tenants
from apps.knowledge.models import CallState, EmbeddingCall, SourceVersion

WRITE = "generations:write"
# Longer than anybody waits for an answer.
FORGOTTEN_AFTER = timedelta(minutes=10)


def open_call(actor: Actor, inputs: int, tokens: int, limits: Limits) -> EmbeddingCall:
    """Holds the tokens of a call; raises what a hold raises, and then nothing is left behind."""
    actor.require(WRITE)
    actor.require_open()
    purpose = billing.Purpose(actor.user_id, actor.api_key_id, settings.EMBEDDING_NAME)
    call = EmbeddingCall(organization_id=actor.organization_id, inputs=inputs, tokens=tokens)
    return _opened(call, limits, purpose)


def open_indexing(version: SourceVersion, inputs: int, tokens: int) -> EmbeddingCall:
    """Holds the tokens of a document's passages, in the name of whoever added it, for one attempt at it."""
    purpose = billing.Purpose(version.created_by_id, None, settings.EMBEDDING_NAME)
    call = EmbeddingCall(
        organization_id=version.organization_id,
        inputs=inputs,
        tokens=tokens,
        version=version,
        attempt=version.attempt,
    )
    return _opened(call, billing.limits_of(version.organization_id), purpose)


def _opened(call: EmbeddingCall, limits: Limits, purpose: billing.Purpose) -> EmbeddingCall:
    call.model, call.created_by_id, call.api_key_id = purpose.model, purpose.user_id, purpose.api_key_id
    try:
        with tenancy.scope(call.organization_id):
            billing.hold(call.pk, billing.tokens(call.tokens, 0), limits, purpose=purpose)
            call.save(force_insert=True)
    except BudgetExceeded as refusal:
        # In a transaction of its own, after the one that was refused is undone.
        billing.note_refusal(call.organization_id, refusal, purpose)
        raise
    return call


def settle_call(call: EmbeddingCall) -> None:
    """Charges the tokens that were read."""
    charge = billing.Charge(prompt_tokens=call.tokens, input_price=settings.EMBEDDING_PRICE, currency="USD")
    with tenancy.scope(call.organization_id):
        if _close(call, CallState.SETTLED):
            billing.settle(call.pk, charge)


def release_call(call: EmbeddingCall) -> None:
    """Gives back what was held for a call that brought nothing; what has ended stays as it is."""
    with tenancy.scope(call.organization_id):
        if _close(call, CallState.RELEASED):
            billing.release(call.pk)


def release_forgotten() -> int:
    """Gives back what processes that are gone had held, and says how many calls those were.

    A document may take longer; of that the attempt says whether it still goes on.
    """
    old = RawSQL("clock_timestamp() - %s", [FORGOTTEN_AFTER])
    going = Q(version__status=Status.RUNNING, version__attempt=F("attempt"))
    with across_tenants(Across.REAP):
        rows = EmbeddingCall.objects.filter(state=CallState.OPEN, created_at__lt=old)
        found = list(rows.exclude(pk__in=EmbeddingCall.objects.filter(going).values("pk"))[:500])
    for call in found:
        release_call(call)
    return len(found)


def _close(call: EmbeddingCall, state: CallState) -> bool:
    return bool(EmbeddingCall.objects.filter(pk=call.pk, state=CallState.OPEN).update(state=state))
