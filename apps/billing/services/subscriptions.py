"""The life of a subscription after it was taken: cancelling, keeping, pausing and going on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing import gateway
from apps.billing.models import Status, Subscription
from apps.billing.services.accounts import MANAGE, lock_account
from apps.billing.services.mirrors import live_subscription, refresh
from apps.billing.services.operations import perform, write_operation
from apps.billing.services.outbox import catch_up
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest

LONGEST_PAUSE, LONGEST_REASON = 3, 400


def cancel_subscription(actor: Actor, *, at_once: bool = False, reason: str = "") -> Subscription:
    """Ends the subscription with the period that is paid for, or at once; after it the free plan holds.

    Nothing is given back by itself. At once, what was used and not yet billed is billed.
    """
    actor.require(MANAGE)
    reason = reason.strip()[:LONGEST_REASON]
    catch_up(actor.organization_id)
    with tenancy.scope(actor.organization_id):
        lock_account(actor.organization_id)
        row = _own()
        if row.cancel_at is not None and not at_once:
            return row
        kind, facts = ("cancel_now", "at_once") if at_once else ("cancel_at_end", "period_end")
        audit.record(actor, "subscription.cancelled", row, after={"when": facts}, reason=reason)
        operation = _operation(row, kind, reason=reason)
    perform(operation)
    return _after(row)


def keep_subscription(actor: Actor) -> Subscription:
    """Takes a cancellation back, as long as the subscription has not ended."""
    actor.require(MANAGE)
    actor.require_open()
    catch_up(actor.organization_id)
    with tenancy.scope(actor.organization_id):
        lock_account(actor.organization_id)
        row = _own()
        if row.cancel_at is None:
            return row
        audit.record(actor, "subscription.kept", row, before={"cancel_at": row.cancel_at.isoformat()}, after={})
        operation = _operation(row, "keep")
    perform(operation)
    return _after(row)


def pause_subscription(actor: Actor, months: int) -> Subscription:
    """Bills nothing for one to three months, in which nothing new begins; then it goes on by itself.

    What was used before, and changed within the period, is billed at once: the invoices of a pause are voided.
    """
    actor.require(MANAGE)
    if not 1 <= months <= LONGEST_PAUSE:
        raise InvalidRequest("A pause lasts 1 to %(most)s months.", values={"most": LONGEST_PAUSE}, param="months")
    catch_up(actor.organization_id)
    with tenancy.scope(actor.organization_id):
        lock_account(actor.organization_id)
        row = _own()
        if row.status != Status.ACTIVE or row.cancel_at is not None:
            raise Conflict("Only an active subscription that is not about to end can be paused.")
        until = _months_later(timezone.now(), months)
        audit.record(actor, "subscription.paused", row, after={"until": until.date().isoformat()})
        operation = _operation(row, "pause", until=gateway.moment(until))
    perform(operation)
    return _after(row)


def resume_subscription(actor: Actor) -> Subscription:
    """Ends a pause before its time."""
    actor.require(MANAGE)
    actor.require_open()
    catch_up(actor.organization_id)
    with tenancy.scope(actor.organization_id):
        lock_account(actor.organization_id)
        row = _own()
        if row.status != Status.PAUSED:
            return row
        audit.record(actor, "subscription.resumed", row, after={})
        operation = _operation(row, "unpause")
    perform(operation)
    return _after(row)


def _own() -> Subscription:
    """The live subscription that was taken at Stripe."""
    row = live_subscription()
    if row is None:
        raise Conflict("Your organization has no subscription.")
    if not row.stripe_id:
        raise Conflict("The operator of this installation has set your plan; ask them to change it.")
    return row


def _operation(row: Subscription, kind: str, **parameters: Any) -> Any:
    # Of one version it is asked for once, however often somebody clicks.
    subject = f"{row.pk}:{row.version}"
    return write_operation(row.organization_id, kind, subject, {"subscription": row.stripe_id, **parameters})


def _after(row: Subscription) -> Subscription:
    """The subscription as Stripe has it now, ended or not."""
    refresh(row.organization_id)
    with tenancy.scope(row.organization_id):
        found: Subscription = Subscription.objects.select_related("plan", "price__plan").get(pk=row.pk)
    return found


def _months_later(moment: datetime, months: int) -> datetime:
    """The same day so many months later, or the last one of a shorter month."""
    year, month = divmod(moment.month - 1 + months, 12)
    for day in (moment.day, 30, 29, 28):
        try:
            return moment.replace(year=moment.year + year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")
