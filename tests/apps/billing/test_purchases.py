"""Licences and data that one organization buys of another: from the page at Stripe to what a refund takes back."""

from pathlib import Path
from typing import Any

import pytest

from apps.billing.models import Order
from apps.billing.services import orders, reconcile
from apps.core import tenancy
from apps.licensing import services as licensing
from apps.licensing.models import HeldLicence, Licence
from apps.market import services as market
from apps.market.models import Earning, PurchaseState, Sale
from tests.helpers.licensing import make_policy
from tests.helpers.market import publish, purchase_of, turn_on
from tests.helpers.people import Tenant, audit_of, events_of
from tests.helpers.purchases import dispute, order_of, pay, payment_of, work
from tests.helpers.stripe_simulator import SECRET, Simulator
from tests.helpers.threads import together
from workers.billing import DELIVERERS

pytestmark = pytest.mark.django_db(transaction=True)
FOR_SALE: dict[str, Any] = {"price_minor": 10_000, "currency": "EUR", "is_published": True, "machine_bound": False}


@pytest.fixture(autouse=True)
def surroundings(settings: Any, tmp_path: Path, _no_switch_is_set: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STRIPE_WEBHOOK_SECRETS, settings.MEDIA_ROOT = [SECRET], tmp_path
    turn_on(monkeypatch, "data_offers")


def refund(payments: Simulator, buyer: Tenant, **how: Any) -> None:
    payments.client.v1.refunds.create({"charge": payment_of(buyer).stripe_id, **how})


def deliver_often() -> None:
    """Several workers at once, and then another one."""
    together([lambda: orders.deliver_due(DELIVERERS)] * 3)
    assert orders.deliver_due(DELIVERERS) == 0


# ---------------------------------------------------------------- licences
def licences(vendor: Tenant) -> list[Licence]:
    with tenancy.scope(vendor.id):
        return list(Licence.objects.for_pages().order_by("order_item"))


def buy_licences(payments: Simulator, buyer: Tenant, vendor: Tenant, quantity: int) -> Order:
    policy = make_policy(vendor, **FOR_SALE)
    return pay(payments, buyer, licensing.buy(buyer.actor, policy.pk, quantity))


def test_licences_are_issued_when_they_are_paid_for(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    order = buy_licences(payments, org_b, org_a, 2)
    deliver_often()
    assert (order.state, order.amount_minor, order.currency) == ("delivered", 20_000, "EUR")
    [charge] = payments.client.v1.charges.list({}).data
    assert (charge.amount, charge.currency) == (20_000, "eur")
    assert len(licences(org_a)) == 2
    with tenancy.scope(org_b.id):
        assert HeldLicence.objects.count() == 2


def test_a_refund_revokes_as_many_as_it_pays_for_once(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    order = buy_licences(payments, org_b, org_a, 2)
    refund(payments, org_b, amount=10_000)
    work(payments)
    deliver_often()
    assert [one.revoked_at is not None for one in licences(org_a)] == [False, True]
    assert (order_of(org_b, order).state, order_of(org_b, order).taken_back_minor) == ("delivered", 10_000)
    refund(payments, org_b)
    work(payments)
    deliver_often()
    assert all(one.revoked_at for one in licences(org_a))
    assert order_of(org_b, order).state == "reversed"
    assert events_of(org_a).count("licence.revoked") == 2
    assert reconcile.reconcile() == []


def test_a_dispute_revokes_until_it_is_won(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    order = buy_licences(payments, org_b, org_a, 1)
    found = dispute(payments, org_b)
    work(payments)
    deliver_often()
    assert licences(org_a)[0].revoked_at is not None
    assert order_of(org_b, order).state == "reversed"
    payments.do("disputes/close", dispute=found, status="won")
    work(payments)
    deliver_often()
    assert licences(org_a)[0].revoked_at is None
    assert order_of(org_b, order).state == "delivered"
    assert events_of(org_a).count("licence.reinstated") == 1


# ---------------------------------------------------------------- data
def earned(seller: Tenant) -> list[tuple[str, int]]:
    with tenancy.scope(seller.id):
        return list(Earning.objects.order_by("id").values_list("kind", "amount_minor"))


def buy_data(payments: Simulator, buyer: Tenant, seller: Tenant) -> tuple[Any, Order]:
    listing = publish(seller)
    purchase, order = market.buy(buyer.actor, listing.pk, listing.licence_sha256)
    assert market.start_paying(buyer.actor, order).startswith(payments.url)
    return purchase, pay(payments, buyer, order)


def test_data_is_handed_over_when_it_is_paid_for(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    purchase, order = buy_data(payments, org_b, org_a)
    deliver_often()
    assert order.state == "delivered"
    found = purchase_of(org_b, purchase.pk)
    assert (found.state, len(found.files)) == (PurchaseState.DELIVERED, 1)
    assert earned(org_a)[0] == ("sale", 4_900)
    with tenancy.scope(org_a.id):
        assert Sale.objects.get().amount_minor == payments.client.v1.charges.list({}).data[0].amount
    assert events_of(org_b).count("purchase.delivered") == 1


def test_nothing_is_handed_over_before(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    listing = publish(org_a)
    purchase, order = market.buy(org_b.actor, listing.pk, listing.licence_sha256)
    market.start_paying(org_b.actor, order)
    work(payments)
    assert purchase_of(org_b, purchase.pk).state == PurchaseState.OPEN
    payments.advance(days=2)
    work(payments)
    assert order_of(org_b, order).state == "expired"
    assert (purchase_of(org_b, purchase.pk).state, earned(org_a)) == (PurchaseState.OPEN, [])


def test_a_refund_ends_the_access_and_the_earning_once(
    payments: Simulator, org_a: Tenant, org_b: Tenant, tmp_path: Path
) -> None:
    purchase, order = buy_data(payments, org_b, org_a)
    file = purchase_of(org_b, purchase.pk).files[0]["path"]
    refund(payments, org_b, amount=900)
    work(payments)
    deliver_often()
    assert purchase_of(org_b, purchase.pk).state == PurchaseState.DELIVERED
    refund(payments, org_b)
    work(payments)
    deliver_often()
    assert purchase_of(org_b, purchase.pk).state == PurchaseState.TAKEN_BACK
    assert order_of(org_b, order).state == "reversed"
    assert sum(amount for _, amount in earned(org_a)) == 0
    assert sum(amount for kind, amount in earned(org_a) if kind == "reversal") == -4_900
    assert events_of(org_b).count("purchase.taken_back") == 1
    assert len(audit_of(org_b, "purchase.taken_back")) == 1
    assert not [one for one in tmp_path.rglob(Path(file).name) if str(org_b.id) in str(one)]
    assert reconcile.reconcile() == []


def test_a_dispute_that_is_won_gives_the_data_and_the_earning_back(
    payments: Simulator, org_a: Tenant, org_b: Tenant, tmp_path: Path
) -> None:
    purchase, order = buy_data(payments, org_b, org_a)
    file = purchase_of(org_b, purchase.pk).files[0]["path"]
    found = dispute(payments, org_b)
    work(payments)
    deliver_often()
    assert purchase_of(org_b, purchase.pk).state == PurchaseState.TAKEN_BACK
    payments.do("disputes/close", dispute=found, status="won")
    work(payments)
    deliver_often()
    assert purchase_of(org_b, purchase.pk).state == PurchaseState.DELIVERED
    assert order_of(org_b, order).state == "delivered"
    assert sum(amount for _, amount in earned(org_a)) == 4_410
    assert [one for one in tmp_path.rglob(Path(file).name) if str(org_b.id) in str(one)]
    assert events_of(org_b).count("purchase.given_back") == 1
    assert reconcile.reconcile() == []
