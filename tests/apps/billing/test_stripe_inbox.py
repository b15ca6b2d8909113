"""Webhooks in: only what Stripe signed just now is stored, once; what follows is what Stripe has, in whatever order."""

import json
import random
import time
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from apps.billing import gateway
from apps.billing.models import Invoice, Status, StripeEvent, Subscription
from apps.billing.services import inbox, mirrors, orders, outbox, reconcile
from apps.billing.transitions import STEPS, is_legal
from apps.core import metrics, tenancy
from apps.core.errors import PaymentsUnavailable
from tests.helpers.billing import choose, forget_trial, invoices_of, subscribe, subscription_of
from tests.helpers.people import Tenant, audit_of, events_of
from tests.helpers.purchases import buy_credits, credits_of
from tests.helpers.stripe_events import event, outcomes, post, send, sign
from tests.helpers.stripe_simulator import SECRET, Simulator
from tests.helpers.threads import together
from workers.billing import DELIVERERS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def secret(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


def deliver(simulator: Simulator) -> list[str]:
    """Posts what waits as Stripe would, then does a worker's part."""
    types = simulator.deliver(Client())
    inbox.handle_events()
    return types


# ---------------------------------------------------------------- signatures
def test_an_event_is_stored_once_and_answered(db: Any) -> None:
    assert [send(event()).status_code for _ in range(3)] == [200, 200, 200]
    [row] = StripeEvent.objects.all()
    assert (row.event_id, row.type, row.object_kind, row.object_id) == ("evt_1", "invoice.created", "invoice", "in_1")


WRONG: dict[str, Any] = {
    "missing": lambda body: None,
    "empty": lambda body: "",
    "nonsense": lambda body: "v1=,t=",
    "forged": lambda body: sign(body, secret="whsec_of_somebody_else"),
    "of another body": lambda body: sign(body + " "),
    "stale": lambda body: sign(body, at=time.time() - 301),
    "from the future": lambda body: sign(body, at=time.time() + 90),
    "a day ahead": lambda body: sign(body, at=time.time() + 86_400),
    "of another scheme": lambda body: sign(body).replace("v1=", "v0="),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_was_not_signed_just_now_is_refused_and_leaves_nothing(how: str) -> None:
    body = json.dumps(event())
    before = metrics.STRIPE_REFUSED._value.get()
    answer = post(body, WRONG[how](body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "signature_refused")
    assert not StripeEvent.objects.exists()
    assert metrics.STRIPE_REFUSED._value.get() == before + 1


def test_a_clock_that_is_a_little_ahead_is_no_forgery() -> None:
    assert send(event(), at=time.time() + 30).status_code == 200


def test_both_secrets_count_while_one_replaces_the_other(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", SECRET]
    assert send(event("evt_1"), secret="whsec_new").status_code == 200
    assert send(event("evt_2")).status_code == 200
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new"]
    assert send(event("evt_3")).status_code == 400


@pytest.mark.parametrize("body", ["[]", "{", "{}", '{"object": "v2.core.event"}', "\x00"])
def test_a_signed_body_that_is_no_event_is_refused(body: str) -> None:
    assert post(body, sign(body)).status_code == 400
    assert not StripeEvent.objects.exists()


def test_a_body_of_bytes_that_are_no_text_is_refused() -> None:
    answer = Client().post(
        "/webhooks/stripe", data=b"\xff\xfe", content_type="application/json", headers={"stripe-signature": "t=1,v1=a"}
    )
    assert answer.status_code == 400


def test_a_body_without_end_is_not_read() -> None:
    body = " " * (1_048_576 + 1)
    assert post(body, sign(body)).status_code == 413


def test_an_event_of_the_other_mode_is_kept_and_not_acted_upon() -> None:
    assert send(event(livemode=True)).status_code == 200
    assert outcomes() == {"evt_1": "other mode"}


def test_an_event_that_nobody_uses_is_kept_as_such() -> None:
    assert send(event(type="product.created", object={"object": "product", "id": "prod_1"})).status_code == 200
    assert outcomes() == {"evt_1": "not used"}


def test_a_customer_of_nobody_here_changes_nothing(payments: Simulator) -> None:
    other = payments.client.v1.customers.create({"name": "of another application"})
    send(event(object={"object": "customer", "id": other.id}))
    inbox.handle_events()
    assert outcomes() == {"evt_1": "of nobody here"}


# ---------------------------------------------------------------- once, in any order
def test_the_same_event_a_hundred_times_at_once_has_one_effect(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    payments.webhooks()
    row = subscription_of(org_a)
    payments.client.v1.subscriptions.update(row.stripe_id, {"cancel_at_period_end": True})
    [webhook] = [found for found in payments.webhooks() if found.type == "customer.subscription.updated"]
    answers = together([lambda: post(webhook.payload, webhook.signature).status_code] * 100)
    assert set(answers) == {200}
    assert StripeEvent.objects.count() == 1
    changes = events_of(org_a).count("subscription.changed")
    together([inbox.handle_events] * 8)
    after = subscription_of(org_a)
    assert (after.cancel_at is not None, after.version) == (True, row.version + 1)
    assert events_of(org_a).count("subscription.changed") <= changes + 1
    assert StripeEvent.objects.get().outcome == "written"


def test_events_that_are_handled_while_things_change_end_in_the_same_state(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a)
    update = payments.client.v1.subscriptions.update
    chance = random.Random(11)
    for turn in range(12):
        update(row.stripe_id, {"cancel_at_period_end": bool(turn % 2)})
        webhooks = payments.webhooks()
        chance.shuffle(webhooks)
        for webhook in webhooks[: chance.randint(0, len(webhooks))] * 2:
            post(webhook.payload, webhook.signature)
        if chance.random() < 0.6:
            together([inbox.handle_events] * 2)
    reconcile.reconcile()
    assert subscription_of(org_a).cancel_at is not None
    assert not StripeEvent.objects.filter(handled_at=None).exists()


def test_a_worker_that_dies_in_the_middle_leaves_the_event_to_the_next(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_trial(org_a)
    payments.pay(choose(org_a).stripe_id)
    payments.deliver(Client())

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    for place in ("lock_account", "_done"):
        with monkeypatch.context() as patch:
            patch.setattr(inbox, place, killed)
            with pytest.raises(Killed):
                inbox.handle_events()
        StripeEvent.objects.filter(handled_at=None).update(next_at=timezone.now())
    inbox.handle_events()
    assert subscription_of(org_a).status == Status.ACTIVE
    assert not StripeEvent.objects.filter(handled_at=None).exists()
    assert len(invoices_of(org_a)) == 1
    assert len(payments.client.v1.charges.list({}).data) == 1


def test_stripe_that_does_not_answer_is_asked_again_later(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = subscribe(payments, org_a)
    payments.webhooks()
    payments.client.v1.subscriptions.cancel(row.stripe_id)
    payments.deliver(Client())

    def silent(id: str) -> None:
        raise PaymentsUnavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "get_subscription", silent)
        inbox.handle_events()
    waiting = StripeEvent.objects.get(type="customer.subscription.deleted")
    assert (waiting.handled_at, waiting.attempts) == (None, 1)
    assert "no answer" in waiting.problem
    assert waiting.next_at > timezone.now()
    StripeEvent.objects.filter(handled_at=None).update(next_at=timezone.now())
    inbox.handle_events()
    assert subscription_of(org_a).status == Status.CANCELED


# ---------------------------------------------------------------- our own outage, and drift
def test_three_days_without_us_end_in_the_same_state(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a)
    deliver(payments)
    reconcile.reconcile()
    payments.client.v1.subscriptions.update(row.stripe_id, {"cancel_at_period_end": True})
    payments.client.v1.subscriptions.cancel(row.stripe_id)
    assert payments.webhooks(), "these never reach us"
    assert subscription_of(org_a).status == Status.ACTIVE
    missed = metrics.STRIPE_MISSED._value.get()
    assert reconcile.reconcile() == [], "events that were missed are no drift"
    assert subscription_of(org_a).status == Status.CANCELED
    assert metrics.STRIPE_MISSED._value.get() > missed
    assert reconcile.reconcile() == []


def test_a_copy_that_was_changed_by_hand_is_told_of_and_mended(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    deliver(payments)
    assert reconcile.reconcile() == []
    with tenancy.scope(org_a.id):
        Invoice.objects.update(paid_minor=F("paid_minor") - 1)
    [drift] = reconcile.reconcile()
    assert (drift.organization_id, drift.kind) == (org_a.id, "invoice")
    assert "paid_minor" in drift.places[0]
    assert audit_of(org_a, "billing.drift_mended")[0].detail["kind"] == "invoice"
    assert reconcile.reconcile() == []
    [invoice] = invoices_of(org_a)
    assert invoice.paid_minor == invoice.total_minor


def test_a_second_live_subscription_is_ended_and_its_money_given_back(payments: Simulator, org_a: Tenant) -> None:
    first = subscribe(payments, org_a)
    [at_stripe] = payments.client.v1.subscriptions.list({}).data
    items = [{"price": item.price.id, "quantity": item.quantity} for item in at_stripe["items"].data]
    made = {"customer": at_stripe.customer, "items": items, "default_payment_method": at_stripe.default_payment_method}
    second = payments.client.v1.subscriptions.create(made)
    deliver(payments)
    assert audit_of(org_a, "subscription.second_ended")
    outbox.send_operations()
    deliver(payments)
    assert payments.client.v1.subscriptions.retrieve(second.id).status == "canceled"
    assert payments.client.v1.subscriptions.retrieve(first.stripe_id).status == "active"
    [refund] = payments.client.v1.refunds.list({}).data
    assert refund.amount == 2_900
    assert len(audit_of(org_a, "subscription.second_ended")) == 1
    with tenancy.scope(org_a.id):
        assert Subscription.objects.filter(is_live=True).get().stripe_id == first.stripe_id


# ---------------------------------------------------------------- refunds and disputes
def test_a_refund_takes_credits_back_once(payments: Simulator, org_a: Tenant) -> None:
    order = buy_credits(payments, org_a)
    assert order.state == "delivered"
    [(kind, bought)] = credits_of(org_a)
    assert kind == "purchase"
    half = order.amount_minor // 2
    payments.client.v1.refunds.create({"payment_intent": order.intent_id, "amount": half})
    webhooks = payments.webhooks()
    for webhook in [*webhooks, *reversed(webhooks)]:
        post(webhook.payload, webhook.signature)
    together([inbox.handle_events] * 3)
    together([lambda: orders.deliver_due(DELIVERERS)] * 3)
    order = orders.get_order(org_a.actor, order.pk)
    assert (order.reversed_minor, order.taken_back_minor, order.state) == (half, half, "delivered")
    assert credits_of(org_a)[1:] == [("clawback", -bought * half // order.amount_minor)]
    payments.client.v1.refunds.create({"payment_intent": order.intent_id})
    deliver(payments)
    orders.deliver_due(DELIVERERS)
    order = orders.get_order(org_a.actor, order.pk)
    assert (order.state, sum(amount for _, amount in credits_of(org_a))) == ("reversed", 0)
    assert reconcile.reconcile() == []
    orders.deliver_due(DELIVERERS)
    assert len(credits_of(org_a)) == 3


def test_every_change_of_status_is_in_the_table() -> None:
    assert set(STEPS) == set(Status)
    assert is_legal(Status.INCOMPLETE, Status.PAST_DUE), "paid and failed again, between two looks"
    assert not is_legal(Status.CANCELED, Status.ACTIVE)
    assert not is_legal(Status.ACTIVE, Status.INCOMPLETE)


def test_a_change_that_should_not_happen_is_written_and_counted(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    with tenancy.scope(org_a.id):
        Subscription.objects.exclude(stripe_id="").update(status=Status.CANCELED)
    before = metrics.STRIPE_ILLEGAL_CHANGES._value.get()
    mirrors.refresh(org_a.id)
    assert subscription_of(org_a).status == Status.ACTIVE
    assert metrics.STRIPE_ILLEGAL_CHANGES._value.get() == before + 1
