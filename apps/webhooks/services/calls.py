"""Calls that come in: taken once each where they are genuine, and carried out by a worker."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.access import Actor, actor_of_membership
from apps.accounts.models import Membership
from apps.accounts.services.keys import actor_of_key, admissible
from apps.accounts.services.security import stays_away
from apps.core import jobs, ratelimit, signatures, tenancy
from apps.core.crypto import seal_into, unseal_from
from apps.core.errors import (
    Conflict,
    InvalidRequest,
    MillraceError,
    NotFound,
    SignatureRefused,
    Unprocessable,
)
from apps.core.inbound import Action, Call
from apps.core.ratelimit import Bucket
from apps.core.tenancy import Across, across_tenants
from apps.webhooks import mapping, senders
from apps.webhooks.access import MANAGE, RESULTS
from apps.webhooks.errors import HookKeyEnded, HookOwnerAway, HookOwnerLeft, HookRightLost
from apps.webhooks.models import CallState, InboundCall, InboundHook, Sender
from apps.webhooks.services.inbound import NO_HOOK, action_named, trial_of

TAKE = "webhooks.take_calls"
CALLS_A_MINUTE = 600
LEASE_SECONDS, MOST_ATTEMPTS, FIRST_PAUSE_SECONDS = 60, 5, 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """A genuine call: its row and whether it is new, or the challenge of a sender that only tries the address."""

    call: InboundCall | None
    is_new: bool = False
    challenge: str = ""


def take_call(hook_id: UUID, headers: Mapping[str, str], body: bytes) -> Taken:
    """Stores a genuine call, once, for a worker. Nothing is stored of any other, nor of Slack's trial of an address.

    Raises NotFound for an address that there is not, SignatureRefused, RateLimitExceeded and Unprocessable.
    """
    with across_tenants(Across.SIGN_IN):
        hook: InboundHook | None = InboundHook.objects.filter(pk=hook_id, enabled=True).first()
    if hook is None:
        raise NotFound(NO_HOOK)
    try:
        key = senders.key_of_call(hook.sender, headers, body, _secrets_of(hook), time.time())
    except signatures.WrongSignature:
        raise SignatureRefused("This call is not signed with the secret of its address, or not just now.") from None
    # After the signature: what strangers send takes nothing from the sender.
    ratelimit.charge(f"inbound:{hook.pk}", [Bucket("requests", CALLS_A_MINUTE, 1)])
    try:
        text = body.decode()
        payload = mapping.payload_of(body)
    except ValueError:
        raise Unprocessable("The body is neither JSON nor a form.") from None
    if hook.sender == Sender.SLACK and isinstance(payload, dict) and payload.get("type") == "url_verification":
        return Taken(None, challenge=str(payload.get("challenge", ""))[:500])
    with tenancy.scope(hook.organization_id):
        call = InboundCall(organization_id=hook.organization_id, hook=hook, key=key)
        seal_into(call, "payload", text)
        try:
            with transaction.atomic():
                call.save(force_insert=True)
        except IntegrityError:
            return Taken(InboundCall.objects.filter(hook=hook, key=key).first())
        jobs.ring(TAKE)
    return Taken(call, is_new=True)


def run_calls(limit: int = 50) -> int:
    """Carries out what waits, of each organization one after the other; returns how many were taken."""
    count = 0
    while count < limit:
        claimed = [found for organization_id in _waiting()[: limit - count] if (found := _claim(organization_id))]
        if not claimed:
            break
        for each in claimed:
            _carry_out(*each)
        count += len(claimed)
    return count


def due() -> Any:
    """Calls that wait, or whose worker is gone."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    return InboundCall.objects.filter(free, state__in=[CallState.WAITING, CallState.RUNNING])


def _waiting() -> list[UUID]:
    """The organizations for which calls wait, in an order that favours none."""
    with across_tenants(Across.CLAIM_WORK):
        found = list(due().order_by().values_list("organization_id", flat=True).distinct())
    random.shuffle(found)
    return found


def _claim(organization_id: UUID) -> tuple[UUID, UUID, int] | None:
    with tenancy.scope(organization_id):
        rows = due()
        found = rows.select_for_update(skip_locked=True).order_by("created_at").first()
        if found is None:
            return None
        InboundCall.objects.filter(pk=found.pk).update(
            state=CallState.RUNNING,
            attempt=F("attempt") + 1,
            lease_until=Now() + timedelta(seconds=LEASE_SECONDS),
        )
        return found.organization_id, found.pk, found.attempt + 1


