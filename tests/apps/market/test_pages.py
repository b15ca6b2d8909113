"""The market's pages: what is off is not there, what others have is not shown, and sellers' words do nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts import services as accounts
from apps.billing.models import Order
from apps.core import markdown, media, tenancy
from apps.core.errors import NotFound
from apps.market import services as market
from apps.market.models import Offer, Purchase, PurchaseState, Sale
from tests.helpers.market import FACTS, bought, offer_of, pay, publish, purchase_of, upload
from tests.helpers.people import Tenant, make_tenant

ClientOf = Callable[[Any], Client]
LISTS = ("market", "market-purchases", "market-offers", "market-sales", "market-offer-new")


@pytest.mark.parametrize("name", LISTS)
def test_where_the_switch_is_off_there_is_no_market(name: str, org_a: Tenant, client_of: ClientOf) -> None:
    client = client_of(org_a.owner)
    assert client.get(reverse(name)).status_code == 404
    assert "Data services" not in client.get(reverse("usage")).content.decode()
    with pytest.raises(NotFound):
        market.create_offer(org_a.actor, FACTS)


@pytest.mark.usefixtures("open_market")
@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_useful_when_it_is_empty(name: str, org_a: Tenant, client_of: ClientOf) -> None:
    page = client_of(org_a.owner).get(reverse(name))
    assert page.status_code == 200
    assert "Data services" in page.content.decode()
    assert client_of(org_a.member).get(reverse(name)).status_code == 403


@pytest.mark.usefixtures("open_market")
def test_an_outsider_and_a_stranger_see_nothing(org_a: Tenant, outsider: Any, client_of: ClientOf) -> None:
    listing = publish(org_a)
    for address in (reverse("market"), reverse("market-listing", args=[listing.pk])):
        assert client_of(outsider).get(address).status_code == 404
        assert Client().get(address).status_code == 302


@pytest.mark.usefixtures("open_market", "payments")
def test_a_buyer_finds_reads_accepts_and_is_led_to_the_payment(
    org_a: Tenant, org_b: Tenant, client_of: ClientOf
) -> None:
    listing = publish(org_a)
    publish(org_a, title="Bird calls", description="Recordings")
    buyer = client_of(org_b.owner)
    found = buyer.get(reverse("market"), {"search": "street PHOTOGRAPHS", "kind": "data_set"}).content.decode()
    assert "Street signs" in found
    assert "Bird calls" not in found
    assert "Street signs" not in client_of(org_a.owner).get(reverse("market")).content.decode(), "one's own"
    page = buyer.get(reverse("market-listing", args=[listing.pk])).content.decode()
    assert "<strong>Photographs</strong>" in page
    assert "<script>alert" not in page
    assert listing.files_sha256 in page
    assert str(org_a.id) not in page
    buy = reverse("market-buy", args=[listing.pk])
    refused = buyer.post(buy, {"licence_sha256": listing.licence_sha256})
    assert refused.status_code == 422
    assert "The licence must be accepted." in refused.content.decode()
    led = buyer.post(buy, {"licence_sha256": listing.licence_sha256, "accepted": "on"})
    with tenancy.scope(org_b.id):
        order = Order.objects.get()
        assert led.url == f"https://pay.example/{order.pk}"
        assert (order.kind, order.item_id, order.amount_minor) == ("data", Purchase.objects.get().pk, 4_900)
    outdated = buyer.post(buy, {"licence_sha256": "0" * 64, "accepted": "on"})
    assert outdated.status_code == 409


@pytest.mark.usefixtures("open_market", "payments")
def test_what_was_bought_can_be_fetched_and_by_nobody_else(org_a: Tenant, org_b: Tenant, client_of: ClientOf) -> None:
    purchase_id, _order = bought(org_b, publish(org_a))
    buyer = client_of(org_b.owner)
    page = buyer.get(reverse("market-purchase", args=[purchase_id])).content.decode()
    assert "signs.csv" in page
    file = reverse("market-purchase-file", args=[purchase_id, 0])
    led = buyer.get(file)
    assert led.status_code == 302
    assert media.opened(led.url.split("/")[2]).path.read_bytes() == b"1,stop\n2,yield\n"
    assert buyer.get(reverse("market-purchase-file", args=[purchase_id, 1])).status_code == 404
    third = make_tenant("org-c")
    for somebody in (org_a.owner, third.owner):
        client = client_of(somebody)
        theirs, nobodys = client.get(file), client.get(reverse("market-purchase-file", args=[uuid4(), 0]))
        assert theirs.status_code == nobodys.status_code == 404
    with tenancy.scope(org_b.id):
        Purchase.objects.update(state=PurchaseState.TAKEN_BACK)
    assert buyer.get(file).status_code == 404


@pytest.mark.usefixtures("open_market")
def test_a_seller_writes_fills_submits_and_withdraws(org_a: Tenant, org_b: Tenant, client_of: ClientOf) -> None:
    seller = client_of(org_a.owner)
    words = {"kind": "data_set", "title": "Mill sounds", "description": "Water", "licence": "cc-by-4.0"}
    made = seller.post(reverse("market-offer-new"), words | {"price": "12.50", "currency": "EUR"})
    with tenancy.scope(org_a.id):
        offer = Offer.objects.get()
    assert made.url == reverse("market-offer", args=[offer.pk])
    assert (offer.price_minor, offer.currency) == (1_250, "EUR")

    def act(name: str, **data: Any) -> Any:
        return seller.post(reverse("market-offer-act", args=[offer.pk, name]), data, follow=True)

    assert "needs at least one file" in act("submit").content.decode()
    assert "mill.wav" in act("add-file", file=upload("mill.wav", b"wave")).content.decode()
    assert "waits for approval" in act("submit").content.decode()
    assert "withdraw it first" in act("add-file", file=upload("b.wav", b"wave")).content.decode()
    act("withdraw")
    assert offer_of(org_a, offer.pk).state == "draft"
    assert seller.post(reverse("market-offer-act", args=[offer.pk, "publish"])).status_code == 404
    other = client_of(org_b.owner)
    assert other.get(reverse("market-offer", args=[offer.pk])).status_code == 404
    assert other.post(reverse("market-offer-act", args=[offer.pk, "delete"])).status_code == 404
    act("delete")
    with tenancy.scope(org_a.id):
        assert not Offer.objects.exists()


@pytest.mark.usefixtures("open_market", "payments")
def test_a_service_is_asked_for_done_and_accepted_on_pages(org_a: Tenant, org_b: Tenant, client_of: ClientOf) -> None:
    purchase_id, _order = bought(org_b, publish(org_a, kind="annotation"))
    with tenancy.scope(org_a.id):
        sale_id = Sale.objects.get().pk
    buyer, seller = client_of(org_b.owner), client_of(org_a.owner)

    def ask(client: Client, what: str, id: Any, act: str, **data: Any) -> str:
        answer = client.post(reverse(f"market-{what}-act", args=[id, act]), data, follow=True)
        return str(answer.content.decode())

    assert "The message has been sent." in ask(buyer, "purchase", purchase_id, "note", text="Label <b>all</b>")
    assert "Label &lt;b&gt;all&lt;/b&gt;" in ask(seller, "sale", sale_id, "begin")
    assert "A delivery needs a file." in ask(seller, "sale", sale_id, "hand-in", text="Done")
    assert "The work is delivered." in ask(seller, "sale", sale_id, "hand-in", file=upload("labels.csv"))
    page = buyer.get(reverse("market-purchase", args=[purchase_id])).content.decode()
    assert "labels.csv" in page
    assert org_a.owner.email not in page
    assert "The work is accepted." in ask(buyer, "purchase", purchase_id, "accept")
    assert purchase_of(org_b, purchase_id).state == PurchaseState.ACCEPTED


@pytest.mark.parametrize(
    ("text", "shown", "hidden"),
    [
        ("# Big\n\n- one", "<h3>Big</h3>", "<h1>"),
        ("[site](https://a.example)", 'rel="nofollow noopener noreferrer"', "target"),
        ("[x](javascript:alert(1))", "<p>", "href"),
        ("<img src=x onerror=alert(1)>", "&lt;img", "<img"),
        ("![p](https://a.example/p.png)", "<p>", "<img"),
        ('<a href="https://a.example" onclick="x()">', "&lt;a", "<a "),
        ("|a|b|\n|-|-|\n|1|2|", "<td>1</td>", "style"),
    ],
)
def test_markdown_can_only_be_read(text: str, shown: str, hidden: str) -> None:
    html = markdown.render(text)
    assert shown in html
    assert hidden not in html


# ---------------------------------------------------------------- REST


@pytest.mark.usefixtures("open_market", "payments")
def test_a_program_reads_the_market_and_a_session_buys(org_a: Tenant, org_b: Tenant, client_of: ClientOf) -> None:
    publish(org_a)
    _row, key = accounts.create_api_key(org_b.actor, "reader", ["billing:read"])
    program, bearer = Client(), {"authorization": f"Bearer {key}"}
    [listing] = program.get("/api/v1/market/listings?search=signs", headers=bearer).json()["data"]
    assert listing["files"][0].keys() == {"name", "size", "sha256"}
    assert str(org_a.id) not in str(listing)
    buy = f"/api/v1/market/listings/{listing['id']}/buy"
    body = {"licence_sha256": listing["licence_sha256"]}
    assert program.post(buy, body, "application/json", headers=bearer).status_code == 403
    bought_now = client_of(org_b.owner).post(buy, body, "application/json")
    assert bought_now.status_code == 201, bought_now.content
    purchase = bought_now.json()
    assert purchase["state"] == "open"
    assert purchase["checkout_url"].startswith("https://pay.example/")
    with tenancy.scope(org_b.id):
        market.deliver(pay(Order.objects.get()))
    found = program.get(f"/api/v1/market/purchases/{purchase['id']}", headers=bearer).json()
    assert found["state"] == "delivered"
    assert "/media/" in found["files"][0]["url"]
    assert program.get(f"/api/v1/market/purchases/{purchase['id']}", headers=org_a.bearer).status_code in {403, 404}
    seller = client_of(org_a.owner)
    assert [row["buyer"] for row in seller.get("/api/v1/market/sales").json()["data"]] == [org_b.organization.name]
    kinds = [row["kind"] for row in seller.get("/api/v1/market/earnings").json()["data"]]
    assert kinds == ["fee", "sale"]


@pytest.mark.usefixtures("open_market")
def test_an_offer_is_written_over_rest(org_a: Tenant, client_of: ClientOf) -> None:
    client = client_of(org_a.owner)
    words = {"kind": "annotation", "title": "Labels", "description": "By hand", "licence": "commercial"}
    body = words | {"price_minor": 4_900, "currency": "USD"}
    made = client.post("/api/v1/market/offers", body, "application/json").json()
    address = f"/api/v1/market/offers/{made['id']}"
    assert client.put(address, body | {"title": "Boxes"}, "application/json").json()["title"] == "Boxes"
    assert client.post(f"{address}/submit", {}, "application/json").json()["state"] == "submitted"
    assert client.post(f"{address}/withdraw", {}, "application/json").json()["state"] == "draft"
    assert client.post("/api/v1/market/offers", body | {"colour": 1}, "application/json").status_code == 400
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
