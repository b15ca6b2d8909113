"""Selling and buying between organizations: what each side has, once, and what a refund takes back."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import Error, connection, connections, transaction

from apps.accounts.audit.sentences import sentence
from apps.billing.models import Order
from apps.core import media, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PayloadTooLarge, PermissionDenied
from apps.market import files
from apps.market import services as market
from apps.market.models import Earning, Listing, Note, OfferState, Purchase, PurchaseState, Sale, Voice
from apps.market.services.delivery import fee_of
from tests.helpers.market import FACTS, approver, bought, offer_of, pay, publish, purchase_of, upload
from tests.helpers.people import Tenant, acting, audit_of, events_of, make_tenant

pytestmark = pytest.mark.usefixtures("open_market", "payments")


def lines_of(seller: Tenant) -> list[tuple[str, int]]:
    with tenancy.scope(seller.id):
        return list(Earning.objects.order_by("id").values_list("kind", "amount_minor"))


def order_of(buyer: Tenant, id: UUID) -> Order:
    with tenancy.scope(buyer.id):
        return Order.objects.get(pk=id)


def take_back(buyer: Tenant, order_id: UUID, so_far: int) -> None:
    with tenancy.scope(buyer.id):
        Order.objects.filter(pk=order_id).update(reversed_minor=so_far)
        market.take_back(Order.objects.select_for_update().get(pk=order_id), so_far)


# ---------------------------------------------------------------- offers


def test_an_offer_is_a_draft_until_the_operator_publishes_it(org_a: Tenant, org_b: Tenant) -> None:
    offer = market.create_offer(org_a.actor, FACTS)
    market.add_file(org_a.actor, offer.pk, upload())
    market.submit_offer(org_a.actor, offer.pk)
    with pytest.raises(PermissionDenied):
        market.publish_offer(org_a.actor, offer.pk)
    market.decline_offer(approver(org_a), offer.pk, "Say where it was photographed.")
    assert offer_of(org_a, offer.pk).review_note == "Say where it was photographed."
    market.submit_offer(org_a.actor, offer.pk)
    listing = market.publish_offer(approver(org_a), offer.pk)
    assert offer_of(org_a, offer.pk).state == OfferState.PUBLISHED
    assert listing.files[0]["sha256"] == hashlib.sha256(b"1,stop\n2,yield\n").hexdigest()
    with pytest.raises(Conflict):
        market.change_offer(org_a.actor, offer.pk, FACTS)
    [entry] = audit_of(org_a, "offer.published")
    assert "published the offer “Street signs”" in sentence(entry)
    assert events_of(org_a)[-1] == "offer.published"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"price_minor": 0}, "price_minor"),
        ({"currency": "JPY"}, "currency"),
        ({"licence": "own"}, "licence_text"),
        ({"licence_text": "Do what you like."}, "licence_text"),
        ({"title": " "}, "title"),
        ({"description": "x" * 20_001}, "description"),
    ],
)
def test_an_offer_that_makes_no_sense_is_refused(org_a: Tenant, changes: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        market.create_offer(org_a.actor, replace(FACTS, **changes))  # type: ignore[arg-type]
    assert refused.value.param == param


def test_who_may_not_manage_billing_publishes_and_buys_nothing(org_a: Tenant, org_b: Tenant) -> None:
    listing = publish(org_a)
    member = acting(org_b, org_b.member)
    with pytest.raises(PermissionDenied):
        market.create_offer(member, FACTS)
    with pytest.raises(PermissionDenied):
        market.buy(member, listing.pk, listing.licence_sha256)


def test_a_file_that_is_too_large_or_empty_leaves_nothing(org_a: Tenant, settings: object) -> None:
    offer = market.create_offer(org_a.actor, FACTS)
    settings.MARKET_MAX_FILE_BYTES = 10  # type: ignore[attr-defined]
    for content, error in ((b"x" * 11, PayloadTooLarge), (b"", InvalidRequest)):
        with pytest.raises(error):
            market.add_file(org_a.actor, offer.pk, upload(content=content))
    assert [path for path in media.folder_of(org_a.id).rglob("*") if path.is_file()] == []


def test_a_path_in_a_name_stays_a_name(org_a: Tenant) -> None:
    offer = market.create_offer(org_a.actor, FACTS)
    stored = files.store(org_a.id, "offers/x", _Named("../../etc/passwd"))
    assert stored.name == "passwd"
    assert (media.folder_of(org_a.id) / stored.path).resolve().is_relative_to(media.folder_of(org_a.id).resolve())
    assert offer.pk


class _Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def chunks(self) -> list[bytes]:
        return [b"x"]


# ---------------------------------------------------------------- buying


def test_a_buyer_gets_the_files_and_the_seller_the_price_less_the_fee(org_a: Tenant, org_b: Tenant) -> None:
    listing = publish(org_a)
    purchase_id, _order = bought(org_b, listing)
    purchase = purchase_of(org_b, purchase_id)
    assert purchase.state == PurchaseState.DELIVERED
    assert (
        purchase.licence_sha256 == listing.licence_sha256 == hashlib.sha256(listing.licence_text.encode()).hexdigest()
    )
    [file] = purchase.files
    opened = media.opened(files.link(org_b.id, file["path"], file["name"]).split("/")[2])
    assert opened.path.read_bytes() == b"1,stop\n2,yield\n"
    assert opened.name == "signs.csv"
    assert lines_of(org_a) == [("sale", 4_900), ("fee", -490)]
    with tenancy.scope(org_a.id):
        sale = Sale.objects.get()
        assert (sale.buyer_name, sale.state) == (org_b.organization.name, PurchaseState.DELIVERED)
        assert market.balances() == {"USD": 4_410}
    assert "bought “Street signs” for $49.00; the fee is $4.90" in sentence(audit_of(org_a, "sale.made")[0])
    assert "commercial, version 1" in sentence(audit_of(org_b, "purchase.opened")[0])
    assert "purchase.delivered" in events_of(org_b)


def test_the_buyers_copy_outlives_what_the_seller_does(org_a: Tenant, org_b: Tenant) -> None:
    listing = publish(org_a)
    purchase_id, _order = bought(org_b, listing)
    market.withdraw_offer(org_a.actor, listing.offer_id)
    with tenancy.scope(org_a.id):
        row = listing.offer.files.get()
    market.remove_file(org_a.actor, listing.offer_id, row.pk)
    files.remove(org_a.id, [row.path])
    [file] = purchase_of(org_b, purchase_id).files
    assert (media.folder_of(org_b.id) / file["path"]).read_bytes() == b"1,stop\n2,yield\n"


def test_delivering_twice_delivers_once(org_a: Tenant, org_b: Tenant) -> None:
    _purchase, order_id = bought(org_b, publish(org_a))
    with tenancy.scope(org_b.id):
        market.deliver(pay(order_of(org_b, order_id)))
    assert lines_of(org_a) == [("sale", 4_900), ("fee", -490)]
    assert len(audit_of(org_b, "purchase.delivered")) == 1


def test_another_licence_than_was_shown_is_not_accepted(org_a: Tenant, org_b: Tenant) -> None:
    listing = publish(org_a)
    with pytest.raises(Conflict):
        market.buy(org_b.actor, listing.pk, "0" * 64)


def test_nobody_buys_from_themselves_or_what_is_withdrawn(org_a: Tenant, org_b: Tenant) -> None:
    listing = publish(org_a)
    with pytest.raises(NotFound):
        market.buy(org_a.actor, listing.pk, listing.licence_sha256)
    market.withdraw_offer(org_a.actor, listing.offer_id)
    for id in (listing.pk, uuid4()):
        with pytest.raises(NotFound):
            market.buy(org_b.actor, id, listing.licence_sha256)


def test_a_second_tab_goes_on_with_the_same_order_and_a_second_purchase_is_refused(
    org_a: Tenant, org_b: Tenant
) -> None:
    listing = publish(org_a)
    first, order = market.buy(org_b.actor, listing.pk, listing.licence_sha256)
    second, same = market.buy(org_b.actor, listing.pk, listing.licence_sha256)
    assert (first.pk, order.pk) == (second.pk, same.pk)
    with tenancy.scope(org_b.id):
        market.deliver(pay(order))
    with pytest.raises(Conflict):
        market.buy(org_b.actor, listing.pk, listing.licence_sha256)


def test_an_order_that_was_never_paid_gives_way_to_another(org_a: Tenant, org_b: Tenant) -> None:
    listing = publish(org_a)
    _first, order = market.buy(org_b.actor, listing.pk, listing.licence_sha256)
    with tenancy.scope(org_b.id):
        Order.objects.filter(pk=order.pk).update(state="expired")
    _second, another = market.buy(org_b.actor, listing.pk, listing.licence_sha256)
    assert another.pk != order.pk


@pytest.mark.django_db(transaction=True)
def test_two_organizations_and_two_tabs_at_once_make_one_sale_each(org_a: Tenant, org_b: Tenant) -> None:
    other, listing = make_tenant("org-c"), publish(org_a)
    found: list[tuple[UUID, UUID]] = []

    def buy(buyer: Tenant) -> None:
        try:
            purchase, order = market.buy(buyer.actor, listing.pk, listing.licence_sha256)
            for _attempt in range(2):
                with tenancy.scope(buyer.id):
                    market.deliver(pay(order))
            found.append((buyer.id, purchase.pk))
        except Conflict:
            pass  # the other tab was so quick that it is paid already
        finally:
            connections.close_all()

    threads = [threading.Thread(target=buy, args=(buyer,)) for buyer in (org_b, other, org_b, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {buyer for buyer, _ in found} == {org_b.id, other.id}
    assert len(set(found)) == 2
    assert sorted(lines_of(org_a)) == [("fee", -490)] * 2 + [("sale", 4_900)] * 2


# ---------------------------------------------------------------- taking back


def test_a_refund_ends_the_access_and_takes_the_earning_back_once(
    org_a: Tenant, org_b: Tenant, django_capture_on_commit_callbacks: object
) -> None:
    purchase_id, order_id = bought(org_b, publish(org_a))
    [file] = purchase_of(org_b, purchase_id).files
    link = files.link(org_b.id, file["path"], file["name"]).split("/")[2]
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        take_back(org_b, order_id, 4_900)
    take_back(org_b, order_id, 4_900)
    assert purchase_of(org_b, purchase_id).state == PurchaseState.TAKEN_BACK
    assert lines_of(org_a) == [("sale", 4_900), ("fee", -490), ("reversal", -4_900), ("fee_reversal", 490)]
    with pytest.raises(NotFound):
        media.opened(link)
    assert (media.folder_of(org_a.id) / "market").exists()
    assert len(audit_of(org_b, "purchase.taken_back")) == 1


def test_parts_of_a_refund_add_up_to_the_whole(org_a: Tenant, org_b: Tenant) -> None:
    purchase_id, order_id = bought(org_b, publish(org_a, price_minor=999))
    for so_far in (100, 100, 350):
        take_back(org_b, order_id, so_far)
    assert purchase_of(org_b, purchase_id).state == PurchaseState.DELIVERED
    take_back(org_b, order_id, 999)
    assert purchase_of(org_b, purchase_id).state == PurchaseState.TAKEN_BACK
    with tenancy.scope(org_a.id):
        assert market.balances() == {"USD": 0}


def test_what_is_refunded_before_it_was_delivered_is_never_delivered(org_a: Tenant, org_b: Tenant) -> None:
    listing = publish(org_a)
    purchase, order = market.buy(org_b.actor, listing.pk, listing.licence_sha256)
    take_back(org_b, order.pk, 4_900)
    with tenancy.scope(org_b.id):
        market.deliver(pay(order))
    assert purchase_of(org_b, purchase.pk).state == PurchaseState.TAKEN_BACK
    assert lines_of(org_a) == []


@pytest.mark.parametrize(("amount", "percent", "fee"), [(4_900, 10, 490), (999, 10, 100), (5, 10, 1), (4, 10, 0)])
def test_the_fee_is_rounded_once(amount: int, percent: int, fee: int) -> None:
    assert fee_of(amount, percent) == fee


def test_no_more_is_paid_out_than_was_earned_and_nothing_twice(org_a: Tenant, org_b: Tenant) -> None:
    bought(org_b, publish(org_a))
    staff = approver(org_a)
    with pytest.raises(PermissionDenied):
        market.record_payout(org_a.actor, "USD", 1, "bank 1")
    with pytest.raises(Conflict):
        market.record_payout(staff, "USD", 4_411, "bank 1")
    market.record_payout(staff, "USD", 4_000, "bank 1")
    with pytest.raises(Conflict):
        market.record_payout(staff, "USD", 100, "bank 1")
    with tenancy.scope(org_a.id):
        assert market.balances() == {"USD": 410}
        with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE market_earning SET amount_minor = 0")


# ---------------------------------------------------------------- annotation services


def test_a_request_goes_from_ordered_to_accepted_on_both_sides(org_a: Tenant, org_b: Tenant) -> None:
    purchase_id, _order = bought(org_b, publish(org_a, kind="annotation"))
    with tenancy.scope(org_a.id):
        sale_id = Sale.objects.get().pk
    market.write_note(org_b.actor, Voice.BUYER, purchase_id, "Label these, please.", upload("raw.csv"))
    with pytest.raises(Conflict):
        market.hand_in(org_a.actor, sale_id, "Done", upload())
    market.begin_work(org_a.actor, sale_id)
    with pytest.raises(InvalidRequest):
        market.hand_in(org_a.actor, sale_id, "Done", None)
    with pytest.raises(Conflict):
        market.accept_work(org_b.actor, purchase_id)
    market.hand_in(org_a.actor, sale_id, "Done", upload("labels.csv", b"labels"))
    market.accept_work(org_b.actor, purchase_id)
    with pytest.raises(Conflict):
        market.accept_work(org_b.actor, purchase_id)
    assert purchase_of(org_b, purchase_id).state == PurchaseState.ACCEPTED
    for side, theirs in ((org_a, "raw.csv"), (org_b, "labels.csv")):
        with tenancy.scope(side.id):
            notes = list(Note.objects.filter(purchase_id=purchase_id).order_by("id"))
            assert [note.voice for note in notes] == ["buyer", "seller"]
            [note] = [note for note in notes if note.file_name == theirs]
            path: Path = media.folder_of(side.id) / note.file_path
            assert hashlib.sha256(path.read_bytes()).hexdigest() == note.file_sha256
    with tenancy.scope(org_a.id):
        assert Sale.objects.get().state == PurchaseState.ACCEPTED
    assert audit_of(org_b, "purchase.moved")[-1].user_id == org_b.owner.pk
    assert audit_of(org_a, "sale.moved")[-1].actor_kind == "system", "the seller is not told who accepted"


def test_others_reach_neither_the_thread_nor_the_purchase(org_a: Tenant, org_b: Tenant) -> None:
    purchase_id, _order = bought(org_b, publish(org_a, kind="annotation"))
    third = make_tenant("org-c")
    for actor in (third.actor, org_a.actor):
        with pytest.raises(NotFound):
            market.accept_work(actor, purchase_id)
        with pytest.raises(NotFound):
            market.write_note(actor, Voice.BUYER, purchase_id, "Hello")
    with tenancy.scope(third.id):
        assert not Listing.objects.exists()
        assert not Purchase.objects.exists()


def test_a_refunded_request_takes_no_more_messages(org_a: Tenant, org_b: Tenant) -> None:
    purchase_id, order_id = bought(org_b, publish(org_a, kind="annotation"))
    take_back(org_b, order_id, 4_900)
    with pytest.raises(Conflict):
        market.write_note(org_b.actor, Voice.BUYER, purchase_id, "Hello?")
