"""Licences that one organization buys of another: delivered once, held, and revoked when the money goes back."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest

from apps.billing import services as billing
from apps.billing.models import Order
from apps.billing.services import orders
from apps.core import tenancy
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.licensing import services as licensing
from apps.licensing.errors import InvalidLicenceKey
from apps.licensing.models import HeldLicence, Licence, Revocations
from apps.licensing.services import trade
from ml.licensing import Status
from tests.helpers.licensing import fresh, issue, make_policy, sign, verdict_of
from tests.helpers.people import Tenant, acting, audit_of, events_of
from tests.helpers.stripe_simulator import Simulator
from tests.helpers.threads import together
from workers.billing import DELIVERERS

FOR_SALE: dict[str, Any] = {"price_minor": 10_000, "currency": "EUR", "is_published": True, "machine_bound": False}
pytestmark = pytest.mark.django_db(transaction=True)


def order_of(buyer: Tenant, policy: Any, quantity: int = 1) -> Order:
    with tenancy.scope(buyer.id):
        order: Order = Order.objects.create(
            organization_id=buyer.id,
            kind="licence",
            item_id=policy.pk,
            name="Writer 7B",
            quantity=quantity,
            currency="EUR",
            amount_minor=10_000 * quantity,
            state="paid",
        )
    return order


def deliver(order: Order) -> list[Any]:
    """As the worker does: in the transaction of the buyer's order."""
    with tenancy.scope(order.organization_id):
        return licensing.deliver(order)


def take_back(order: Order, minor: int) -> int:
    with tenancy.scope(order.organization_id):
        return licensing.take_back(order, minor)


def licences(vendor: Tenant) -> list[Licence]:
    with tenancy.scope(vendor.id):
        return list(Licence.objects.for_pages().order_by("order_item"))


def test_what_was_bought_is_delivered_once_to_its_buyer(org_a: Tenant, org_b: Tenant, outsider: Any) -> None:
    order = order_of(org_b, make_policy(org_a, **FOR_SALE), quantity=2)
    assert deliver(order) == deliver(order)
    found = licences(org_a)
    assert [row.holder_id for row in found] == [org_b.id, org_b.id]
    assert found[0].licensee == org_b.organization.name
    assert found[0].email == org_b.owner.email
    with tenancy.scope(org_b.id):
        assert HeldLicence.objects.count() == 2
        assert not Licence.objects.exists()
    with tenancy.scope(org_a.id):
        assert not HeldLicence.objects.exists()
    assert "licence.issued" in events_of(org_a)
    assert "licence.issued" not in events_of(org_b)
    assert len(audit_of(org_b, "held_licence.received")) == 2


def test_two_deliveries_at_once_issue_no_licence_twice(org_a: Tenant, org_b: Tenant) -> None:
    order = order_of(org_b, make_policy(org_a, **FOR_SALE), quantity=3)
    results = together([lambda: deliver(order)] * 4)
    assert all(result == results[0] for result in results), results
    assert len(licences(org_a)) == 3


def test_what_was_bought_is_delivered_whatever_the_policy_has_become(
    payments: Simulator, org_a: Tenant, org_b: Tenant
) -> None:
    policy = make_policy(org_a, **FOR_SALE, days=365, seats=25)
    order = licensing.buy(org_b.actor, policy.pk, 1)
    worse = {"seats": 1, "days": 3, "price_minor": 1, "entitlements": [], "name": "Alone", "is_published": False}
    licensing.change_policy(org_a.actor, policy.pk, worse)
    [licence_id] = deliver(order)
    [licence] = licences(org_a)
    assert (licence.pk, licence.seats, licence.entitlements) == (licence_id, 25, ["fine_tuning"])
    assert (licence.expires_at - licence.starts_at).days == 365
    assert order.amount_minor == 10_000
    with tenancy.scope(org_b.id):
        assert HeldLicence.objects.get().policy_name == "Team"


