"""Checkout, invoices, the portal and the simulator's own page, as a browser without scripts uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.deploy.stripe_simulator.conftest import Shop


@pytest.fixture
def browser(shop: Shop) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.simulator.url, trust_env=False, timeout=60) as client:
        yield client


def checkout(shop: Shop, **more: Any) -> Any:
    return shop.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": shop.customer,
            "line_items": [{"price": shop.monthly, "quantity": 2}],
            "success_url": "http://shop.example/thanks?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://shop.example/plans",
            "client_reference_id": "org-1",
            "metadata": {"organization": "org-1"},
            "subscription_data": {"metadata": {"organization": "org-1"}},
            **more,
        }
    )


def test_every_page_is_labelled_and_in_nobodys_frame(shop: Shop, browser: httpx.Client) -> None:
    shop.subscribe()
    portal = shop.v1.billing_portal.sessions.create({"customer": shop.customer, "return_url": "http://shop.example/"})
    invoice = shop.invoices()[0]
    for url in ("/simulator/", checkout(shop).url, portal.url, invoice.hosted_invoice_url, "/simulator/nothing"):
        page = browser.get(url)
        assert "Stripe simulator — no real money" in page.text, url
        assert page.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "<script" not in page.text


def test_checkout_starts_a_subscription(shop: Shop, browser: httpx.Client) -> None:
    session = checkout(shop)
    page = browser.get(session.url)
    assert "39.98 USD" in page.text and "http://shop.example/plans" in page.text
    answer = browser.post(session.url, data={"number": "4242424242424242"})
    assert answer.headers["location"] == f"http://shop.example/thanks?session={session.id}"
    done = shop.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription", "line_items"]})
    assert (done.status, done.payment_status, done.amount_total, done.url) == ("complete", "paid", 3998, None)
    assert done.subscription.metadata["organization"] == "org-1"
    assert done.line_items.data[0].quantity == 2
    assert shop.simulator.webhooks()[-1].type == "checkout.session.completed"
    assert browser.post(session.url, data={"number": "4242424242424242"}).status_code >= 400
    assert len(shop.v1.subscriptions.list({"customer": shop.customer}).data) == 1


def test_checkout_can_be_tried_again_after_a_refusal(shop: Shop, browser: httpx.Client) -> None:
    session = checkout(shop)
    refused = browser.post(session.url, data={"number": "4000000000009995"})
    assert refused.status_code == 402 and "insufficient funds" in refused.text
    assert shop.v1.subscriptions.list({"customer": shop.customer, "status": "all"}).data == []
    assert browser.post(session.url, data={"number": "5555555555554444"}).status_code == 303


def test_checkout_takes_address_tax_number_and_code(shop: Shop, browser: httpx.Client) -> None:
    coupon = shop.v1.coupons.create({"percent_off": 50, "duration": "once"})
    shop.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HALF"})
    session = checkout(
        shop,
        allow_promotion_codes=True,
        automatic_tax={"enabled": True},
        tax_id_collection={"enabled": True},
        billing_address_collection="required",
        customer_update={"address": "auto", "name": "auto"},
    )
    form = {"number": "4242424242424242", "country": "FR", "name": "Maison", "promotion_code": "nope"}
    wrong = browser.post(session.url, data=form)
    assert "not valid" in wrong.text and 'value="Maison"' in wrong.text
    browser.post(
        session.url, data=form | {"promotion_code": "half", "tax_id": "FR12345678901", "tax_id_type": "eu_vat"}
    )
    done = shop.v1.checkout.sessions.retrieve(session.id)
    assert done.total_details.amount_discount == 1999
    assert (done.amount_total, done.total_details.amount_tax) == (2399, 400)
    customer = shop.v1.customers.retrieve(shop.customer, {"expand": ["tax_ids"]})
    assert (customer.name, customer.address.country) == ("Maison", "FR")
    assert customer.tax_ids.data[0].value == "FR12345678901"


def test_checkout_takes_one_payment_with_an_invoice(shop: Shop, browser: httpx.Client) -> None:
    session = shop.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "customer": shop.customer,
            "line_items": [
                {"price_data": {"currency": "usd", "unit_amount": 250, "product_data": {"name": "Pack"}}, "quantity": 4}
            ],
            "payment_intent_data": {"metadata": {"order": "7"}},
            "invoice_creation": {"enabled": True, "invoice_data": {"metadata": {"order": "7"}}},
            "success_url": "http://shop.example/",
        }
    )
    browser.post(session.url, data={"number": "4242424242424242"})
    done = shop.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent", "invoice"]})
    assert (done.payment_intent.amount_received, done.payment_intent.metadata["order"]) == (1000, "7")
    assert (done.invoice.status, done.invoice.total, done.invoice.metadata["order"]) == ("paid", 1000, "7")


def test_checkout_expires(shop: Shop, browser: httpx.Client) -> None:
    session = checkout(shop)
    assert shop.v1.checkout.sessions.expire(session.id).status == "expired"
    assert browser.get(session.url).status_code == 410
    other = checkout(shop)
    shop.to(1_767_225_600 + 86_400)
    assert shop.v1.checkout.sessions.retrieve(other.id).status == "expired"


def test_an_invoice_is_read_and_paid_and_kept(shop: Shop, browser: httpx.Client) -> None:
    made = shop.subscribe(payment_behavior="default_incomplete")
    invoice = shop.invoices()[0]
    assert made.status == "incomplete" and "19.99 USD" in browser.get(invoice.hosted_invoice_url).text
    assert browser.post(invoice.hosted_invoice_url, data={"number": "4242424242424242"}).status_code == 303
    assert shop.v1.subscriptions.retrieve(made.id).status == "active"
    file = browser.get(invoice.invoice_pdf)
    assert file.headers["content-type"] == "application/pdf"
    assert file.content.startswith(b"%PDF-") and invoice.number.encode() in file.content


def test_the_portal_lets_a_customer_change_card_cancel_and_keep(shop: Shop, browser: httpx.Client) -> None:
    made = shop.subscribe()
    portal = shop.v1.billing_portal.sessions.create({"customer": shop.customer, "return_url": "http://shop.example/"})
    assert "visa ending in 4242" in browser.get(portal.url).text
    browser.post(f"{portal.url}/card", data={"number": "5555555555554444"})
    assert "mastercard ending in 4444" in browser.get(portal.url).text
    browser.post(f"{portal.url}/subscription/{made.id}", data={"act": "cancel"})
    assert shop.v1.subscriptions.retrieve(made.id).cancel_at_period_end
    browser.post(f"{portal.url}/subscription/{made.id}", data={"act": "keep"})
    assert not shop.v1.subscriptions.retrieve(made.id).cancel_at_period_end
    other = shop.v1.customers.create({"name": "Else"})
    theirs = shop.v1.billing_portal.sessions.create({"customer": other.id})
    browser.post(f"{theirs.url}/subscription/{made.id}", data={"act": "cancel"})
    assert not shop.v1.subscriptions.retrieve(made.id).cancel_at_period_end


def test_the_portal_returns_to_the_shop_after_its_one_act(shop: Shop, browser: httpx.Client) -> None:
    flow: Any = {
        "type": "payment_method_update",
        "after_completion": {"type": "redirect", "redirect": {"return_url": "http://shop.example/done"}},
    }
    portal = shop.v1.billing_portal.sessions.create({"customer": shop.customer, "flow_data": flow})
    answer = browser.post(f"{portal.url}/card", data={"number": "4242424242424242"})
    assert answer.headers["location"] == "http://shop.example/done"


def test_the_portal_changes_seats_where_it_is_allowed(shop: Shop, browser: httpx.Client) -> None:
    made = shop.subscribe()
    update: Any = {"enabled": True, "default_allowed_updates": ["quantity"], "proration_behavior": "always_invoice"}
    configuration = shop.v1.billing_portal.configurations.create({"features": {"subscription_update": update}})
    portal = shop.v1.billing_portal.sessions.create({"customer": shop.customer, "configuration": configuration.id})
    browser.post(f"{portal.url}/subscription/{made.id}", data={"act": "change", "quantity": "3"})
    assert shop.v1.subscriptions.retrieve(made.id)["items"].data[0].quantity == 3
    assert shop.invoices()[-1].amount_paid == 3998


def test_the_simulators_own_page_turns_its_knobs(shop: Shop, browser: httpx.Client) -> None:
    shop.subscribe()
    charge = shop.v1.charges.list().data[0]
    assert browser.post("/simulator/", data={"act": "disputes/open", "charge": charge.id}).status_code == 303
    dispute = shop.v1.disputes.list().data[0]
    browser.post("/simulator/", data={"act": "disputes/close", "dispute": dispute.id, "status": "won"})
    assert shop.v1.disputes.retrieve(dispute.id).status == "won"
    before = shop.simulator.now
    browser.post("/simulator/", data={"act": "advance", "days": "2"})
    assert shop.simulator.now >= before + 2 * 86_400
    text = browser.get("/simulator/").text
    for heading in ("Customers", "Subscriptions", "Invoices", "Charges", "Disputes", "Events"):
        assert re.search(rf"<h2>{heading}</h2>", text)


def test_a_page_elsewhere_cannot_press_the_buttons(shop: Shop, browser: httpx.Client) -> None:
    for origin in ("http://evil.example", "null"):
        evil = {"origin": origin}
        assert browser.post("/simulator/", data={"act": "reset"}, headers=evil).status_code == 403
        assert browser.post("/simulator/api/reset", data={"x": "y"}, headers=evil).status_code == 405
    assert shop.v1.customers.retrieve(shop.customer).id == shop.customer
