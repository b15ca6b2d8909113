"""What the next invoice will come to: asked of Stripe by a worker, kept for a while, and read by pages without asking.

A page never waits for Stripe: it shows what was last heard, says since when it holds, and says so where nothing was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.core.cache import cache
from django.utils import timezone

from apps.billing import gateway
from apps.billing.models import Status, Subscription
from apps.core.errors import MillraceError
from apps.core.tenancy import Across, across_tenants

log = structlog.get_logger(__name__)
# Usage and credits change what an invoice comes to; an hour later nobody should rely on it without a word.
FRESH, KEPT = timedelta(minutes=50), timedelta(days=3)
RENEWING = (Status.ACTIVE, Status.TRIALING, Status.PAST_DUE)


@dataclass(frozen=True, slots=True)
class Renewal:
    """The next invoice as Stripe computed it at `heard_at`; `version` is the subscription's as it was asked about."""

    version: int
    due_minor: int
    tax_minor: int
    currency: str
    due_at: datetime
    heard_at: datetime

    @property
    def is_fresh(self) -> bool:
        """Whether Stripe was heard lately: it is asked more often than this."""
        return timezone.now() - self.heard_at < FRESH + timedelta(minutes=20)


def renewal_of(subscription: Subscription | None) -> Renewal | None:
    """What was last heard about the subscription as it is now; None where nothing was, or it will not be renewed."""
    if subscription is None or not will_renew(subscription):
        return None
    kept = cache.get(_key(subscription.organization_id))
    return kept if isinstance(kept, Renewal) and kept.version == subscription.version else None


def will_renew(subscription: Subscription) -> bool:
    """Whether another invoice is to come by itself."""
    renews = bool(subscription.stripe_id) and subscription.status in RENEWING
    return renews and subscription.cancel_at is None and subscription.period_end is not None


def preview_renewals() -> int:
    """Asks Stripe about each subscription of which nothing fresh is known; returns how many were answered.

    No transaction is open while Stripe is asked, and one that fails hinders none of the others.
    """
    if gateway.mode() is gateway.Mode.OFF:
        return 0
    answered = 0
    for row in _renewing():
        known = renewal_of(row)
        if known is not None and timezone.now() - known.heard_at < FRESH:
            continue
        try:
            preview = gateway.preview_renewal(row.stripe_id)
        except MillraceError as error:
            log.warning("next invoice not heard", subscription=row.stripe_id, problem=error.code)
            continue
        remember(row, preview)
        answered += 1
    return answered


def remember(row: Subscription, preview: gateway.Preview) -> None:
    """Keeps what Stripe has answered."""
    assert row.period_end is not None  # noqa: S101 - only of what is renewed
    heard = Renewal(
        version=row.version,
        due_minor=preview.due_minor,
        tax_minor=preview.tax_minor,
        currency=preview.currency,
        due_at=row.period_end,
        heard_at=timezone.now(),
    )
    cache.set(_key(row.organization_id), heard, KEPT.total_seconds())


def _renewing() -> list[Subscription]:
    with across_tenants(Across.STRIPE):
        rows: Any = Subscription.objects.filter(is_live=True, status__in=RENEWING, cancel_at=None)
        return [row for row in rows.exclude(stripe_id="").order_by("period_end") if will_renew(row)]


def _key(organization_id: UUID) -> str:
    return f"billing:renewal:{organization_id}"
