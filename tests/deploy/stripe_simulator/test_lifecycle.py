"""A subscription from its trial to its end, on a test clock: renewals, changes, previews, cards that stop paying."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
import stripe

from deploy.stripe_simulator.periods import add_months
from tests.deploy.stripe_simulator.conftest import DAY, START, Shop, give_card

MONTHLY, YEARLY = 1999, 19_990


def item_of(subscription: Any) -> Any:
    return subscription["items"].data[0]


def half_away(value: Fraction) -> int:
    return int(value + Fraction(1, 2)) if value >= 0 else -int(-value + Fraction(1, 2))


def amounts(invoice: Any) -> list[int]:
    return [line.amount for line in invoice.lines.data]


def test_a_year_of_months_with_seats_going_up_and_down(shop: Shop) -> None:
    made = shop.subscribe(quantity=3)
    assert made.status == "active"
    paid, seats = MONTHLY * 3, 3
    for month in range(1, 13):
        start, end = add_months(START, month - 1), add_months(START, month)
        middle = start + 10 * DAY + 3_601
        shop.to(middle)
        wanted = {3: 8, 6: 2, 9: 5}.get(month, seats)
        credit = -half_away(Fraction(MONTHLY * seats * (end - middle), end - start))
        charge = half_away(Fraction(MONTHLY * wanted * (end - middle), end - start))
        shop.v1.subscriptions.update(made.id, {"items": [{"id": item_of(made).id, "quantity": wanted}]})
        preview = shop.v1.invoices.create_preview({"subscription": made.id})
        shop.to(end + 3_601)
        invoice = shop.invoices()[-1]
        changed = [credit, charge] if wanted != seats else []
        assert amounts(invoice) == amounts(preview) == [*changed, MONTHLY * wanted]
        assert (invoice.total, invoice.status) == (preview.total, "paid")
        assert item_of(shop.v1.subscriptions.retrieve(made.id)).current_period_start == end
        paid, seats = paid + invoice.total, wanted
    assert sum(item.amount_paid for item in shop.invoices()) == paid
    numbers = [item.number.rpartition("-")[2] for item in shop.invoices()]
    assert numbers == [f"{number:04}" for number in range(1, 14)]
    assert {line.period.end for line in shop.invoices()[-1].lines.data} == {add_months(START, 13)}


@pytest.mark.parametrize("price", ["monthly", "yearly"])
@pytest.mark.parametrize("quantity", [2, 9])
def test_what_is_previewed_is_billed_at_once(shop: Shop, price: str, quantity: int) -> None:
    made = shop.subscribe(getattr(shop, price), quantity=5)
    shop.to(START + 12 * DAY + 77)
    change: Any = {"items": [{"id": item_of(made).id, "quantity": quantity}], "proration_behavior": "always_invoice"}
    preview = shop.v1.invoices.create_preview(
        {"subscription": made.id, "subscription_details": change | {"proration_date": START + 12 * DAY}}
    )
    assert shop.v1.subscriptions.retrieve(made.id)["items"].data[0].quantity == 5
    shop.v1.subscriptions.update(made.id, change | {"proration_date": START + 12 * DAY})
    invoice = shop.invoices()[-1]
    assert amounts(invoice) == amounts(preview)
    assert [line.description for line in invoice.lines.data] == [line.description for line in preview.lines.data]
    assert all(line.parent.subscription_item_details.proration for line in invoice.lines.data)
    assert (invoice.total, invoice.amount_due, invoice.status) == (preview.total, preview.amount_due, "paid")
    if quantity < 5:  # the credit waits for the next invoice
        assert invoice.amount_due == 0
        assert shop.v1.customers.retrieve(shop.customer).balance == invoice.total < 0
        following = shop.v1.invoices.create_preview({"subscription": made.id})
        assert following.amount_due == max(0, following.total + invoice.total)


def test_another_interval_begins_a_new_period_and_credits_the_old(shop: Shop) -> None:
    made = shop.subscribe()
    at = START + 11 * DAY
    shop.to(at)
    change: Any = {"items": [{"id": item_of(made).id, "price": shop.yearly}]}
    preview = shop.v1.invoices.create_preview({"subscription": made.id, "subscription_details": change})
    changed = shop.v1.subscriptions.update(made.id, change)
    invoice = shop.invoices()[-1]
    credit = -half_away(Fraction(MONTHLY * 20, 31))
    assert amounts(invoice) == amounts(preview) == [credit, YEARLY]
    assert changed.billing_cycle_anchor == at
    assert item_of(changed).current_period_end == add_months(at, 12)
    assert datetime.fromtimestamp(item_of(changed).current_period_end, UTC).year == 2027


def test_a_change_that_is_not_paid_is_undone_on_demand(shop: Shop) -> None:
    made = shop.subscribe()
    give_card(shop, "pm_card_chargeCustomerFail")
    change: Any = {"items": [{"id": item_of(made).id, "quantity": 4}], "proration_behavior": "always_invoice"}
    with pytest.raises(stripe.CardError) as refused:
        shop.v1.subscriptions.update(made.id, change | {"payment_behavior": "error_if_incomplete"})
    assert (refused.value.code, refused.value.http_status) == ("card_declined", 402)
    kept = shop.v1.subscriptions.retrieve(made.id)
    assert (item_of(kept).quantity, kept.status, len(shop.invoices())) == (1, "active", 1)


# ---------------------------------------------------------------- trials


def test_a_trial_ends_with_a_warning_and_the_first_real_invoice(shop: Shop) -> None:
    made = shop.subscribe(trial_period_days=14)
    assert (made.status, shop.invoices()[0].total) == ("trialing", 0)
    shop.simulator.webhooks()
    shop.to(START + 11 * DAY)
    assert "customer.subscription.trial_will_end" in [webhook.type for webhook in shop.simulator.webhooks()]
    shop.to(START + 14 * DAY + 3_601)
    assert shop.v1.subscriptions.retrieve(made.id).status == "active"
    assert [item.total for item in shop.invoices()] == [0, MONTHLY]


@pytest.mark.parametrize(("behavior", "status"), [("cancel", "canceled"), ("pause", "paused")])
def test_a_trial_without_a_card_ends_as_it_was_agreed(shop: Shop, behavior: str, status: str) -> None:
    v1 = shop.v1
    bare = v1.customers.create({"test_clock": shop.clock})
    made = v1.subscriptions.create(
        {
            "customer": bare.id,
            "items": [{"price": shop.monthly}],
            "trial_period_days": 7,
            "trial_settings": {"end_behavior": {"missing_payment_method": behavior}},
        }
    )
    shop.to(START + 8 * DAY)
    assert v1.subscriptions.retrieve(made.id).status == status
    if status == "paused":
        method = v1.payment_methods.attach("pm_card_visa", {"customer": bare.id})
        v1.customers.update(bare.id, {"invoice_settings": {"default_payment_method": method.id}})
        assert v1.subscriptions.resume(made.id).status == "active"
        assert v1.invoices.list({"customer": bare.id}).data[0].amount_paid == MONTHLY


# ---------------------------------------------------------------- cards that do not pay


@pytest.mark.parametrize("ending", ["unpaid", "canceled"])
def test_a_card_that_declines_is_asked_again_until_it_is_given_up(shop: Shop, ending: str) -> None:
    shop.simulator.do("billing", after_retries=ending)
    made = shop.subscribe()
    give_card(shop, "pm_card_chargeCustomerFail")
    renewal = add_months(START, 1) + 3_600
    shop.to(renewal)
    invoice = shop.invoices()[-1]
    assert (invoice.status, invoice.attempt_count) == ("open", 1)
    assert shop.v1.subscriptions.retrieve(made.id).status == "past_due"
    assert invoice.next_payment_attempt == renewal + DAY
    shop.to(renewal + (1 + 3 + 5) * DAY)
    assert shop.v1.subscriptions.retrieve(made.id).status == "past_due"
    shop.to(renewal + (1 + 3 + 5 + 7) * DAY)
    ended = shop.v1.subscriptions.retrieve(made.id)
    assert (ended.status, shop.invoices()[-1].attempt_count) == (ending, 5)
    if ending == "canceled":
        assert ended.cancellation_details.reason == "payment_failed"


def test_a_better_card_makes_it_active_again(shop: Shop) -> None:
    made = shop.subscribe()
    card = shop.v1.customers.retrieve(shop.customer).invoice_settings.default_payment_method
    shop.simulator.do("decline", payment_method=card, reason="card_declined/insufficient_funds")
    shop.to(add_months(START, 1) + 3_600)
    invoice = shop.invoices()[-1]
    with pytest.raises(stripe.CardError) as refused:
        shop.v1.invoices.pay(invoice.id)
    assert refused.value.error.decline_code == "insufficient_funds"
    give_card(shop, "pm_card_visa")
    assert shop.v1.invoices.pay(invoice.id).status == "paid"
    assert shop.v1.subscriptions.retrieve(made.id).status == "active"


def test_a_first_payment_that_fails_leaves_it_incomplete_for_23_hours(shop: Shop) -> None:
    give_card(shop, "pm_card_chargeCustomerFail")
    made = shop.subscribe(expand=["latest_invoice.payments"])
    assert made.status == "incomplete"
    shop.to(START + 22 * 3600)
    assert shop.v1.subscriptions.retrieve(made.id).status == "incomplete"
    shop.to(START + 24 * 3600)
    assert shop.v1.subscriptions.retrieve(made.id).status == "incomplete_expired"
    assert shop.invoices()[0].status == "void"


def test_a_bank_that_asks_the_owner_is_answered_on_the_page(shop: Shop) -> None:
    give_card(shop, "pm_card_authenticationRequired")
    made = shop.subscribe(expand=["latest_invoice.payments.data.payment.payment_intent"])
    intent = made.latest_invoice.payments.data[0].payment.payment_intent
    assert (made.status, intent.status) == ("incomplete", "requires_action")
    page = shop.simulator._http.post(intent.next_action.redirect_to_url.url, data={"answer": "yes"})
    assert page.status_code == 200
    assert shop.v1.subscriptions.retrieve(made.id).status == "active"


# ---------------------------------------------------------------- ends and pauses


def test_it_ends_with_its_period(shop: Shop) -> None:
    made = shop.subscribe()
    leaving = shop.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    assert (leaving.status, leaving.cancel_at) == ("active", add_months(START, 1))
    kept = shop.v1.subscriptions.update(made.id, {"cancel_at_period_end": False})
    assert (kept.cancel_at, kept.canceled_at) == (None, None)
    shop.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    shop.to(add_months(START, 1) + DAY)
    assert shop.v1.subscriptions.retrieve(made.id).status == "canceled"
    assert len(shop.invoices()) == 1
    assert shop.v1.subscriptions.list({"customer": shop.customer}).data == []


def test_it_ends_at_once_with_the_rest_given_back(shop: Shop) -> None:
    made = shop.subscribe()
    shop.to(START + 1 * DAY)
    assert shop.v1.subscriptions.cancel(made.id, {"invoice_now": True, "prorate": True}).status == "canceled"
    rest = half_away(Fraction(MONTHLY * 30, 31))
    assert shop.invoices()[-1].total == -rest
    assert shop.v1.customers.retrieve(shop.customer).balance == -rest


def test_a_pause_of_collection_voids_what_it_bills(shop: Shop) -> None:
    made = shop.subscribe()
    until = add_months(START, 2) - DAY
    shop.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": "void", "resumes_at": until}})
    shop.to(add_months(START, 1) + DAY)
    assert [item.status for item in shop.invoices()] == ["paid", "void"]
    shop.to(add_months(START, 2) + DAY)
    assert [item.status for item in shop.invoices()] == ["paid", "void", "paid"]
    assert shop.v1.subscriptions.retrieve(made.id).pause_collection is None


def test_a_test_clock_goes_two_periods_at_most(shop: Shop) -> None:
    shop.subscribe()
    with pytest.raises(stripe.InvalidRequestError, match="two intervals"):
        shop.to(add_months(START, 3))
    with pytest.raises(stripe.InvalidRequestError, match="later"):
        shop.to(START - 1)


def test_items_can_be_changed_by_calls_of_their_own(shop: Shop) -> None:
    made = shop.subscribe()
    extra = shop.v1.prices.create(
        {"product_data": {"name": "Extra"}, "currency": "usd", "unit_amount": 310, "recurring": {"interval": "month"}}
    )
    items = shop.v1.subscription_items
    shop.to(START + 1 * DAY)
    added = items.create({"subscription": made.id, "price": extra.id, "quantity": 2})
    assert [item.id for item in items.list({"subscription": made.id}).data] == [added.id, item_of(made).id]
    items.update(added.id, {"quantity": 1, "proration_behavior": "none"})
    items.delete(added.id)
    assert len(shop.v1.subscriptions.retrieve(made.id)["items"].data) == 1
    waiting = shop.v1.invoice_items.list({"customer": shop.customer, "pending": True}).data
    assert sorted(item.amount for item in waiting) == [-600, 600]  # what was billed for both is given back


def test_a_trial_whose_place_is_unknown_cannot_be_billed_and_time_goes_on(shop: Shop) -> None:
    shop.v1.customers.update(shop.customer, {"address": {"country": "DE"}})
    made = shop.subscribe(trial_period_days=3, automatic_tax={"enabled": True})
    shop.v1.customers.update(shop.customer, {"address": ""})
    shop.simulator.webhooks()
    shop.to(START + 4 * DAY)
    assert shop.invoices()[-1].status == "draft"
    assert "invoice.finalization_failed" in [webhook.type for webhook in shop.simulator.webhooks()]
    assert shop.v1.subscriptions.retrieve(made.id).status == "active"
    assert shop.simulator.do("state")["faults"] == []
