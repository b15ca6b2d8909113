"""Two plans that were paid for in two currencies: one stays, and the other's money goes back once, and is told of."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail as django_mail
from django.test import Client

from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.models import BillingAccount, PlanCheckout, Subscription
from apps.billing.services import inbox, outbox
from apps.billing.services.catalogue import prices_at_stripe
from apps.billing.services.checkouts import sold_price
from apps.billing.services.notices import tell_of_subscriptions
from apps.core import mail, tenancy
from apps.core.errors import StripeRefused
from tests.apps.billing.test_order_of_changes import send_what_waits
from tests.helpers.billing import CARD, choose, forget_trial
from tests.helpers.people import Tenant, audit_of
from tests.helpers.stripe_events import post
from tests.helpers.stripe_simulator import SECRET, Simulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def secret(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


def second_page(tenant: Tenant, currency: str = "EUR", plan: str = "pro") -> gateway.Page:
    """A page in another currency that is still open at Stripe, though no row of ours is open for it any more."""
    price = sold_price(plan, "month", currency)
    with tenancy.scope(tenant.id):
        customer = BillingAccount.objects.get().stripe_id
        row = PlanCheckout.objects.create(
            organization_id=tenant.id, price=price, seats=price.plan.included_seats, state="expired"
        )
    named = {"organization": str(tenant.id), "checkout": str(row.pk)}
    return gateway.checkout_plan(
        customer,
        items=[(prices_at_stripe(price).base, 1)],
        trial_days=0,
        promotion="",
        metadata=named,
        way=gateway.Way("https://example.com/a", "https://example.com/b"),
        key=str(row.pk),
    )


def both_paid(payments: Simulator, tenant: Tenant) -> tuple[PlanCheckout, gateway.Page]:
    forget_trial(tenant)
    first = choose(tenant, currency="USD")
    second = second_page(tenant)
    payments.pay(first.stripe_id, number=CARD)
    payments.pay(second.id, number=CARD)
    return first, second


def settle(payments: Simulator) -> None:
    """All that follows by itself."""
    for _ in range(3):
        payments.deliver(Client())
        inbox.handle_events()
        outbox.send_operations()


def mails() -> list[tuple[str, str]]:
    django_mail.outbox.clear()
    for _ in range(2):
        tell_of_subscriptions()
    mail.deliver_due()
    return sorted((message.to[0], message.subject) for message in django_mail.outbox)


def live_at_stripe(payments: Simulator) -> list[str]:
    return [one.currency for one in payments.client.v1.subscriptions.list({}).data]


def refunded(payments: Simulator) -> list[tuple[int, str]]:
    return [(one.amount, one.currency) for one in payments.client.v1.refunds.list({}).data]


PAID = {"usd": 2_900, "eur": 2_700}
OTHER = {"usd": "eur", "eur": "usd"}


def check(payments: Simulator, tenant: Tenant, kept: str) -> None:
    gone = OTHER[kept]
    assert live_at_stripe(payments) == [kept]
    assert refunded(payments) == [(PAID[gone], gone)]
    with tenancy.scope(tenant.id):
        [row] = Subscription.objects.filter(is_live=True)
        assert (row.price.currency.lower(), BillingAccount.objects.get().currency.lower()) == (kept, kept)
        assert billing.limits_of(tenant.id).terms.currency.lower() == kept
    assert len(audit_of(tenant, "subscription.second_ended")) == 1


def kept_by(tenant: Tenant) -> str:
    with tenancy.scope(tenant.id):
        return str(Subscription.objects.select_related("price").get(is_live=True).price.currency).lower()


@pytest.mark.parametrize("first_heard", ["in order", "the second first"])
def test_the_second_payment_goes_back_once(payments: Simulator, org_a: Tenant, first_heard: str) -> None:
    both_paid(payments, org_a)
    webhooks = payments.webhooks()
    for webhook in webhooks if first_heard == "in order" else reversed(webhooks):
        post(webhook.payload, webhook.signature)
    inbox.handle_events()
    settle(payments)
    kept = kept_by(org_a)
    check(payments, org_a, kept)
    assert mails() == [(org_a.owner.email, "A second payment of Org-A has been given back")]
    assert f"{PAID[OTHER[kept]] / 100:.2f}" in str(django_mail.outbox[0].body)
    [entry] = audit_of(org_a, "subscription.second_refunded")
    assert (entry.detail["amount_minor"], entry.detail["currency"].lower()) == (PAID[OTHER[kept]], OTHER[kept])
    for webhook in webhooks:
        post(webhook.payload, webhook.signature)
    send_what_waits(org_a)
    settle(payments)
    check(payments, org_a, kept)
    assert mails() == []
    assert len(audit_of(org_a, "subscription.second_refunded")) == 1


@pytest.mark.parametrize("before", [True, False], ids=["nothing went back", "it went back all the same"])
@pytest.mark.parametrize("step", ["POST /v1/refunds", "DELETE /v1/subscriptions"])
def test_a_failure_at_any_step_delays_it_and_is_told_of_only_when_it_is_done(
    payments: Simulator, org_a: Tenant, step: str, before: bool
) -> None:
    both_paid(payments, org_a)
    payments.do("fail", times=1, matching=step, replays="error", before=before)
    payments.deliver(Client())
    inbox.handle_events()
    outbox.send_operations()
    payments.deliver(Client())
    inbox.handle_events()
    assert mails() == []
    for _ in range(2):
        send_what_waits(org_a)
    settle(payments)
    check(payments, org_a, kept_by(org_a))
    assert mails() == [(org_a.owner.email, "A second payment of Org-A has been given back")]


def test_a_refund_that_is_refused_is_told_of_and_not_of_a_refund(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_paid(payments, org_a)

    def refuses(*_: Any, **__: Any) -> None:
        raise StripeRefused("Too little money is left.")

    monkeypatch.setattr(gateway.payments, "_give_back", refuses)
    settle(payments)
    assert mails() == []
    assert audit_of(org_a, "subscription.second_refunded") == []
    [entry] = audit_of(org_a, "billing.operation_unknown")
    assert entry.detail["kind"] == "end_second"
