"""Subscriptions, invoices and payments as hand-made rows, for tests of what is counted from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.utils import timezone

from apps.billing.models import (
    Invoice,
    Order,
    Payment,
    Plan,
    PlanPrice,
    StripeEvent,
    StripeFinding,
    StripeOperation,
    Subscription,
)
from apps.core import tenancy
from tests.helpers.people import Tenant


def make_price(base: int, seat: int, currency: str, interval: str = "month", included: int = 1) -> PlanPrice:
    """A price of a plan of its own."""
    plan = Plan.objects.create(
        code=f"plan-{uuid4().hex[:12]}",
        name="Made",
        included_seats=included,
        requests_per_minute=1,
        tokens_per_minute=1,
        max_queued=1,
    )
    price: PlanPrice = PlanPrice.objects.create(
        plan=plan, interval=interval, currency=currency, base_minor=base, seat_minor=seat
    )
    return price


def give(tenant: Tenant, price: PlanPrice | None, seats: int = 1, status: str = "active") -> None:
    """The organization's live subscription from now on; None ends it."""
    with tenancy.scope(tenant.id):
        Subscription.objects.filter(is_live=True).update(status="canceled", ended_at=timezone.now())
        if price is not None:
            Subscription.objects.create(
                organization_id=tenant.id, plan=price.plan, price=price, seats=seats, status=status
            )


def make_invoice(tenant: Tenant, minor: int, currency: str, **more: Any) -> Invoice:
    values = {"status": "paid", "issued_at": timezone.now(), "subtotal_minor": minor, "total_minor": minor} | more
    with tenancy.scope(tenant.id):
        row: Invoice = Invoice.objects.create(
            organization_id=tenant.id, stripe_id=f"in_{uuid4().hex}", currency=currency, **values
        )
    return row


def make_order(tenant: Tenant, minor: int, currency: str) -> Order:
    with tenancy.scope(tenant.id):
        row: Order = Order.objects.create(
            organization_id=tenant.id,
            kind="credits",
            item_id=uuid4(),
            name="Pack",
            currency=currency,
            amount_minor=minor,
            state="delivered",
        )
    return row


def make_payment(tenant: Tenant, minor: int, currency: str, at: datetime, **more: Any) -> Payment:
    values = {"status": "succeeded"} | more
    with tenancy.scope(tenant.id):
        row: Payment = Payment.objects.create(
            organization_id=tenant.id,
            stripe_id=f"ch_{uuid4().hex}",
            currency=currency,
            amount_minor=minor,
            created_at=at,
            **values,
        )
    return row


def make_event() -> None:
    StripeEvent.objects.create(
        livemode=False,
        event_id=f"evt_{uuid4().hex}",
        type="invoice.paid",
        object_kind="invoice",
        object_id="in_1",
        happened_at=timezone.now(),
    )


def make_exchange(tenant: Tenant) -> None:
    """An event from Stripe, a request to it, and what the comparison with it has found."""
    make_event()
    with tenancy.scope(tenant.id):
        StripeOperation.objects.create(organization_id=tenant.id, kind="cancel", parameters={}, subject=uuid4().hex)
        StripeFinding.objects.create(
            organization_id=tenant.id, kind="drift", subject=uuid4().hex, detail="in_1 (status)"
        )
