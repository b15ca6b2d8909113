"""Telling owners what is about to happen to their subscription, once each; receipts are Stripe's to send."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import Membership, Role
from apps.accounts.services.notices import tell
from apps.billing.models import OperationState, Status, StripeOperation, Subscription, SubscriptionNotice
from apps.billing.models.subscriptions import ENDED
from apps.billing.standing import SECOND, STILL_NEWS, TRIAL_NOTICE, notice_of, paid_for
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants

MAIL = "subscription_notice"
SECONDS = Q(kind="end_second")


def tell_of_subscriptions() -> int:
    """Tells of what nobody was told of yet; returns of how many."""
    return sum(_tell(organization_id, id) for organization_id, id in _candidates())


def _candidates() -> list[tuple[UUID, UUID]]:
    now = timezone.now()
    wanted = (
        Q(status=Status.TRIALING, trial_end__lte=now + TRIAL_NOTICE)
        | Q(status=Status.PAST_DUE)
        | Q(status=Status.CANCELED, ended_at__gt=now - STILL_NEWS)
    )
    with across_tenants(Across.HOUSEKEEPING):
        lately = StripeOperation.objects.filter(SECONDS, state=OperationState.DONE, done_at__gt=now - STILL_NEWS)
        ended = list(lately.values_list("parameters__subscription", flat=True))
        rows = Subscription.objects.filter(wanted | Q(stripe_id__in=ended)).exclude(stripe_id="")
        return list(rows.order_by("pk").values_list("organization_id", "pk"))


def _tell(organization_id: UUID, id: UUID) -> bool:
    """The index says whether somebody has been told: of two workers who look at once one writes the row."""
    with tenancy.scope(organization_id):
        row = Subscription.objects.filter(pk=id).first()
        found = _notice_of(row) if row else None
        if row is None or found is None:
            return False
        kind, occasion = found
        facts = {"organization_id": organization_id, "kind": kind}
        notice, is_new = SubscriptionNotice.objects.get_or_create(subscription=row, occasion=occasion, defaults=facts)
        if is_new:
            if kind == SECOND:
                audit.record(audit.system(organization_id), "subscription.second_refunded", row, **_given_back(row))
            people = Membership.objects.filter(role__in=[Role.OWNER, Role.BILLING], user__is_active=True)
            for address in sorted(set(people.values_list("user__email", flat=True))):
                tell(MAIL, address, notice.pk)
    return bool(is_new)


def _notice_of(row: Subscription) -> tuple[str, str] | None:
    """A second subscription is nobody's plan: what is told of it is that its money has gone back, once it has."""
    second = StripeOperation.objects.filter(SECONDS, parameters__subscription=row.stripe_id)
    if not second.exists():
        return notice_of(row, timezone.now())
    is_done = row.status in ENDED and second.filter(state=OperationState.DONE).exists()
    return (SECOND, SECOND) if is_done else None


def _given_back(row: Subscription) -> dict[str, Any]:
    amount_minor, currency = paid_for(row)
    return {"amount_minor": amount_minor, "currency": currency, "subscription": row.stripe_id}
