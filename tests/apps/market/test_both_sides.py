"""Two organizations whose purchases and sales cross: whoever acts when, neither waits for the other for ever."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts import audit
from apps.billing.models import Order
from apps.billing.services import orders
from apps.core import tenancy
from apps.market import services as market
from apps.market.models import Note, PurchaseState, Sale
from apps.market.services import delivery, requests
from tests.helpers.market import bought, publish, purchase_of, upload
from tests.helpers.people import Tenant
from tests.helpers.threads import together
from workers.billing import DELIVERERS

pytestmark = [pytest.mark.usefixtures("open_market", "payments"), pytest.mark.django_db(transaction=True)]


class Meeting:
    """A point at which each of two threads stays until the other is there too, or surely will not come."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(2)

    def wait(self) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            self.barrier.wait(timeout=1.5)

    def before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*values: Any, **named: Any) -> Any:
            self.wait()
            return real(*values, **named)

        return step

    def after(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*values: Any, **named: Any) -> Any:
            found = real(*values, **named)
            self.wait()
            return found

        return step


@pytest.mark.parametrize("seller_is_first", [True, False])
def test_work_and_a_refund_of_it(
    org_a: Tenant, org_b: Tenant, monkeypatch: pytest.MonkeyPatch, seller_is_first: bool
) -> None:
    first, second = sorted((org_a, org_b), key=lambda tenant: tenant.id)
    seller, buyer = (first, second) if seller_is_first else (second, first)
    purchase_id, order_id = bought(buyer, publish(seller, kind="annotation"))
    with tenancy.scope(seller.id):
        sale_id = Sale.objects.get().pk

    def refund() -> None:
        with tenancy.scope(buyer.id):
            order = Order.objects.select_for_update().get(pk=order_id)
            market.take_back(order, 1_000)
            audit.record(audit.system(buyer.id), "order.taken_back", order, kind=order.kind)

    # Each has locked the first row that it needs, and wants the other's.
    meeting = Meeting()
    monkeypatch.setattr(delivery, "_adjust_sale", meeting.before(delivery._adjust_sale))
    monkeypatch.setattr(requests, "_record", meeting.after(requests._record))
    assert together([refund, lambda: market.begin_work(seller.actor, sale_id)]) == [None, None]
    assert purchase_of(buyer, purchase_id).state == PurchaseState.IN_WORK


def test_two_files_that_are_handed_in_at_once_both_arrive(org_a: Tenant, org_b: Tenant) -> None:
    purchase_id, _ = bought(org_b, publish(org_a, kind="annotation"))
    with tenancy.scope(org_a.id):
        sale_id = Sale.objects.get().pk
    market.begin_work(org_a.actor, sale_id)
    files = [upload("first.csv"), upload("second.csv")]
    hand_in = [lambda file=file: market.hand_in(org_a.actor, sale_id, "Done", file) for file in files]  # type: ignore[misc]
    assert together(hand_in) == [None, None]
    assert purchase_of(org_b, purchase_id).state == PurchaseState.DELIVERED
    with tenancy.scope(org_b.id):
        assert set(Note.objects.values_list("file_name", flat=True)) == {"first.csv", "second.csv"}


def test_refunds_of_what_two_have_sold_to_each_other(
    org_a: Tenant, org_b: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = [(org_b, bought(org_b, publish(org_a))[1]), (org_a, bought(org_a, publish(org_b))[1])]
    for buyer, order_id in sold:
        with tenancy.scope(buyer.id):
            changes: dict[str, Any] = {"reversed_minor": 1_000, "state": "delivered", "delivered_at": timezone.now()}
            Order.objects.filter(pk=order_id).update(**changes)
    # Both have written at the seller, and the order's own entry at the buyer comes next.
    monkeypatch.setattr(delivery, "_adjust_sale", Meeting().after(delivery._adjust_sale))
    wanted = [(buyer.id, order_id) for buyer, order_id in sold]
    done = together([lambda each=each: orders._deliver(*each, DELIVERERS["data"]) for each in wanted])  # type: ignore[misc]
    assert done == [True, True]
