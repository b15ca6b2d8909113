"""Organizations that pay, at the Stripe simulator: what people do on Stripe's pages, and what time does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.billing.models import BillingAccount, Invoice, PlanCheckout, Subscription
from apps.core import tenancy
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

CARD = "4242424242424242"


@pytest.fixture
def payments(simulator: Simulator, settings: Any) -> Simulator:
    """Payments that go to an empty simulator."""
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "", simulator.url
    return simulator


def choose(
    tenant: Tenant, plan: str = "pro", *, interval: str = "month", currency: str = "USD", seats: int = 3, **more: Any
) -> PlanCheckout:
    """A page on which the organization may take a plan."""
    actor: Actor = more.pop("actor", tenant.actor)
    return billing.start_checkout(actor, plan=plan, interval=interval, currency=currency, seats=seats, **more)


def subscribe(
    simulator: Simulator, tenant: Tenant, plan: str = "pro", *, trial: bool = False, **more: Any
) -> Subscription:
    """Takes a plan as a person does: by Checkout, paid with a card, and back."""
    if not trial:
        forget_trial(tenant)
    number = more.pop("number", CARD)
    row = choose(tenant, plan, **more)
    simulator.pay(row.stripe_id, number=number)
    billing.settle_checkout(tenant.id, row.pk)
    return subscription_of(tenant)


def forget_trial(tenant: Tenant) -> None:
    """As if the organization had had its trial."""
    with tenancy.scope(tenant.id):
        BillingAccount.objects.get_or_create(defaults={"organization_id": tenant.id})
        BillingAccount.objects.update(trial_used_at=timezone.now())


def subscription_of(tenant: Tenant) -> Subscription:
    """The newest one, with its plan."""
    with tenancy.scope(tenant.id):
        found: Subscription = (
            Subscription.objects.select_related("plan", "price", "next_price").order_by("-created_at").first()
        )
    return found


def invoices_of(tenant: Tenant) -> list[Invoice]:
    """Our copies, the oldest first."""
    with tenancy.scope(tenant.id):
        return list(Invoice.objects.order_by("issued_at", "id"))


@pytest.fixture
def pass_time(payments: Simulator, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets days go by, at the simulator and here."""
    passed = timedelta()
    real = timezone.now

    def let(days: float) -> None:
        nonlocal passed
        passed += timedelta(days=days)
        payments.advance(days=days)

    monkeypatch.setattr(timezone, "now", lambda: real() + passed)
    return let
