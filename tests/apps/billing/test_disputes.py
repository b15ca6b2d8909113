"""Refunds and disputes of what was bought: credit goes as often as the money does, and comes back as often."""

import random
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from apps.billing import gateway
from apps.billing.models import Order
from apps.billing.services import inbox, orders, reconcile
from tests.helpers.people import Tenant, audit_of, events_of
from tests.helpers.purchases import buy_credits, credits_of, dispute, order_of, payment_of, work
from tests.helpers.stripe_events import post
from tests.helpers.stripe_simulator import SECRET, Simulator
from tests.helpers.threads import together
from workers.billing import DELIVERERS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def secret(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


def balance(tenant: Tenant) -> int:
    return sum(amount for _, amount in credits_of(tenant))


def kinds(tenant: Tenant) -> list[str]:
    return [kind for kind, _ in credits_of(tenant)]


def refund(payments: Simulator, tenant: Tenant, **how: Any) -> None:
    payments.client.v1.refunds.create({"charge": payment_of(tenant).stripe_id, **how})


def decide(payments: Simulator, id: str, status: str) -> None:
    payments.do("disputes/close", dispute=id, status=status)


def test_a_dispute_takes_credits_and_what_is_won_gives_them_back_once(payments: Simulator, org_a: Tenant) -> None:
    order = buy_credits(payments, org_a)
    bought = balance(org_a)
    found = dispute(payments, org_a)
    assert "charge.dispute.funds_withdrawn" in work(payments)
    assert (payment_of(org_a).dispute_status, payment_of(org_a).disputed_minor) == ("needs_response", 1_000)
    assert (order_of(org_a, order).state, balance(org_a), kinds(org_a)) == ("reversed", 0, ["purchase", "clawback"])
    decide(payments, found, "won")
    assert "charge.dispute.funds_reinstated" in work(payments)
    for _ in range(2):
        work(payments)
        assert reconcile.reconcile() == []
        orders.deliver_due(DELIVERERS)
    assert (order_of(org_a, order).state, balance(org_a)) == ("delivered", bought)
    assert kinds(org_a) == ["purchase", "clawback", "grant"]
    assert events_of(org_a).count("order.reversed") == 2
    assert len(audit_of(org_a, "credits.taken_back")) == 1


def test_a_dispute_that_is_lost_takes_nothing_more(payments: Simulator, org_a: Tenant) -> None:
    order = buy_credits(payments, org_a)
    found = dispute(payments, org_a)
    work(payments)
    decide(payments, found, "lost")
    assert "charge.dispute.closed" in work(payments)
    assert payment_of(org_a).dispute_status == "lost"
    assert (balance(org_a), kinds(org_a)) == (0, ["purchase", "clawback"])
    assert order_of(org_a, order).state == "reversed"


def test_evidence_that_is_under_review_changes_nothing(payments: Simulator, org_a: Tenant) -> None:
    buy_credits(payments, org_a)
    found = dispute(payments, org_a)
    work(payments)
    payments.client.v1.disputes.update(found, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True})
    work(payments)
    assert payment_of(org_a).dispute_status == "under_review"
    assert kinds(org_a) == ["purchase", "clawback"]
    payments.advance(days=6)
    work(payments)
    assert kinds(org_a) == ["purchase", "clawback", "grant"]


def test_a_bank_that_only_asks_takes_nothing(payments: Simulator, org_a: Tenant) -> None:
    order = buy_credits(payments, org_a)
    bought = balance(org_a)
    found = dispute(payments, org_a, inquiry=True)
    types = work(payments)
    assert "charge.dispute.created" in types
    assert "charge.dispute.funds_withdrawn" not in types
    payment = payment_of(org_a)
    assert (payment.dispute_status, payment.disputed_minor) == ("warning_needs_response", 0)
    decide(payments, found, "warning_closed")
    work(payments)
    assert (order_of(org_a, order).state, balance(org_a), kinds(org_a)) == ("delivered", bought, ["purchase"])


def test_an_inquiry_that_becomes_a_dispute_takes_once(payments: Simulator, org_a: Tenant) -> None:
    buy_credits(payments, org_a)
    found = dispute(payments, org_a, inquiry=True)
    work(payments)
    payments.do("disputes/escalate", dispute=found)
    work(payments)
    assert payment_of(org_a).disputed_minor == 1_000
    decide(payments, found, "lost")
    work(payments)
    assert (balance(org_a), kinds(org_a)) == (0, ["purchase", "clawback"])


