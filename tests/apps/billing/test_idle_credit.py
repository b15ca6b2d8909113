"""Credit and plans that were paid for at once in two currencies: what would lie idle goes back once, and is told of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail as django_mail
from django.test import Client

from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.entitlements import micros_of
from apps.billing.models import BillingAccount, Meter, Order, Overage, Plan, PlanAllowance, PlanRate, StripeOperation
from apps.billing.services import Charge, idle_credit, inbox, orders, outbox, reconcile
from apps.billing.services.accounts import lock_account
from apps.billing.services.credits import balance
from apps.billing.services.payments import write_charge
from apps.core import mail, tenancy
from apps.core.errors import StripeRefused
from tests.apps.billing.test_currency_of_credits import draw
from tests.apps.billing.test_order_of_changes import send_what_waits
from tests.helpers.billing import CARD, choose, forget_trial
from tests.helpers.people import Tenant, audit_of
from tests.helpers.purchases import credits_of, order_of, work
from tests.helpers.stripe_events import post
from tests.helpers.stripe_simulator import SECRET, Simulator
from tests.helpers.threads import together
from workers.billing import DELIVERERS

pytestmark = pytest.mark.django_db(transaction=True)
SUBJECT = "A payment of Org-A for credit has been given back"


@pytest.fixture(autouse=True)
def secret(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


def opened(tenant: Tenant, pack: str) -> Order:
    """A page on which a pack can be paid for."""
    order = billing.buy_credits(tenant.actor, pack)
    billing.checkout_url(tenant.actor, order)
    return order_of(tenant, order)


def both_paid(payments: Simulator, tenant: Tenant) -> list[Order]:
    """Two packs in two currencies, whose pages were open at once."""
    found = [opened(tenant, "credit-usd-1"), opened(tenant, "credit-eur-1")]
    for order in found:
        payments.pay(order.stripe_id)
    return found


def settle(payments: Simulator) -> None:
    """All that follows by itself."""
    for _ in range(3):
        work(payments)
        outbox.send_operations()


def refunds(payments: Simulator) -> list[tuple[int, str]]:
    return [(one.amount, one.currency) for one in payments.client.v1.refunds.list({}).data]


def mails() -> list[tuple[str, str]]:
    django_mail.outbox.clear()
    mail.deliver_due()
    return sorted((message.to[0], message.subject) for message in django_mail.outbox)


def check(payments: Simulator, tenant: Tenant, kept: Order, gone: Order) -> None:
    assert refunds(payments) == [(gone.amount_minor, gone.currency.lower())]
    assert (order_of(tenant, kept).state, order_of(tenant, gone).state) == ("delivered", "reversed")
    with tenancy.scope(tenant.id):
        assert BillingAccount.objects.get().currency == kept.currency
        assert balance(gone.currency) == 0 < balance(kept.currency)
    assert billing.limits_of(tenant.id).terms.currency == kept.currency
    assert [len(audit_of(tenant, name)) for name in ("order.other_currency", "order.given_back")] == [1, 1]
    assert reconcile.reconcile() == []


@pytest.mark.parametrize("at_once", [False, True], ids=["one after the other", "many workers"])
@pytest.mark.parametrize("heard", ["in order", "the second first"])
def test_of_two_packs_one_is_delivered_and_the_other_goes_back_once(
    payments: Simulator, org_a: Tenant, heard: str, at_once: bool
) -> None:
    packs = both_paid(payments, org_a)
    webhooks = payments.webhooks() if heard == "in order" else payments.webhooks()[::-1]
    for webhook in webhooks * 2:
        post(webhook.payload, webhook.signature)
    together([inbox.handle_events] * 3) if at_once else inbox.handle_events()
    settle(payments)
    gone, kept = sorted((order_of(org_a, one) for one in packs), key=lambda order: str(order.state), reverse=True)
    if not at_once:
        assert kept.pk == packs[0 if heard == "in order" else 1].pk
    check(payments, org_a, kept, gone)
    assert [kind for kind, _ in credits_of(org_a)] == ["purchase"]
    assert mails() == [(org_a.owner.email, SUBJECT)]
    assert kept.currency in str(django_mail.outbox[0].body)
    for webhook in webhooks:
        post(webhook.payload, webhook.signature)
    send_what_waits(org_a)
    settle(payments)
    check(payments, org_a, kept, gone)
    assert mails() == []


@pytest.mark.parametrize("first", ["the plan", "the pack", "the pack, delivered"])
def test_a_plan_stays_and_the_pack_in_another_currency_goes_back(
    payments: Simulator, org_a: Tenant, first: str
) -> None:
    forget_trial(org_a)
    pack, plan = opened(org_a, "credit-eur-1"), choose(org_a, currency="USD")
    payments.pay(pack.stripe_id)
    if first == "the pack, delivered":
        work(payments)
    payments.pay(plan.stripe_id, number=CARD)
    webhooks = payments.webhooks()
    for webhook in webhooks[::-1] if first == "the plan" else webhooks:
        post(webhook.payload, webhook.signature)
    inbox.handle_events()
    settle(payments)
    assert refunds(payments) == [(pack.amount_minor, "eur")]
    assert order_of(org_a, pack).state == "reversed"
    with tenancy.scope(org_a.id):
        assert (balance("EUR"), BillingAccount.objects.get().currency) == (0, "USD")
    assert billing.limits_of(org_a.id).terms.currency == "USD"
    assert [one.currency for one in payments.client.v1.subscriptions.list({}).data] == ["usd"]
    assert mails() == [(org_a.owner.email, SUBJECT)]
    settle(payments)
    assert mails() == []


def test_what_was_used_of_it_stays_paid(payments: Simulator, org_a: Tenant) -> None:
    free = Plan.objects.get(code="free")
    PlanAllowance.objects.filter(plan=free, meter=Meter.IMAGES).update(included=0, overage=Overage.STOP)
    PlanRate.objects.filter(plan=free, meter=Meter.IMAGES).update(per=1, price_minor=100)
    forget_trial(org_a)
    pack, plan = opened(org_a, "credit-eur-1"), choose(org_a, currency="USD")
    payments.pay(pack.stripe_id)
    work(payments)
    assert draw(org_a, 3) == 3_000_000
    payments.pay(plan.stripe_id, number=CARD)
    settle(payments)
    with tenancy.scope(org_a.id):
        assert balance("EUR") == 3_000_000
        [left] = [one for one in billing.credits_left(org_a.actor).values() if one.lots] or [None]
    assert left is None
    bought = credits_of(org_a)[0][1]
    unused = pack.amount_minor * (bought - 3_000_000) // bought
    assert refunds(payments) == [(unused, "eur")]
    assert (order_of(org_a, pack).state, order_of(org_a, pack).taken_back_minor) == ("delivered", unused)


def test_work_that_is_held_is_paid_with_it_before_the_rest_goes_back(payments: Simulator, org_a: Tenant) -> None:
    free = Plan.objects.get(code="free")
    PlanAllowance.objects.filter(plan=free, meter=Meter.IMAGES).update(included=0, overage=Overage.STOP)
    PlanRate.objects.filter(plan=free, meter=Meter.IMAGES).update(per=1, price_minor=100)
    forget_trial(org_a)
    pack, plan = opened(org_a, "credit-eur-1"), choose(org_a, currency="USD")
    payments.pay(pack.stripe_id)
    work(payments)
    job = uuid4()
    with tenancy.scope(org_a.id):
        billing.hold(job, {Meter.IMAGES: 3}, billing.limits_of(org_a.id))
    payments.pay(plan.stripe_id, number=CARD)
    settle(payments)
    assert idle_credit.look() == 1
    settle(payments)
    assert refunds(payments) == []
    with tenancy.scope(org_a.id):
        assert billing.settle(job, Charge(quantity=2)).charge_currency == "EUR"
    assert idle_credit.look() == 1
    settle(payments)
    bought = credits_of(org_a)[0][1]
    assert refunds(payments) == [(pack.amount_minor * (bought - 2_000_000) // bought, "eur")]
    with tenancy.scope(org_a.id):
        assert balance("EUR") == 2_000_000
    assert idle_credit.look() == 0


@pytest.mark.parametrize("before", [True, False], ids=["nothing went back", "it went back all the same"])
def test_a_failure_delays_it_and_it_goes_back_once(payments: Simulator, org_a: Tenant, before: bool) -> None:
    kept, gone = both_paid(payments, org_a)
    work(payments)
    payments.do("fail", times=1, matching="POST /v1/refunds", replays="error", before=before)
    outbox.send_operations()
    for _ in range(2):
        send_what_waits(org_a)
    settle(payments)
    check(payments, org_a, kept, gone)
    assert mails() == [(org_a.owner.email, SUBJECT)]


def test_what_stripe_refuses_to_give_back_is_delivered_and_staff_is_told(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kept, gone = both_paid(payments, org_a)

    def refuses(*_: Any, **__: Any) -> None:
        raise StripeRefused("Too little money is left.")

    monkeypatch.setattr(gateway, "give_back", refuses)
    settle(payments)
    assert order_of(org_a, gone).state == "delivered"
    assert (audit_of(org_a, "order.given_back"), mails()) == ([], [])
    [entry] = audit_of(org_a, "billing.operation_unknown")
    assert entry.detail["kind"] == "give_back"
    for _ in range(2):
        orders.deliver_due(DELIVERERS)
        billing.refresh(org_a.id)
    with tenancy.scope(org_a.id):
        assert StripeOperation.objects.filter(kind="give_back").count() == 1


def test_what_went_back_in_part_before_is_delivered_where_the_rest_cannot_go_back(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kept, gone = both_paid(payments, org_a)
    work(payments)
    intent = order_of(org_a, gone).intent_id
    payments.client.v1.refunds.create({"payment_intent": intent, "amount": gone.amount_minor // 2})
    work(payments)
    assert (order_of(org_a, gone).state, order_of(org_a, gone).delivered_at) == ("paid", None)

    def refuses(*_: Any, **__: Any) -> None:
        raise StripeRefused("Too little money is left.")

    monkeypatch.setattr(gateway, "give_back", refuses)
    settle(payments)
    assert order_of(org_a, gone).state == "delivered"
    with tenancy.scope(org_a.id):
        assert balance("EUR") == int(micros_of(gone.terms["credit_minor"], "EUR")) // 2


def test_a_refund_that_the_bank_sends_back_leaves_the_credit(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = both_paid(payments, org_a)
    settle(payments)
    check(payments, org_a, kept, gone)
    [charge] = [one for one in payments.client.v1.charges.list({}).data if one.currency == "eur"]
    get = gateway.get_charge
    monkeypatch.setattr(gateway, "get_charge", lambda id: replace(get(id), refunded_minor=0))
    with tenancy.scope(org_a.id):
        write_charge(lock_account(org_a.id), gateway.get_charge(charge.id))
    for _ in range(2):
        orders.deliver_due(DELIVERERS)
    assert order_of(org_a, gone).state == "delivered"
    assert [kind for kind, _ in credits_of(org_a)] == ["purchase", "purchase"]


def test_a_pack_in_another_currency_is_told_of_on_its_page(payments: Simulator, org_a: Tenant, client_of: Any) -> None:
    kept, gone = both_paid(payments, org_a)
    work(payments)
    page = client_of(org_a.owner).get(f"/settings/billing/orders/{gone.pk}/").content.decode()
    assert "What you cannot use of this credit is given back" in page
    page = client_of(org_a.owner).get(f"/settings/billing/orders/{kept.pk}/").content.decode()
    assert "is given back" not in page


def test_what_is_bought_in_another_currency_and_is_no_credit_stays_and_decides_nothing(
    payments: Simulator, org_a: Tenant
) -> None:
    bought = opened(org_a, "credit-usd-1")
    licence = billing.start_order(
        org_a.actor, kind="licence", item_id=bought.pk, name="Writer", currency="EUR", amount_minor=5_000
    )
    billing.checkout_url(org_a.actor, licence)
    payments.pay(order_of(org_a, licence).stripe_id)
    payments.deliver(Client())
    inbox.handle_events()
    choose(org_a, currency="CNY")
    payments.pay(bought.stripe_id)
    payments.deliver(Client())
    inbox.handle_events()
    outbox.send_operations()
    assert refunds(payments) == []
    assert order_of(org_a, licence).state == "paid"
    assert billing.limits_of(org_a.id).terms.currency == "USD"
