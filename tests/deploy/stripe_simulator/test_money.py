"""Discounts, tax, refunds, credit notes, disputes, balance and meters."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from deploy.stripe_simulator.periods import add_months
from tests.deploy.stripe_simulator.conftest import DAY, START, Shop, give_card

MONTHLY = 1999


def charge_of(shop: Shop) -> Any:
    return shop.v1.charges.list({"customer": shop.customer}).data[0]


@pytest.mark.parametrize(
    ("coupon", "totals"),
    [
        ({"percent_off": 25, "duration": "once"}, [1499, 1999, 1999]),
        ({"percent_off": 25, "duration": "repeating", "duration_in_months": 2}, [1499, 1499, 1999]),
        ({"percent_off": 25, "duration": "forever"}, [1499, 1499, 1499]),
        ({"amount_off": 500, "currency": "usd", "duration": "forever"}, [1499, 1499, 1499]),
        ({"amount_off": 5000, "currency": "usd", "duration": "once"}, [0, 1999, 1999]),
    ],
)
def test_a_coupon_lasts_as_long_as_it_says(shop: Shop, coupon: Any, totals: list[int]) -> None:
    made = shop.v1.coupons.create(coupon)
    shop.subscribe(discounts=[{"coupon": made.id}])
    for month in (1, 2):
        shop.to(add_months(START, month) + 3_601)
    assert [item.total for item in shop.invoices()] == totals


def test_a_promotion_code_is_redeemed_as_often_as_it_may_be(shop: Shop) -> None:
    coupon = shop.v1.coupons.create({"percent_off": 10, "duration": "forever"})
    promotion: Any = {"type": "coupon", "coupon": coupon.id}
    code = shop.v1.promotion_codes.create({"promotion": promotion, "code": "ONE", "max_redemptions": 1})
    shop.subscribe(discounts=[{"promotion_code": code.id}])
    assert shop.v1.promotion_codes.list({"code": "one"}).data[0].times_redeemed == 1
    with pytest.raises(stripe.InvalidRequestError, match="as often as it may"):
        shop.subscribe(discounts=[{"promotion_code": code.id}])


def test_a_proration_is_of_what_was_paid_after_the_discount(shop: Shop) -> None:
    coupon = shop.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    made = shop.subscribe(quantity=2, discounts=[{"coupon": coupon.id}])
    shop.to(START + 31 * DAY // 2)
    item = made["items"].data[0].id
    shop.v1.subscriptions.update(
        made.id, {"items": [{"id": item, "quantity": 4}], "proration_behavior": "always_invoice"}
    )
    invoice = shop.invoices()[-1]
    assert [line.amount for line in invoice.lines.data] == [-1000, 1999]
    assert invoice.total == 999


@pytest.mark.parametrize(
    ("country", "vat", "tax", "reason"),
    [
        ("DE", "", 380, "standard_rated"),
        ("DE", "DE123456789", 0, "reverse_charge"),
        ("DE", "DE000000000", 380, "standard_rated"),
        ("IE", "IE1234567X", 460, "standard_rated"),
        ("US", "", 0, "not_collecting"),
    ],
)
def test_tax_follows_the_country_and_the_tax_number(shop: Shop, country: str, vat: str, tax: int, reason: str) -> None:
    shop.v1.customers.update(shop.customer, {"address": {"country": country}})
    if vat:
        made = shop.v1.customers.tax_ids.create(shop.customer, {"type": "eu_vat", "value": vat})
        assert made.verification.status == "pending"
        shop.to(START + 10)
    shop.subscribe(automatic_tax={"enabled": True})
    invoice = shop.invoices()[0]
    assert (invoice.subtotal, invoice.total) == (MONTHLY, MONTHLY + tax)
    assert [(item.amount, item.taxability_reason) for item in invoice.total_taxes] == [(tax, reason)]


def test_tax_needs_to_know_the_place(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.subscribe(automatic_tax={"enabled": True})
    assert refused.value.code == "customer_tax_location_invalid"


def test_what_waits_is_billed_with_the_next_invoice(shop: Shop) -> None:
    made = shop.subscribe()
    item = shop.v1.invoice_items.create(
        {"customer": shop.customer, "subscription": made.id, "amount": 321, "currency": "usd", "description": "More"}
    )
    assert item.invoice is None
    shop.to(add_months(START, 1) + 60)
    draft = shop.invoices()[-1]
    assert (draft.status, draft.total) == ("draft", MONTHLY + 321)
    shop.v1.invoice_items.create(
        {"customer": shop.customer, "invoice": draft.id, "amount": 100, "currency": "usd", "description": "Late"}
    )
    shop.to(add_months(START, 1) + 3_601)
    assert (shop.invoices()[-1].status, shop.invoices()[-1].amount_paid) == ("paid", MONTHLY + 421)
    with pytest.raises(stripe.InvalidRequestError, match="no longer editable"):
        shop.v1.invoice_items.create({"customer": shop.customer, "invoice": draft.id, "amount": 1, "currency": "usd"})


def test_credit_is_used_up_before_the_card(shop: Shop) -> None:
    shop.v1.customers.balance_transactions.create(shop.customer, {"amount": -2500, "currency": "usd"})
    shop.subscribe()
    shop.to(add_months(START, 1) + 3_601)
    assert [(item.amount_due, item.ending_balance) for item in shop.invoices()] == [(0, -501), (1498, 0)]


# ---------------------------------------------------------------- giving back


def test_a_refund_never_gives_back_more_than_was_paid(shop: Shop) -> None:
    shop.subscribe()
    charge = charge_of(shop)
    shop.v1.refunds.create({"charge": charge.id, "amount": 1000})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        shop.v1.refunds.create({"charge": charge.id, "amount": 1000})
    shop.v1.refunds.create({"payment_intent": charge.payment_intent})
    after = shop.v1.charges.retrieve(charge.id, {"expand": ["refunds"]})
    assert (after.amount_refunded, after.refunded) == (MONTHLY, True)
    assert sorted(item.amount for item in after.refunds.data) == [999, 1000]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.refunds.create({"charge": charge.id})
    assert refused.value.code == "charge_already_refunded"


def test_a_credit_note_gives_back_by_refund_and_by_balance(shop: Shop) -> None:
    shop.subscribe()
    invoice = shop.invoices()[0]
    note = shop.v1.credit_notes.create(
        {"invoice": invoice.id, "amount": 900, "refund_amount": 500, "credit_amount": 400, "reason": "order_change"}
    )
    assert (note.total, note.type, note.number) == (900, "post_payment", f"{invoice.number}-CN-01")
    assert charge_of(shop).amount_refunded == 500
    assert shop.v1.customers.retrieve(shop.customer).balance == -400
    with pytest.raises(stripe.InvalidRequestError, match="more than is left"):
        shop.v1.credit_notes.create({"invoice": invoice.id, "amount": 1100, "refund_amount": 1100})
    assert shop.v1.invoices.retrieve(invoice.id).total == MONTHLY


def test_a_credit_note_of_an_open_invoice_leaves_less_to_pay(shop: Shop) -> None:
    give_card(shop, "pm_card_chargeCustomerFail")
    shop.subscribe()
    invoice = shop.invoices()[0]
    line = invoice.lines.data[0].id
    lines: Any = [{"type": "invoice_line_item", "invoice_line_item": line, "amount": 1500}]
    preview = shop.v1.credit_notes.preview({"invoice": invoice.id, "lines": lines})
    note = shop.v1.credit_notes.create({"invoice": invoice.id, "lines": lines})
    assert preview.total == note.total == note.pre_payment_amount == 1500
    give_card(shop, "pm_card_visa")
    assert shop.v1.invoices.pay(invoice.id).amount_paid == charge_of(shop).amount == 499


@pytest.mark.parametrize(
    ("evidence", "ending"), [("winning_evidence", "won"), ("losing_evidence", "lost"), ("", "lost")]
)
def test_a_dispute_is_decided_by_its_evidence_or_by_silence(shop: Shop, evidence: str, ending: str) -> None:
    shop.subscribe()
    shop.simulator.webhooks()
    dispute = shop.simulator.do("disputes/open", charge=charge_of(shop).id, reason="fraudulent")
    assert charge_of(shop).disputed
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        shop.v1.refunds.create({"charge": charge_of(shop).id})
    if evidence:
        sent = shop.v1.disputes.update(dispute["id"], {"evidence": {"uncategorized_text": evidence}, "submit": True})
        assert sent.status == "under_review"
    shop.to(START + 8 * DAY)
    decided = shop.v1.disputes.retrieve(dispute["id"])
    assert decided.status == ending
    assert sum(item.amount for item in decided.balance_transactions) == (0 if ending == "won" else -MONTHLY)
    types = [webhook.type for webhook in shop.simulator.webhooks() if "dispute" in webhook.type]
    back = ["charge.dispute.funds_reinstated"] if ending == "won" else []
    sent_types = ["charge.dispute.updated"] if evidence else []
    assert types == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        *sent_types,
        *back,
        "charge.dispute.closed",
    ]


@pytest.mark.parametrize(
    ("token", "code", "decline"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ],
)
def test_a_card_is_refused_for_its_reason(shop: Shop, token: str, code: str, decline: str | None) -> None:
    with pytest.raises(stripe.CardError) as refused:
        shop.v1.payment_intents.create({"amount": 500, "currency": "usd", "payment_method": token, "confirm": True})
    assert (refused.value.code, refused.value.error.decline_code) == (code, decline)
    assert shop.v1.payment_intents.list().data[0].last_payment_error.code == code
    with pytest.raises(stripe.CardError):
        shop.v1.payment_methods.attach(token, {"customer": shop.customer})


def test_an_absent_owner_cannot_answer_the_bank(shop: Shop) -> None:
    intents = shop.v1.payment_intents
    params: Any = {"amount": 500, "currency": "usd", "payment_method": "pm_card_threeDSecure2Required", "confirm": True}
    with pytest.raises(stripe.CardError) as refused:
        intents.create(params | {"off_session": True})
    assert refused.value.code == "authentication_required"
    assert intents.create(params).status == "requires_action"


# ---------------------------------------------------------------- meters


def test_meter_events_count_once_and_within_their_time(shop: Shop) -> None:
    v1 = shop.v1
    meter = v1.billing.meters.create(
        {"display_name": "Tokens", "event_name": "tokens", "default_aggregation": {"formula": "sum"}}
    )

    def send(value: int, at: int, **more: Any) -> Any:
        payload = {"stripe_customer_id": shop.customer, "value": str(value)}
        return v1.billing.meter_events.create({"event_name": "tokens", "payload": payload, "timestamp": at, **more})

    send(5, START, identifier="a")
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        send(5, START, identifier="a")
    send(7, START - 34 * DAY)
    for at in (START - 36 * DAY, START + 301):
        with pytest.raises(stripe.InvalidRequestError, match="35 calendar days"):
            send(1, at)
    window: Any = {"customer": shop.customer, "start_time": START - 40 * DAY, "end_time": START + 60}
    assert v1.billing.meters.event_summaries.list(meter.id, window).data[0].aggregated_value == 12
    v1.billing.meter_event_adjustments.create({"event_name": "tokens", "type": "cancel", "cancel": {"identifier": "a"}})
    assert v1.billing.meters.event_summaries.list(meter.id, window).data[0].aggregated_value == 7
