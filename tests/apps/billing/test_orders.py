"""One-time purchases: paid for once, delivered once, with a plan or without one."""

import sys
from typing import Any
from uuid import uuid4

import pytest

from apps.billing import services as billing
from apps.billing.models import Order, OrderState, Subscription
from apps.billing.services import orders
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PaymentsOff, PermissionDenied
from tests.helpers.people import Tenant, acting, events_of
from tests.helpers.stripe_simulator import Simulator
from tests.helpers.threads import together

pytestmark = pytest.mark.django_db(transaction=True)

delivered: list[Any] = []


def deliver(order: Order) -> None:
    delivered.append(order.pk)


def fail(order: Order) -> None:
    delivered.append(order.pk)
    raise RuntimeError("not today")


@pytest.fixture(autouse=True)
def _nothing_delivered() -> None:
    delivered.clear()


def paid(payments: Simulator, tenant: Tenant) -> Order:
    """An order of the smallest pack, paid for."""
    order = billing.buy_credits(tenant.actor, "credit-usd-1")
    billing.checkout_url(tenant.actor, order)
    order = billing.get_order(tenant.actor, order.pk)
    payments.pay(order.stripe_id)
    return billing.settle_order(tenant.id, order.pk)


def test_credits_are_bought_without_a_plan(payments: Simulator, org_a: Tenant, capture_doorbells: list[str]) -> None:
    order = paid(payments, org_a)
    assert (order.state, order.amount_minor, order.currency) == (OrderState.PAID, 1_000, "USD")
    assert order.intent_id.startswith("pi_")
    assert "billing.deliver_orders" in capture_doorbells
    with tenancy.scope(org_a.id):
        assert not Subscription.objects.exists()
    billing.refresh(org_a.id)
    assert "order.paid" in events_of(org_a)


def test_an_order_has_one_page_and_is_paid_once(payments: Simulator, org_a: Tenant) -> None:
    order = billing.buy_credits(org_a.actor, "credit-usd-1")
    together([lambda: billing.checkout_url(org_a.actor, billing.get_order(org_a.actor, order.pk))] * 3)
    assert len(payments.client.v1.checkout.sessions.list({}).data) == 1
    payments.pay(billing.get_order(org_a.actor, order.pk).stripe_id)
    with pytest.raises(Conflict):
        billing.checkout_url(org_a.actor, billing.get_order(org_a.actor, order.pk))
    assert billing.get_order(org_a.actor, order.pk).state == OrderState.PAID
    assert len(payments.client.v1.charges.list({}).data) == 1


def test_what_is_paid_for_is_delivered_once(payments: Simulator, org_a: Tenant) -> None:
    order = paid(payments, org_a)
    deliverers = {"credits": __name__}
    orders.deliver_due(deliverers)
    together([lambda: orders.deliver_due(deliverers)] * 3)
    assert billing.get_order(org_a.actor, order.pk).state == OrderState.DELIVERED
    assert len(delivered) == 1


def test_a_delivery_that_fails_is_tried_again_and_holds_up_no_other(
    payments: Simulator, org_a: Tenant, org_b: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, other = paid(payments, org_a), paid(payments, org_b)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[__name__], "deliver", fail)
        assert orders.deliver_due({"credits": __name__}) == 0
    assert len(delivered) == 2
    assert billing.get_order(org_a.actor, order.pk).state == OrderState.PAID
    assert orders.deliver_due({"credits": __name__}) == 2
    assert billing.get_order(org_b.actor, other.pk).state == OrderState.DELIVERED


def test_an_order_that_nobody_pays_expires(payments: Simulator, org_a: Tenant) -> None:
    order = billing.buy_credits(org_a.actor, "credit-usd-1")
    billing.checkout_url(org_a.actor, order)
    payments.advance(days=2)
    assert billing.settle_order(org_a.id, order.pk).state == OrderState.EXPIRED


def test_several_pieces_cost_what_they_cost_together(payments: Simulator, org_a: Tenant) -> None:
    for quantity, amount in ((3, 900), (3, 1_000)):
        order = billing.start_order(
            org_a.actor,
            kind="data",
            item_id=uuid4(),
            name="Kettles",
            currency="eur",
            amount_minor=amount,
            quantity=quantity,
        )
        billing.checkout_url(org_a.actor, order)
        session = billing.get_order(org_a.actor, order.pk).stripe_id
        assert payments.client.v1.checkout.sessions.retrieve(session).amount_total == amount


def test_strangers_buy_and_see_nothing(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        billing.buy_credits(acting(org_a, org_a.member), "credit-usd-1")
    order = billing.buy_credits(org_a.actor, "credit-usd-1")
    for look in (
        lambda: billing.get_order(org_b.actor, order.pk),
        lambda: billing.checkout_url(org_b.actor, order),
        lambda: billing.settle_order(org_b.id, order.pk),
    ):
        with pytest.raises(NotFound):
            look()
    with pytest.raises(InvalidRequest):
        billing.buy_credits(org_a.actor, "no-such-pack")


def test_without_payments_nothing_is_ordered(org_a: Tenant) -> None:
    with pytest.raises(PaymentsOff):
        billing.buy_credits(org_a.actor, "credit-usd-1")
    with tenancy.scope(org_a.id):
        assert not Order.objects.exists()