def meeting(monkeypatch: pytest.MonkeyPatch, target: Any, name: str) -> None:
    """Holds each of two threads after the named step until the other is there too, or surely will not come."""
    barrier, real = threading.Barrier(2), getattr(target, name)

    def step(*values: Any, **named: Any) -> Any:
        found = real(*values, **named)
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=1.5)
        return found

    monkeypatch.setattr(target, name, step)


@pytest.mark.parametrize("act", ["deliver", "take back"])
def test_two_that_sell_to_each_other_never_wait_for_each_other(
    org_a: Tenant, org_b: Tenant, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    sold = [order_of(org_b, make_policy(org_a, **FOR_SALE)), order_of(org_a, make_policy(org_b, **FOR_SALE))]
    if act == "take back":
        assert orders.deliver_due(DELIVERERS) == 2
        for order in sold:
            with tenancy.scope(order.organization_id):
                Order.objects.update(reversed_minor=10_000)
    # Both have written at the vendor, and are about to write at the buyer.
    meeting(monkeypatch, trade, "create" if act == "deliver" else "revoke_locked")
    wanted = [(order.organization_id, order.pk) for order in sold]
    done = together([lambda each=each: orders._deliver(*each, DELIVERERS["licence"]) for each in wanted])  # type: ignore[misc]
    assert done == [True, True]
    for vendor in (org_a, org_b):
        [licence] = licences(vendor)
        assert licence.state == ("active" if act == "deliver" else "revoked")


def test_new_keys_of_what_two_have_sold_to_each_other_never_wait_for_each_other(
    org_a: Tenant, org_b: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As their pages make them: each in one transaction, of the holder's."""
    for buyer, vendor in ((org_a, org_b), (org_b, org_a)):
        deliver(order_of(buyer, make_policy(vendor, **FOR_SALE)))
    meeting(monkeypatch, trade, "replace_key_of")

    def make_key(tenant: Tenant) -> str:
        with tenancy.scope(tenant.id):
            return licensing.new_key_of_held(tenant.actor, HeldLicence.objects.get().pk)

    keys = together([lambda: make_key(org_a), lambda: make_key(org_b)])
    assert [str(key)[:3] for key in keys] == ["lk_", "lk_"]
    for tenant in (org_a, org_b):
        assert len(audit_of(tenant, "held_licence.key_made")) == len(audit_of(tenant, "licence.key_replaced")) == 1


def test_the_holder_makes_a_key_and_fetches_the_file(org_a: Tenant, org_b: Tenant) -> None:
    deliver(order_of(org_b, make_policy(org_a, **FOR_SALE)))
    sign()
    with tenancy.scope(org_b.id):
        held = HeldLicence.objects.get()
    key = licensing.new_key_of_held(org_b.actor, held.pk)
    assert licensing.admit(key, "192.0.2.1").licence_id == held.licence_id
    again = licensing.new_key_of_held(org_b.actor, held.pk)
    with pytest.raises(InvalidLicenceKey):
        licensing.admit(key, "192.0.2.1")
    assert licensing.admit(again, "192.0.2.1")
    licensing.refresh_held(org_b.actor, held.pk)
    sign()
    holding = licensing.held_licence(org_b.actor, held.pk)
    assert holding.licence.file == fresh(holding.licence).file
    assert verdict_of(org_a, holding.licence).status is Status.VALID
    with pytest.raises(NotFound):
        licensing.held_licence(org_a.actor, held.pk)
    with pytest.raises(PermissionDenied):
        licensing.held_licence(acting(org_b, org_b.member), held.pk)


def test_a_refund_or_dispute_revokes_once(org_a: Tenant, org_b: Tenant) -> None:
    order = order_of(org_b, make_policy(org_a, **FOR_SALE))
    deliver(order)
    assert take_back(order, 4_000) == 0
    assert take_back(order, 10_000) == 1
    assert take_back(order, 10_000) == 0
    [licence] = licences(org_a)
    assert (licence.state, licence.reason) == ("revoked", "The payment was refunded or disputed.")
    with tenancy.scope(org_a.id):
        assert Revocations.objects.get().sequence == 1


def test_half_of_the_money_revokes_half_of_the_licences(org_a: Tenant, org_b: Tenant) -> None:
    order = order_of(org_b, make_policy(org_a, **FOR_SALE), quantity=4)
    deliver(order)
    assert take_back(order, 19_999) == 1
    assert take_back(order, 20_000) == 1
    assert [row.state for row in licences(org_a)] == ["active", "active", "revoked", "revoked"]


def test_offers_are_others_published_policies(org_a: Tenant, org_b: Tenant) -> None:
    policy = make_policy(org_a, **FOR_SALE)
    make_policy(org_a, code="private")
    [offer] = licensing.offers(org_b.id)
    assert (offer.policy_id, offer.vendor, offer.price_minor) == (policy.pk, org_a.organization.name, 10_000)
    assert licensing.offers(org_a.id) == []
    with pytest.raises(NotFound):
        licensing.get_offer(org_a.actor, policy.pk)
    licensing.change_policy(org_a.actor, policy.pk, {"is_published": False})
    assert licensing.offers(org_b.id) == []


def test_a_licence_that_was_transferred_is_its_buyers_no_more(org_a: Tenant, org_b: Tenant) -> None:
    deliver(order_of(org_b, make_policy(org_a, **FOR_SALE)))
    [licence] = licences(org_a)
    licensing.transfer(org_a.actor, licence.pk, "Fabrikam", "it@fabrikam.example")
    with tenancy.scope(org_b.id):
        held = HeldLicence.objects.get()
    with pytest.raises(NotFound):
        licensing.held_licence(org_b.actor, held.pk)
    with pytest.raises(Conflict):
        licensing.new_key_of_held(org_b.actor, held.pk)


def test_licences_issued_by_hand_belong_to_no_order(org_a: Tenant, org_b: Tenant) -> None:
    issue(org_a)
    assert take_back(order_of(org_b, make_policy(org_a, code="other")), 10_000) == 0


def test_from_the_offer_to_the_file_through_the_payment(
    payments: Simulator, org_a: Tenant, org_b: Tenant, client_of: Any
) -> None:
    policy = make_policy(org_a, **FOR_SALE)
    browser = client_of(org_b.owner)
    page = "/settings/licences/held/"
    assert "€100.00" in browser.get(page).content.decode()
    answer = browser.post(f"/settings/licences/offers/{policy.pk}/", {"quantity": "2"})
    assert answer.status_code == 302
    assert answer["location"].startswith("http")
    with tenancy.scope(org_b.id):
        order = Order.objects.get()
    assert (order.kind, order.amount_minor, order.quantity) == ("licence", 20_000, 2)
    payments.pay(order.stripe_id)
    billing.settle_order(org_b.id, order.pk)
    assert orders.deliver_due(DELIVERERS) == 1
    assert orders.deliver_due(DELIVERERS) == 0
    sign()
    with tenancy.scope(org_b.id):
        held = list(HeldLicence.objects.all())
        assert Order.objects.get().state == "delivered"
    assert len(held) == 2
    file = browser.get(f"{page}{held[0].pk}/file/").content
    assert file == fresh(licensing.held_licence(org_b.actor, held[0].pk).licence).file.encode()


def test_who_may_not_pay_may_not_buy(org_a: Tenant, org_b: Tenant, client_of: Any) -> None:
    policy = make_policy(org_a, **FOR_SALE)
    path = f"/settings/licences/offers/{policy.pk}/"
    assert client_of(org_b.member).post(path, {"quantity": "1"}).status_code == 403
    assert client_of(org_a.owner).post(path, {"quantity": "1"}).status_code == 404
    answer = client_of(org_b.owner).post(path, {"quantity": "0"}, follow=True)
    assert "up to 1,000" in answer.content.decode()
    with tenancy.scope(org_b.id):
        assert not Order.objects.exists()