def test_a_refund_answers_an_inquiry_and_takes_once(payments: Simulator, org_a: Tenant) -> None:
    buy_credits(payments, org_a)
    dispute(payments, org_a, inquiry=True)
    work(payments)
    refund(payments, org_a)
    work(payments)
    assert payment_of(org_a).dispute_status == "warning_closed"
    assert (balance(org_a), kinds(org_a)) == (0, ["purchase", "clawback"])
    assert reconcile.reconcile() == []


def test_half_refunded_and_the_rest_disputed_is_all_of_it_and_no_more(payments: Simulator, org_a: Tenant) -> None:
    order = buy_credits(payments, org_a)
    bought = balance(org_a)
    refund(payments, org_a, amount=400)
    work(payments)
    assert balance(org_a) == bought * 6 // 10
    found = dispute(payments, org_a)
    work(payments)
    payment = payment_of(org_a)
    assert (payment.refunded_minor, payment.disputed_minor) == (400, 600)
    assert (order_of(org_a, order).reversed_minor, balance(org_a)) == (1_000, 0)
    decide(payments, found, "won")
    work(payments)
    assert (order_of(org_a, order).reversed_minor, balance(org_a)) == (400, bought * 6 // 10)
    assert kinds(org_a) == ["purchase", "clawback", "clawback", "grant"]


def test_a_refund_whose_charge_is_disputed_for_all_of_it_never_takes_twice(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe lets a bank dispute the whole of a charge of which half was refunded: the sum is then above the charge."""
    order = buy_credits(payments, org_a)
    refund(payments, org_a, amount=500)
    dispute(payments, org_a)
    get = gateway.get_charge
    monkeypatch.setattr(gateway, "get_charge", lambda id: replace(get(id), disputed_minor=1_000))
    work(payments)
    assert payment_of(org_a).refunded_minor + payment_of(org_a).disputed_minor == 1_500
    assert (order_of(org_a, order).reversed_minor, balance(org_a)) == (1_000, 0)


def paid(payments: Simulator, tenant: Tenant) -> Order:
    """An order that is paid, and not delivered yet."""
    order = orders.buy_credits(tenant.actor, "credit-usd-1")
    orders.checkout_url(tenant.actor, order)
    payments.pay(order_of(tenant, order).stripe_id)
    payments.deliver(Client())
    inbox.handle_events()
    return order


def test_disputed_before_it_was_delivered_it_never_is(payments: Simulator, org_a: Tenant) -> None:
    order = paid(payments, org_a)
    dispute(payments, org_a)
    payments.deliver(Client())
    inbox.handle_events()
    orders.deliver_due(DELIVERERS)
    assert (order_of(org_a, order).state, credits_of(org_a)) == ("reversed", [])


def test_won_before_it_was_delivered_it_is_delivered(payments: Simulator, org_a: Tenant) -> None:
    order = paid(payments, org_a)
    found = dispute(payments, org_a)
    payments.deliver(Client())
    inbox.handle_events()
    orders.deliver_due(DELIVERERS)
    decide(payments, found, "won")
    payments.deliver(Client())
    inbox.handle_events()
    for _ in range(2):
        orders.deliver_due(DELIVERERS)
    assert (order_of(org_a, order).state, kinds(org_a)) == ("delivered", ["purchase"])


def test_whatever_order_its_events_come_in_a_won_dispute_leaves_the_credit(payments: Simulator, org_a: Tenant) -> None:
    buy_credits(payments, org_a)
    bought, chance = balance(org_a), random.Random(3)
    for turn in range(4):
        found = dispute(payments, org_a)
        first = payments.webhooks()
        decide(payments, found, "won")
        webhooks = [*first, *payments.webhooks()]
        chance.shuffle(webhooks)
        for at in range(0, len(webhooks), 2):
            for webhook in webhooks[at : at + 2]:
                post(webhook.payload, webhook.signature)
            together([inbox.handle_events] * 2)
            together([lambda: orders.deliver_due(DELIVERERS)] * 2)
        assert balance(org_a) == bought, f"turn {turn}"
    assert credits_of(org_a)[0][0] == "purchase"
    assert sum(1 for kind in kinds(org_a) if kind == "clawback") == sum(1 for kind in kinds(org_a) if kind == "grant")
