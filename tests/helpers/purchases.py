"""What is bought once, at the Stripe simulator: paid for, delivered, refunded, disputed, and what we then know."""

from __future__ import annotations

from typing import Any

from django.test import Client

from apps.billing.models import CreditEntry, CreditPack, Order, Payment
from apps.billing.services import inbox, orders
from apps.core import tenancy
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator
from workers.billing import DELIVERERS


def work(simulator: Simulator) -> list[str]:
    """Webhooks as Stripe posts them, then a worker's part; the types of what came."""
    types = simulator.deliver(Client())
    inbox.handle_events()
    orders.deliver_due(DELIVERERS)
    return types


def pay(simulator: Simulator, tenant: Tenant, order: Order) -> Order:
    """Pays on the order's page, and lets the worker deliver it."""
    orders.checkout_url(tenant.actor, order)
    simulator.pay(order_of(tenant, order).stripe_id)
    work(simulator)
    return order_of(tenant, order)


def buy_credits(simulator: Simulator, tenant: Tenant) -> Order:
    """The smallest pack in dollars, paid for and delivered."""
    pack = CreditPack.objects.filter(currency="USD", is_active=True).order_by("price_minor").first()
    assert pack is not None
    return pay(simulator, tenant, orders.buy_credits(tenant.actor, pack.code))


def order_of(tenant: Tenant, order: Order) -> Order:
    return orders.get_order(tenant.actor, order.pk)


def payment_of(tenant: Tenant) -> Payment:
    with tenancy.scope(tenant.id):
        found: Payment = Payment.objects.get()
    return found


def credits_of(tenant: Tenant) -> list[tuple[str, int]]:
    """Every entry of credit, in its order."""
    with tenancy.scope(tenant.id):
        return list(CreditEntry.objects.order_by("id").values_list("kind", "amount_micros"))


def dispute(simulator: Simulator, tenant: Tenant, **how: Any) -> str:
    """Somebody's bank takes the one payment back; the dispute's id."""
    return str(simulator.do("disputes/open", charge=payment_of(tenant).stripe_id, **how)["id"])
