"""What a dispute that is won brings back: the seller's earning, the fee, and the buyer's access, each once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from apps.accounts.audit.sentences import sentence
from apps.billing.models import Order
from apps.core import media, tenancy
from apps.core.errors import NotFound
from apps.market import services as market
from apps.market.models import Earning, EarningKind, Purchase, PurchaseState, Sale, Voice
from apps.market.services.delivery import fee_of
from tests.helpers.market import bought, pay, publish, purchase_of, upload
from tests.helpers.people import Tenant, audit_of, events_of, make_tenant

ClientOf = Callable[[Any], Client]
pytestmark = pytest.mark.usefixtures("open_market", "payments")


def so_far(buyer: Tenant, order_id: UUID, reversed_minor: int) -> None:
    """As billing does it: the order says what is reversed by now, and is locked."""
    with tenancy.scope(buyer.id):
        Order.objects.filter(pk=order_id).update(reversed_minor=reversed_minor)
        market.take_back(Order.objects.select_for_update().get(pk=order_id), reversed_minor)


def lines_of(seller: Tenant) -> list[tuple[str, int]]:
    """In the order of their kinds: what is written in one millisecond has none of its own."""
    with tenancy.scope(seller.id):
        return list(Earning.objects.order_by("kind", "id").values_list("kind", "amount_minor"))


def sale_of(seller: Tenant) -> Sale:
    with tenancy.scope(seller.id):
        found: Sale = Sale.objects.get()
    return found


def path_of(tenant: Tenant, path: str) -> Path:
    return media.folder_of(tenant.id) / path


def test_a_dispute_that_is_won_gives_everything_back_once(
    org_a: Tenant, org_b: Tenant, django_capture_on_commit_callbacks: Any
) -> None:
    purchase_id, order_id = bought(org_b, publish(org_a))
    [file] = purchase_of(org_b, purchase_id).files
    with django_capture_on_commit_callbacks(execute=True):
        so_far(org_b, order_id, 4_900)
    taken = purchase_of(org_b, purchase_id)
    assert (taken.state, taken.state_before) == (PurchaseState.TAKEN_BACK, PurchaseState.DELIVERED)
    assert not path_of(org_b, file["path"]).exists()
    for _again in range(2):
        so_far(org_b, order_id, 0)
    back = purchase_of(org_b, purchase_id)
    assert (back.state, back.state_before, back.taken_back_at) == (PurchaseState.DELIVERED, "", None)
    assert back.files == [file]
    assert path_of(org_b, file["path"]).read_bytes() == b"1,stop\n2,yield\n"
    assert lines_of(org_a) == [
        ("fee", -490),
        ("fee_again", -490),
        ("fee_reversal", 490),
        ("restored", 4_900),
        ("reversal", -4_900),
        ("sale", 4_900),
    ]
    assert sale_of(org_a).state == PurchaseState.DELIVERED
    [entry] = audit_of(org_b, "purchase.given_back")
    assert "“Street signs” was given back; it is now: delivered" in sentence(entry)
    assert "$49.00 of the sale “Street signs” came back" in sentence(audit_of(org_a, "sale.restored")[0])
    assert events_of(org_b).count("purchase.given_back") == events_of(org_a).count("sale.restored") == 1


def test_a_part_that_stays_refunded_is_not_booked_back(org_a: Tenant, org_b: Tenant) -> None:
    purchase_id, order_id = bought(org_b, publish(org_a))
    for reversed_minor in (900, 4_900, 900):
        so_far(org_b, order_id, reversed_minor)
    assert purchase_of(org_b, purchase_id).state == PurchaseState.DELIVERED
    with tenancy.scope(org_a.id):
        assert market.balances() == {"USD": 3_600}


@pytest.mark.parametrize("seed", range(4))
def test_the_lines_add_up_to_what_the_sale_is_worth_after_any_sequence(org_a: Tenant, org_b: Tenant, seed: int) -> None:
    chance = random.Random(seed)
    price = chance.choice([100, 999, 4_900, 12_345])
    purchase_id, order_id = bought(org_b, publish(org_a, price_minor=price))
    fee = fee_of(price, 10)
    for step in range(12):
        gone = chance.choice([0, price, price, chance.randint(0, price)])
        for _again in range(chance.randint(1, 2)):
            so_far(org_b, order_id, gone)
        worth = (price - gone) - (fee - fee * gone // price)
        assert sum(amount for _kind, amount in lines_of(org_a)) == worth, f"step {step}"
        has_access = purchase_of(org_b, purchase_id).state in Purchase.OURS
        assert has_access == (gone < price) == (sale_of(org_a).state in Purchase.OURS), f"step {step}"


def test_a_file_that_the_seller_has_lost_is_named_and_not_promised(
    org_a: Tenant, org_b: Tenant, client_of: ClientOf, django_capture_on_commit_callbacks: Any
) -> None:
    purchase_id, order_id = bought(org_b, publish(org_a))
    with django_capture_on_commit_callbacks(execute=True):
        so_far(org_b, order_id, 4_900)
    for path in media.folder_of(org_a.id).rglob("offers/*/*"):
        path.unlink()
    so_far(org_b, order_id, 0)
    back = purchase_of(org_b, purchase_id)
    assert (back.state, back.files[0]["gone"]) == (PurchaseState.INCOMPLETE, True)
    assert sale_of(org_a).state == PurchaseState.INCOMPLETE
    buyer: Client = client_of(org_b.owner)
    page = buyer.get(reverse("market-purchase", args=[purchase_id])).content.decode()
    assert "Not every file could be given back" in page
    file = reverse("market-purchase-file", args=[purchase_id, 0])
    assert file not in page
    assert buyer.get(file).status_code == 404
    so_far(org_b, order_id, 4_900)
    assert purchase_of(org_b, purchase_id).state_before == PurchaseState.INCOMPLETE


def test_a_service_stands_again_where_it_stood(org_a: Tenant, org_b: Tenant) -> None:
    purchase_id, order_id = bought(org_b, publish(org_a, kind="annotation"))
    market.begin_work(org_a.actor, sale_of(org_a).pk)
    market.hand_in(org_a.actor, sale_of(org_a).pk, "Done", upload("labels.csv", b"labels"))
    so_far(org_b, order_id, 4_900)
    so_far(org_b, order_id, 100)
    assert purchase_of(org_b, purchase_id).state == sale_of(org_a).state == PurchaseState.DELIVERED
    market.accept_work(org_b.actor, purchase_id)
    market.write_note(org_b.actor, Voice.BUYER, purchase_id, "Thank you.")
    third = make_tenant("org-c")
    with pytest.raises(NotFound):
        market.write_note(third.actor, Voice.BUYER, purchase_id, "Hello")
    with tenancy.scope(third.id):
        assert not Purchase.objects.exists()
        assert not Earning.objects.exists()


def test_what_was_disputed_before_it_was_delivered_is_delivered_once_it_is_won(org_a: Tenant, org_b: Tenant) -> None:
    listing = publish(org_a)
    purchase, order = market.buy(org_b.actor, listing.pk, listing.licence_sha256)
    so_far(org_b, order.pk, 4_900)
    so_far(org_b, order.pk, 0)
    assert purchase_of(org_b, purchase.pk).state == PurchaseState.TAKEN_BACK
    with tenancy.scope(org_b.id):
        market.deliver(pay(order))
    found = purchase_of(org_b, purchase.pk)
    assert (found.state, found.state_before) == (PurchaseState.DELIVERED, "")
    assert lines_of(org_a) == [("fee", -490), ("sale", 4_900)]


def test_a_seller_who_was_deleted_holds_no_buyer_up(org_a: Tenant, org_b: Tenant) -> None:
    purchase_id, order_id = bought(org_b, publish(org_a, kind="annotation"))
    gone = make_tenant("org-c").id
    with tenancy.scope(org_b.id):
        Purchase.objects.filter(pk=purchase_id).update(seller_id=gone)
    for reversed_minor, state in ((4_900, PurchaseState.TAKEN_BACK), (0, PurchaseState.ORDERED)):
        so_far(org_b, order_id, reversed_minor)
        assert purchase_of(org_b, purchase_id).state == state


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_book_it_back_once(org_a: Tenant, org_b: Tenant) -> None:
    _purchase_id, order_id = bought(org_b, publish(org_a))
    so_far(org_b, order_id, 4_900)

    def work() -> None:
        try:
            so_far(org_b, order_id, 0)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kinds = [kind for kind, _amount in lines_of(org_a)]
    assert kinds.count(EarningKind.RESTORED) == kinds.count(EarningKind.FEE_AGAIN) == 1