def _carry_out(organization_id: UUID, id: UUID, attempt: int) -> None:
    if attempt > MOST_ATTEMPTS:
        _end(organization_id, id, attempt, CallState.FAILED, code="worker_lost")
        return
    try:
        with tenancy.scope(organization_id):
            call = InboundCall.objects.select_related("hook").get(pk=id)
            if not call.hook.enabled:
                raise Conflict("This address was switched off.")
            actor = _actor_of(call.hook)
            body = unseal_from(call, "payload").encode()
        action = action_named(call.hook.action)
        _require_rights(actor, action, call.hook.mapping)
        found = trial_of(action, call.hook.mapping, body)
        if found.missing:
            names = ", ".join(found.missing)
            raise InvalidRequest("The call has no value for: %(names)s.", values={"names": names}, param="mapping")

        def finish(result: UUID | None) -> None:
            if not _end(organization_id, id, attempt, CallState.DONE, result=result):
                # Somebody else has this call now: what was made here is undone with the transaction.
                raise Conflict("This call is carried out elsewhere.")

        action.run(Call(actor, call.hook_id, call.key, found.inputs, finish))
    except MillraceError as error:
        if error.should_retry and attempt < MOST_ATTEMPTS:
            _later(organization_id, id, attempt, error.retry_after or FIRST_PAUSE_SECONDS * 2**attempt)
        else:
            _end(organization_id, id, attempt, CallState.FAILED, code=error.code, message=error.message)
    except InboundCall.DoesNotExist:
        return
    except Exception:
        # The lease lapses, and the call is tried again a few times.
        log.exception("call not carried out", call=str(id))


def _end(organization_id: UUID, id: UUID, attempt: int, state: CallState, **facts: Any) -> bool:
    with tenancy.scope(organization_id):
        mine = InboundCall.objects.filter(pk=id, attempt=attempt, state=CallState.RUNNING)
        ended = mine.update(
            state=state,
            result=facts.get("result"),
            error_code=facts.get("code", ""),
            error_message=facts.get("message", "")[:500],
            finished_at=Now(),
            lease_until=None,
        )
    return bool(ended)


def _later(organization_id: UUID, id: UUID, attempt: int, seconds: float) -> None:
    with tenancy.scope(organization_id):
        mine = InboundCall.objects.filter(pk=id, attempt=attempt, state=CallState.RUNNING)
        mine.update(lease_until=Now() + timedelta(seconds=min(seconds, 3600)))


def _actor_of(hook: InboundHook) -> Actor:
    """The person in whose name the address acts, with what they and the key that they used may do now; in scope."""
    members = Membership.objects.select_related("user", "organization", "custom_role")
    member: Membership | None = members.filter(user_id=hook.created_by_id, user__is_active=True).first()
    if member is None:
        raise HookOwnerLeft("Whoever has set this address is not a member any more.")
    actor = actor_of_membership(member, member.user)
    if hook.api_key_id is None:
        if stays_away(member.user_id):
            raise HookOwnerAway("Whoever has set this address has not come through single sign-on for too long.")
        return actor
    key = admissible().filter(pk=hook.api_key_id, member_id=member.pk).first()
    if key is None or key.is_expired(timezone.now()) or key.maker_stays_away:
        raise HookKeyEnded("The API key through which this address was set up does not work any more.")
    # What is asked for counts in the key's budget as well, as if it had been asked for with it.
    through = actor_of_key(key)
    permissions = actor.permissions & through.permissions
    return replace(actor, permissions=permissions, api_key_id=key.pk, credential=through.credential)


def _require_rights(actor: Actor, action: Action, paths: Mapping[str, Any]) -> None:
    """What was asked of whoever set it up is asked again: rights that they have lost, the address has lost as well."""
    needed = [MANAGE, action.permission, *([RESULTS] if "callback_url" in paths else [])]
    if lost := [each for each in needed if each not in actor.permissions]:
        raise HookRightLost(
            "Whoever has set up this address may not do this any more: it takes the permission %(permission)s.",
            values={"permission": lost[0]},
        )


def _secrets_of(hook: InboundHook) -> list[str]:
    found = [unseal_from(hook, "secret")]
    if hook.previous and hook.previous_until and hook.previous_until > timezone.now():
        found.append(unseal_from(hook, "previous"))
    return found
